use std::path::Path;

use super::*;
use crate::load::{LoadOptions, load};
use crate::source::{MemoryFiles, OsFiles};

fn loaded(text: &str, environment: &[(&str, &str)]) -> Loaded {
    let files: MemoryFiles =
        [("/p/compose.yaml", text), ("/p/a.env", "DB_PASSWORD=hunter2\n")].into_iter().collect();
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = LoadOptions { working_directory: "/p".into(), environment, ..LoadOptions::default() };
    load(&files, &options).unwrap()
}

/// The words of the rules named, of a project.
fn said(rules: &[&str], text: &str) -> String {
    let advice = advise(&loaded(text, &[("DB_PASSWORD", "hunter2")]));
    let texts: Vec<String> =
        advice.iter().filter(|advice| rules.contains(&advice.rule)).map(ToString::to_string).collect();
    texts.join("\n")
}

#[test]
fn waiting_without_a_healthcheck() {
    let rules = &["no-healthcheck", "health-unknown"];
    insta::assert_snapshot!(said(
        rules,
        "services:
  web:
    image: web:1
    depends_on: [db, cache]
  worker:
    image: web:1
    depends_on:
      db: {condition: service_started}
      queue: {condition: service_healthy}
      setup: {condition: service_completed_successfully}
  db:
    image: postgres:17
  cache:
    image: redis:8
    healthcheck: {test: [CMD, redis-cli, ping]}
  queue:
    image: rabbitmq:4
    healthcheck: {disable: true}
  setup:
    image: web:1
"
    ));
}

#[test]
fn restart_policies() {
    insta::assert_snapshot!(said(
        &["no-restart-policy"],
        "services:
  web: {image: web:1}
  kept: {image: web:1, restart: always}
  once: {image: web:1, restart: \"no\"}
  swarm: {image: web:1, deploy: {restart_policy: {condition: any}}}
  setup: {image: web:1}
  app: {image: web:1, restart: always, depends_on: {setup: {condition: service_completed_successfully}}}
"
    ));
}

#[test]
fn images_without_version() {
    insta::assert_snapshot!(said(
        &["floating-image"],
        "services:
  a: {image: nginx}
  b:
    image: \"registry.example.com:5000/team/app:latest\"
  c: {image: \"registry.example.com:5000/team/app\"}
  d: {image: \"nginx:1.27\"}
  e: {image: \"nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}
  f: {build: .}
"
    ));
}

#[test]
fn published_databases() {
    insta::assert_snapshot!(said(
        &["published-database"],
        "services:
  db:
    image: postgres:17
    ports:
      - \"5432:5432\"
      - 127.0.0.1:5433:5432
  other:
    image: registry.example.com/own/storage:1
    ports: [\"10.0.0.5:3307:3306\", \"80:80\"]
  redis:
    image: redis:8
    ports:
      - {target: 7000, published: 7000}
  web:
    image: web:1
    ports: [\"80:8000\"]
"
    ));
}

#[test]
fn limits() {
    insta::assert_snapshot!(said(
        &["no-memory-limit", "no-log-rotation"],
        "services:
  a:
    image: a:1
    logging:
      driver: json-file
      options: {tag: x}
  b: {image: b:1, mem_limit: 1g, logging: {driver: journald}}
  c: {image: b:1, deploy: {resources: {limits: {memory: 1g}}}, logging: {options: {max-size: 1m}}}
  d: {image: b:1, mem_limit: 1g}
"
    ));
}

#[test]
fn secrets_written_out() {
    let text = "services:
  web:
    image: web:1
    env_file: [a.env]
    environment:
      DB_PASSWORD: hunter3
      API_KEY: \"${API_KEY-}\"
      TOKEN_FILE: /run/secrets/token
      ALLOW_EMPTY_PASSWORD: \"yes\"
      PUBLIC_KEY: abcdef
      SSL_KEY: /etc/ssl/key.pem
      DATABASE_URL: postgres://app:hunter4@db/app
      OTHER_URL: postgres://app@db/app
      KEYBOARD: de
  worker:
    image: web:1
    environment:
      - DB_PASSWORD
      - PGPASSWORD=hunter5
      - SECRET_KEY=${SECRET_KEY-}
  other:
    image: web:1
    env_file: [a.env]
";
    let said = said(&["plain-secret"], text);
    assert!(!said.contains("hunter"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn mounts_from_elsewhere() {
    insta::assert_snapshot!(said(
        &["outside-project"],
        "services:
  web:
    image: web:1
    volumes:
      - ./conf:/conf
      - ../shared:/shared
      - /home/me/data:/data
      - /var/run/docker.sock:/var/run/docker.sock
      - /etc/localtime:/etc/localtime:ro
      - named:/named
    secrets: [key]
secrets:
  key:
    file: /home/me/key
volumes: {named: {}}
"
    ));
}

#[test]
fn the_example_needs_no_advice() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/example");
    let options = LoadOptions {
        working_directory: "/p".into(),
        compose_files: vec!["compose.yaml".into(), "compose.production.yaml".into()],
        environment: [("REGISTRY", "r.example.com"), ("TAG", "1"), ("POSTGRES_PASSWORD", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..LoadOptions::default()
    };
    let loaded = load(&OsFiles::new("/p", example), &options).unwrap();
    let advice: Vec<String> = advise(&loaded).iter().map(ToString::to_string).collect();
    assert!(advice.is_empty(), "{}", advice.join("\n"));
}

#[test]
fn monitoring_needs_no_advice() {
    let monitoring = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/monitoring");
    let options = LoadOptions {
        working_directory: "/p".into(),
        compose_files: vec!["compose.yaml".into()],
        environment: [("REGISTRY", "r.example.com"), ("GRAFANA_PASSWORD", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..LoadOptions::default()
    };
    let loaded = load(&OsFiles::new("/p", monitoring), &options).unwrap();
    let advice: Vec<String> = advise(&loaded).iter().map(ToString::to_string).collect();
    assert!(advice.is_empty(), "{}", advice.join("\n"));
}

#[test]
fn advice_comes_in_the_order_of_the_file() {
    let advice = advise(&loaded("services:\n  b: {image: b}\n  a: {image: a}\n", &[]));
    let places: Vec<(u32, &str)> =
        advice.iter().map(|advice| (advice.place.as_ref().unwrap().line, advice.rule)).collect();
    assert_eq!(
        places,
        [
            (2, "no-restart-policy"),
            (2, "no-memory-limit"),
            (2, "no-log-rotation"),
            (2, "floating-image"),
            (3, "no-restart-policy"),
            (3, "no-memory-limit"),
            (3, "no-log-rotation"),
            (3, "floating-image"),
        ]
    );
}
