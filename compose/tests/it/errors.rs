//! One snapshot per class of error: where, what, what was expected, what to do.

use tidegate_compose::{LoadOptions, MemoryFiles, load};

use super::{load_files, load_text};

fn shown(text: &str) -> String {
    load_text(text).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn yaml() {
    insta::assert_snapshot!("syntax", shown("services:\n  a:\n    image: x\n   b: y\n"));
    insta::assert_snapshot!(
        "duplicates",
        shown("services:\n  a:\n    image: x\n    image: y\n    tty: true\n    tty: false\n")
    );
    insta::assert_snapshot!("anchor", shown("services:\n  a: *nope\n"));
    insta::assert_snapshot!("empty", shown("# nothing\n"));
}

#[test]
fn schema_tells_everything_at_once() {
    insta::assert_snapshot!(shown(
        "services:
  web:
    imag: nginx
    ports: 80
    environment:
      A: [1]
    command: [run, 5, true]
    depends_on:
      db: {condition: healthy}
    healthcheck: {interval: 5}
  db:
    image: postgres
    restart: no
network:
  a: {}
"
    ));
}

#[test]
fn interpolation() {
    insta::assert_snapshot!(shown(
        "services:
  web:
    image: \"x:${TAG:?give a tag}\"
    scale: \"many\"
    hostname: \"${A:wrong}\"
"
    ));
}

#[test]
fn variables_and_keys_in_one_go() {
    insta::assert_snapshot!(shown(
        "services:
  web:
    imag: nginx
    scale: ${SCALE:-many}
    hostname: \"${NAME:?give a name}\"
  db:
    image: x
    prots: [\"80\"]
"
    ));
}

#[test]
fn all_stages_in_one_go() {
    // Variables, keys, types, sizes, ports, single attributes, references and env files, and what follows from one of
    // them (no image, an undefined network, a missing key) is not told again.
    insta::assert_snapshot!(shown(
        "services:
  web:
    imag: nginx
    ports: [\"80:8x\", \"${PORT:?which port}:80\", \"81:81\"]
    networks: [front, bakc]
  db:
    image: \"postgres:${TAG:?which version}\"
    mem_limit: 5 apples
    deploy: {replicas: two}
    secrets: [password, kye]
    volumes:
      - {type: bind, sorce: ./data, target: /data}
      - {type: \"${KIND:?which kind}\", target: /more}
  cache:
    image: redis
    env_file: cache.env
    depends_on: [dbb]
  shell:
    extends: {service: wbe}
    tty: 5
networks:
  front: {driver: [bridge]}
  back: {}
secrets:
  password: {fil: ./password}
  kez: {file: ./key}
configs:
  both: {file: ./a, content: b}
"
    ));
}

#[test]
fn all_files_in_one_go() {
    let show = |files: &[(&str, &str)]| load_files(files).map(|_| ()).unwrap_err().to_string();
    insta::assert_snapshot!(
        "all_files",
        show(&[
            (
                "compose.yaml",
                "include: [more/compose.yaml, gone.yaml]
services:
  web:
    extends: {file: base.yaml, service: base}
    restart: 5
    depends_on: [defined-in-gone]
"
            ),
            (
                "compose.override.yaml",
                "services:
  web: {labels: [1], ports: {a: b}, image: \"${TAG?give a tag}\"}
  api: {image: x, mem_limit: much, depends_on: [web, worker]}
"
            ),
            ("base.yaml", "services:\n  base: {imaeg: x, cpus: lots}\n"),
            ("more/compose.yaml", "services:\n  worker: {image: x, tyt: true, shm_size: -3}\n"),
        ])
    );
    insta::assert_snapshot!(
        "all_documents",
        show(&[(
            "compose.yaml",
            "services:\n  a: {image: x, image: y, tyt: true}\n---\nservices:\n  b: {imgae: z}\n---\nservices:\n  c: {image: [\n"
        )])
    );
}

#[test]
fn the_class_is_that_of_what_comes_first() {
    let class = |files: &[(&str, &str)]| load_files(files).map(|_| ()).unwrap_err().class().name();
    let wrong_key = "services:\n  a: {imgae: x}\n";
    let wrong_variable = "services:\n  a: {image: \"${A:?x}\"}\n";
    assert_eq!(class(&[("compose.yaml", wrong_key), ("compose.override.yaml", wrong_variable)]), "schema");
    assert_eq!(
        class(&[("compose.yaml", wrong_variable), ("compose.override.yaml", wrong_key)]),
        "interpolation"
    );
    assert_eq!(class(&[("compose.yaml", wrong_key), ("compose.override.yaml", "a: [")]), "schema");
    assert_eq!(class(&[("compose.yaml", "services: {a: {extends: {file: x}}}")]), "extends");
    assert_eq!(class(&[("compose.yaml", "include: [5]\nservices: {}\n")]), "decode");
    assert_eq!(
        class(&[("compose.yaml", "services:\n  b: {}\n  a: {imgae: \"${A:?x}\"}\n")]),
        "interpolation"
    );
}

#[test]
fn values_that_cannot_be_read() {
    insta::assert_snapshot!(shown(
        "services:
  web:
    image: x
    mem_limit: 1xb
    stop_grace_period: 5x
    command: \"echo 'open\"
"
    ));
    insta::assert_snapshot!(
        "ports",
        shown(
            "services:\n  web:\n    image: x\n    ports: [\"abc:80\", \"80-81:8000-8002\", \"::1:80:80\"]\n"
        )
    );
}

#[test]
fn consistency_tells_everything_at_once() {
    insta::assert_snapshot!(shown(
        "services:
  web:
    networks: [frnt]
    volumes: [dta:/data]
    secrets: [key]
    depends_on: [databse]
  database:
    image: x
    depends_on: [cache]
    profiles: [db]
  cache:
    image: x
    scale: 2
    container_name: cache
networks: {front: {}}
volumes: {data: {}}
"
    ));
    insta::assert_snapshot!(
        "cycle",
        shown("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n")
    );
}

#[test]
fn other_files() {
    let compose = "services:\n  a:\n    extends: {file: base.yaml, service: bse}\n";
    let base = "services: {base: {image: x}}";
    let show = |files: &[(&str, &str)]| load_files(files).map(|_| ()).unwrap_err().to_string();
    insta::assert_snapshot!("missing_file", show(&[("compose.yaml", compose)]));
    insta::assert_snapshot!("extends", show(&[("compose.yaml", compose), ("base.yaml", base)]));
    insta::assert_snapshot!("extends_circle", shown("services:\n  a: {extends: b}\n  b: {extends: a}\n"));
    insta::assert_snapshot!(
        "include_conflict",
        show(&[
            ("compose.yaml", "include: [o.yaml]\nservices:\n  a: {image: x}\n"),
            ("o.yaml", "services:\n  a: {image: y}\n"),
        ])
    );
    insta::assert_snapshot!(
        "env_file_keeps_its_lines_to_itself",
        show(&[
            ("compose.yaml", "services:\n  a: {image: x, env_file: a.env}\n"),
            ("a.env", "OK=1\nmy secret=hunter2\n"),
        ])
    );
    insta::assert_snapshot!(
        "merge",
        show(&[
            ("compose.yaml", "services:\n  a: {image: x, labels: {a: b}, build: {context: .}}\n"),
            ("compose.override.yaml", "services:\n  a: {build: [x]}\n"),
        ])
    );
    insta::assert_snapshot!("no_file", show(&[("other.txt", "")]));
}

#[test]
fn more_files() {
    let show = |files: &[(&str, &str)]| load_files(files).map(|_| ()).unwrap_err().to_string();
    insta::assert_snapshot!(
        "include_circle",
        show(&[
            ("compose.yaml", "include: [o.yaml]\nservices:\n  a: {image: x}\n"),
            ("o.yaml", "include: [compose.yaml]\n"),
        ])
    );
    insta::assert_snapshot!(
        "include_missing",
        shown("include:\n  - nope.yaml\nservices:\n  a: {image: x}\n")
    );
    insta::assert_snapshot!(
        "env_file_missing",
        shown("services:\n  a:\n    image: x\n    env_file: nope.env\n")
    );
    insta::assert_snapshot!(
        "label_file_missing",
        shown("services:\n  a:\n    image: x\n    label_file: nope.labels\n")
    );
    insta::assert_snapshot!(
        "override_schema",
        show(&[
            ("compose.yaml", "services:\n  a: {image: x}\n"),
            ("compose.override.yaml", "services:\n  a:\n    imgae: y\n    restart: 5\n"),
        ])
    );
}

#[test]
fn more_yaml() {
    insta::assert_snapshot!("merge_key", shown("services:\n  a:\n    <<: 5\n    image: x\n"));
    insta::assert_snapshot!("key_not_text", shown("services:\n  a:\n    image: x\n    5: y\n"));
    insta::assert_snapshot!("tab", shown("services:\n\ta:\n"));
    insta::assert_snapshot!("top_level", shown("- a\n- b\n"));
}

#[test]
fn contradictions() {
    insta::assert_snapshot!(shown(
        "services:
  nothing: {}
  modes:
    image: x
    network_mode: host
    networks: [front]
  scales:
    image: x
    scale: 2
    deploy: {replicas: 3}
  memory:
    image: x
    mem_limit: 1g
    deploy: {resources: {limits: {memory: 2g}}}
  first: {image: x, container_name: same}
  second: {image: x, container_name: same}
  waits:
    image: x
    depends_on: {off: {condition: service_healthy}}
  off: {image: x, profiles: [later]}
networks: {front: {}}
"
    ));
}

#[test]
fn what_was_asked_for() {
    let text = "services:
  web: {image: x, profiles: [a], depends_on: [db]}
  db: {image: x, profiles: [b]}
";
    let ask = |change: &dyn Fn(&mut LoadOptions)| {
        let files: MemoryFiles = [("/p/compose.yaml", text)].into_iter().collect();
        let mut options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
        change(&mut options);
        load(&files, &options).map(|_| ()).unwrap_err().to_string()
    };
    insta::assert_snapshot!("project_name", ask(&|options| options.project_name = Some("My Shop".into())));
    insta::assert_snapshot!(
        "compose_file",
        ask(&|options| options.compose_files = vec!["other.yaml".into()])
    );
    insta::assert_snapshot!("env_file_given", ask(&|options| options.env_files = vec!["other.env".into()]));
    insta::assert_snapshot!("service", ask(&|options| options.services = vec!["wbe".into()]));
    insta::assert_snapshot!("service_needs_disabled", ask(&|options| options.services = vec!["web".into()]));
}
