//! `tidegate compose` as its users meet it: in a directory with Compose files and nothing else.

use std::{path::Path, process::Command};

use crate::world::Said;

/// A directory named `shop`, so that the project is.
struct Project(tempfile::TempDir);

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = project.0.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        project
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("shop")
    }

    fn run(&self, args: &[&str]) -> Said {
        self.run_in(&self.path(), args, &[])
    }

    fn run_in(&self, directory: &Path, args: &[&str], environment: &[(&str, &str)]) -> Said {
        fs_err::create_dir_all(directory).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .arg("compose")
            .args(args)
            .current_dir(directory)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        // Paths differ from run to run.
        let real = fs_err::canonicalize(self.0.path()).unwrap();
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(real.to_str().unwrap(), "/home/me");
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

const SHOP: &str = "services:
  web:
    image: \"web:${TAG:-1}\"
    command: echo $$HOME
    depends_on: [db]
    ports: [\"8080:80\"]
  db: {image: \"postgres:17\", volumes: [\"data:/var/lib/postgresql/data\"]}
  debug: {image: \"busybox:1\", profiles: [debug]}
volumes: {data: {}}
";

#[test]
fn config_prints_the_project() {
    let project = Project::new(&[("shop/compose.yaml", SHOP), ("shop/.env", "TAG=2\n")]);
    let said = project.run(&["config"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!("config", said.out);
    // Before or behind the word, by its file or its directory, to a file or to nothing.
    for args in [
        &["-f", "compose.yaml", "config"][..],
        &["--file", "compose.yaml", "config"],
        &["config", "-f", "compose.yaml"],
        &["config", "--file", "compose.yaml", "--format", "yaml"],
        &["config", "--project-directory", "."],
    ] {
        assert_eq!(project.run(args).out, said.out, "{args:?}");
    }
    let quiet = project.run(&["config", "--quiet"]);
    assert_eq!((quiet.code, quiet.out.as_str()), (0, ""));
    assert_eq!(project.run(&["config", "-o", "out.yaml"]).out, "");
    let written = fs_err::read_to_string(project.path().join("out.yaml")).unwrap();
    assert_eq!(written, said.out);
    let json: serde_json::Value =
        serde_json::from_str(&project.run(&["config", "--format", "json"]).out).unwrap();
    assert_eq!(json["services"]["web"]["image"], "web:2");
}

#[test]
fn config_prints_lists() {
    let project = Project::new(&[("shop/compose.yaml", SHOP)]);
    for (args, out) in [
        (&["config", "--services"][..], "db\nweb\n"),
        (&["config", "--services", "--profile", "debug"], "db\ndebug\nweb\n"),
        (&["config", "--images"], "postgres:17\nweb:1\n"),
        (&["config", "--images", "db"], "postgres:17\n"),
        (&["config", "--volumes"], "data\n"),
        (&["config", "--networks"], "default\n"),
        (&["config", "--profiles"], "debug\n"),
    ] {
        assert_eq!(project.run(args).out, out, "{args:?}");
    }
    let hashes = project.run(&["config", "--hash", "*"]).out;
    assert_eq!(hashes.lines().count(), 2);
    assert_eq!(project.run(&["config", "--hash", "web"]).out.trim_end(), hashes.lines().nth(1).unwrap());
    let old = project.run(&["--compat", "2.26", "config", "--hash", "web"]).out;
    assert_ne!(old.trim_end(), hashes.lines().nth(1).unwrap());
    let variables = project.run(&["config", "--environment"]).out;
    assert!(variables.contains("COMPOSE_PROJECT_NAME=shop\n"), "{variables}");
}

#[test]
fn the_project_is_found_as_docker_compose_finds_it() {
    let other = "services: {other: {image: o}}\n";
    let project = Project::new(&[
        ("shop/docker-compose.yml", SHOP),
        ("shop/docker-compose.override.yml", "services: {more: {image: m}}\n"),
        ("shop/sub/deep/.keep", ""),
        ("shop/sub/compose.yml", other),
    ]);
    let services = |directory: &str, environment: &[(&str, &str)]| {
        project.run_in(&project.path().join(directory), &["config", "--services"], environment).out
    };
    assert_eq!(services("", &[]), "db\nmore\nweb\n");
    assert_eq!(services("sub/deep", &[]), "other\n");
    assert_eq!(services("", &[("COMPOSE_FILE", "sub/compose.yml")]), "other\n");
    assert_eq!(services("", &[("COMPOSE_PROFILES", "debug")]), "db\ndebug\nmore\nweb\n");
    let name = |environment: &[(&str, &str)], args: &[&str]| {
        let args = [&["config"], args].concat();
        project.run_in(&project.path(), &args, environment).out.lines().next().map(str::to_owned)
    };
    assert_eq!(name(&[], &[]).unwrap(), "name: shop");
    assert_eq!(name(&[("COMPOSE_PROJECT_NAME", "other")], &[]).unwrap(), "name: other");
    assert_eq!(name(&[("COMPOSE_PROJECT_NAME", "other")], &["-p", "mine"]).unwrap(), "name: mine");
}

#[test]
fn wrong_files_are_told_with_their_places() {
    let project = Project::new(&[(
        "shop/compose.yaml",
        "services:\n  web:\n    imag: x\n    ports: 80\n  db:\n    image: x\n    restrt: always\n",
    )]);
    for command in ["config", "check"] {
        let said = project.run(&[command]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
        insta::assert_snapshot!("wrong", said.err);
    }
    let said = project.run(&["check", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, told["errors"].as_array().unwrap().len()), (2, 3));
    let project = Project::new(&[("shop/compose.yaml", SHOP)]);
    for args in [&["config", "wbe"][..], &["config", "--hash", "wbe"], &["-f", "other.yaml", "config"]] {
        let said = project.run(args);
        insta::assert_snapshot!(args.join("_").replace("--", ""), said.err);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
    }
    let extension = format!("{SHOP}x-tidegate: {{wach: 5s}}\n");
    let project = Project::new(&[("shop/compose.yaml", extension.as_str())]);
    let said = project.run(&["check"]);
    assert_eq!(said.code, 2);
    insta::assert_snapshot!("extension", said.err);
}

#[test]
fn check_gives_advice() {
    let project = Project::new(&[("shop/compose.yaml", SHOP)]);
    let said = project.run(&["check"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!("advice", said.out);
    let strict = project.run(&["check", "--strict"]);
    assert_eq!((strict.code, strict.out), (1, said.out));
    let told: serde_json::Value = serde_json::from_str(&project.run(&["check", "--json"]).out).unwrap();
    assert_eq!(told["advice"][0]["place"]["line"], 2);
    assert!(told["advice"].as_array().unwrap().iter().all(|one| one["cure"].is_string()));
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    let project = Project::new(&[("shop/compose.yaml", SHOP)]);
    for args in [&[][..], &["nonsense"], &["config", "--nonsense"], &["config", "--compat", "1"]] {
        let said = project.run(args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}");
    }
    for args in [&["--help"][..], &["config", "--help"], &["check", "-h"]] {
        let said = project.run(args);
        assert_eq!(said.code, 0);
        insta::assert_snapshot!(format!("help_{}", args.join("_").replace('-', "")), said.out);
    }
}
