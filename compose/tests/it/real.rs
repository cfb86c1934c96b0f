//! Byte for byte beside the real docker compose, where it is at hand: `TIDEGATE_DOCKER_COMPOSE_240` and
//! `TIDEGATE_DOCKER_COMPOSE_226` name its programs of these versions, and the cases come from `TIDEGATE_COMPOSE_CASES`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_compose::{Compatibility, Extent, Loaded, OsFiles, Project, load, views, yaml};

use super::corpus::options_of;

/// What is compared: docker compose's arguments behind `config`, and ours for the same.
struct View {
    arguments: &'static [&'static str],
    extent: Extent,
    ours: fn(&Project) -> String,
    /// docker compose prints it in the random order of a Go map.
    shuffled: bool,
    /// Only the newer of the two versions has it.
    new: bool,
}

const VIEWS: &[View] = &[
    View { arguments: &[], extent: Extent::Whole, ours: yaml_text, shuffled: false, new: false },
    View {
        arguments: &["--format", "json"],
        extent: Extent::Whole,
        ours: |project| project.to_json().to_pretty().replace('$', "$$"),
        shuffled: false,
        new: false,
    },
    View {
        arguments: &["--hash", "*"],
        extent: Extent::Names,
        ours: |project| lines(views::hashes(project, &[]).unwrap()),
        shuffled: false,
        new: false,
    },
    View {
        arguments: &["--profiles"],
        extent: Extent::Names,
        ours: |project| lines(views::profiles(project)),
        shuffled: false,
        new: false,
    },
    View {
        arguments: &["--services"],
        extent: Extent::Names,
        ours: |project| lines(views::services(project)),
        shuffled: true,
        new: false,
    },
    View {
        arguments: &["--volumes"],
        extent: Extent::Names,
        ours: |project| lines(views::volumes(project)),
        shuffled: true,
        new: false,
    },
    View {
        arguments: &["--images"],
        extent: Extent::Names,
        ours: |project| lines(views::images(project)),
        shuffled: true,
        new: false,
    },
    View {
        arguments: &["--networks"],
        extent: Extent::Names,
        ours: |project| lines(views::networks(project)),
        shuffled: true,
        new: true,
    },
    View {
        arguments: &["--environment"],
        extent: Extent::Whole,
        ours: |project| lines(views::environment(project)),
        shuffled: false,
        new: true,
    },
];

/// Views of cases that differ, with the reason; exact in both directions.
const KNOWN: &[(&str, &str)] = &[
    // docker compose does not compare container names before it lists variables.
    ("e2e-container-name", "--environment"),
];

fn yaml_text(project: &Project) -> String {
    yaml::to_text(&project.to_yaml(), project.compatibility).replace('$', "$$")
}

fn lines(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

struct Beside<'a> {
    program: &'a Path,
    compat: Compatibility,
    entry: &'a Value,
    /// A copy of the case: hashes cover its path, so both look at the same.
    directory: PathBuf,
}

impl Beside<'_> {
    /// Environment of the case, for both.
    fn environment(&self) -> Vec<(String, String)> {
        let own = self.entry["env"].as_object().unwrap().iter();
        let own = own.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        let fixed =
            [("PATH", "/usr/bin:/bin"), ("HOME", "/home/user"), ("DOCKER_HOST", "unix:///nowhere.sock")];
        fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(own).collect()
    }

    fn theirs(&self, view: &View) -> Output {
        let arguments = self.entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
        Command::new(self.program)
            .args(arguments)
            .arg("config")
            .args(view.arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.environment())
            .output()
            .unwrap()
    }

    fn ours(&self, view: &View) -> Result<Loaded, tidegate_compose::LoadErrors> {
        let directory = self.directory.to_str().unwrap();
        let mut options = options_of(self.entry);
        directory.clone_into(&mut options.working_directory);
        options.environment = self.environment().into_iter().collect();
        options.compatibility = self.compat;
        options.extent = view.extent;
        load(&OsFiles::new(directory, directory), &options)
    }

    fn difference(&self, view: &View) -> Option<String> {
        let theirs = self.theirs(view);
        let ours = match (theirs.status.success(), self.ours(view)) {
            (true, Ok(loaded)) => (view.ours)(&loaded.project),
            (false, Err(_)) => return None,
            (true, Err(errors)) => return Some(format!("refused: {errors}")),
            (false, Ok(_)) => return Some(format!("accepted: {}", String::from_utf8_lossy(&theirs.stderr))),
        };
        let theirs = String::from_utf8_lossy(&theirs.stdout);
        let same = if view.shuffled { sorted(&ours) == sorted(&theirs) } else { ours == theirs };
        (!same).then(|| format!("printed\n{ours}\ninstead of\n{theirs}"))
    }
}

fn beside(variable: &str, compat: Compatibility) {
    let Some(program) = std::env::var_os(variable).map(PathBuf::from) else {
        println!("skipped: {variable} is not set, nothing was compared with that docker compose");
        return;
    };
    let Some(folder) = std::env::var_os("TIDEGATE_COMPOSE_CASES").map(PathBuf::from) else {
        println!("skipped: TIDEGATE_COMPOSE_CASES is not set, there are no cases to compare");
        return;
    };
    let index = fs_err::read_to_string(folder.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let cases = index["cases"].as_array().unwrap();
    let temporary = TempDir::new().unwrap();
    let failures = std::sync::Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(2)) {
            let (failures, temporary, folder, program) = (&failures, &temporary, &folder, &program);
            scope.spawn(move || {
                for entry in part {
                    let name = entry["name"].as_str().unwrap();
                    let directory = temporary.path().join(name).join("case");
                    copy(&folder.join("cases").join(name).join("in"), &directory);
                    let beside = Beside { program, compat, entry, directory };
                    for view in VIEWS.iter().filter(|view| !view.new || compat == Compatibility::V2_40) {
                        let Some(difference) = beside.difference(view) else { continue };
                        let view = view.arguments.join(" ");
                        println!("{name} {view}: {difference}");
                        failures.lock().unwrap().insert((name.to_owned(), view));
                    }
                }
            });
        }
    });
    let known = |(name, view): &(String, String)| KNOWN.iter().any(|(n, v)| n == name && v == view);
    let failures = failures.into_inner().unwrap();
    let new: Vec<_> = failures.iter().filter(|failure| !known(failure)).collect();
    println!(
        "{} cases, {} views that differ, of which known {}",
        cases.len(),
        failures.len(),
        failures.len() - new.len()
    );
    assert!(new.is_empty(), "{new:?}");
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), &target).unwrap();
        }
    }
}

#[test]
fn every_case_as_2_40_prints_it() {
    beside("TIDEGATE_DOCKER_COMPOSE_240", Compatibility::V2_40);
}

#[test]
fn every_case_as_2_26_prints_it() {
    beside("TIDEGATE_DOCKER_COMPOSE_226", Compatibility::V2_26);
}
