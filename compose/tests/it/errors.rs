//! One snapshot per class of error: where, what, what was expected, what to do.

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
