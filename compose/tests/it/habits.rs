//! Habits of docker compose that only odd files show; each was seen with the real programs.

use tidegate_compose::{Compatibility, LoadOptions, MemoryFiles, load};

use super::{load_files, load_text};

fn class_of(text: &str) -> &'static str {
    load_text(text).map(|_| ()).unwrap_err().class().name()
}

#[test]
fn no_profile_is_the_one_with_the_empty_name() {
    let text = "services:\n  a: {image: x, profiles: [\"\"]}\n  b: {image: x, profiles: [p]}\n";
    let enabled = |profiles: Option<&str>| -> Vec<String> {
        let files: MemoryFiles = [("/p/compose.yaml", text)].into_iter().collect();
        let mut options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
        let value = profiles.map(|value| ("COMPOSE_PROFILES".to_owned(), value.to_owned()));
        options.environment.extend(value);
        load(&files, &options).unwrap().project.services.into_keys().collect()
    };
    assert_eq!(enabled(None), ["a"]);
    assert_eq!(enabled(Some("")), ["a"]);
    assert_eq!(enabled(Some("p, ")), ["a", "b"]);
    assert_eq!(enabled(Some("p")), ["b"]);
}

#[test]
fn a_network_that_looks_like_an_extension_cannot_be_used() {
    let text = "services: {a: {image: x, networks: [x-a]}}\nnetworks: {x-a: {}}\n";
    assert_eq!(class_of(text), "consistency");
}

#[test]
fn yaml_of_another_version_is_refused() {
    assert_eq!(class_of("%YAML 1.2\n---\nservices: {a: {image: x}}\n"), "yaml");
    assert!(load_text("%YAML 1.1\n---\nservices: {a: {image: x}}\n").is_ok());
}

#[test]
fn binary_is_the_text_it_stands_for() {
    let loaded = load_text("services: {a: {image: !!binary aGVsbG8=}}\n").unwrap();
    assert_eq!(loaded.project.services["a"].image, "hello");
    assert_eq!(class_of("services: {a: {image: !!binary aGVsbG8}}\n"), "yaml");
}

#[test]
fn an_empty_device_is_one() {
    let loaded = load_text("services: {a: {image: x, devices: [\"\"]}}\n").unwrap();
    assert_eq!(loaded.project.services["a"].devices.len(), 1);
}

#[test]
fn nothing_may_be_included() {
    let loaded = load_text("include: [~]\nservices: {a: {image: x}}\n").unwrap();
    assert_eq!(loaded.project.services.len(), 1);
}

#[test]
fn empty_lists_of_extensions_are_null_in_json() {
    let loaded = load_text("services: {a: {image: x}}\nx-a: {b: [], c: [[]]}\n").unwrap();
    let json = loaded.project.to_json().to_compact();
    assert!(json.ends_with(r#""x-a":{"b":null,"c":[null]}}"#), "{json}");
}

#[test]
fn lines_of_env_files_that_no_process_could_have_are_refused_by_2_26() {
    let files: MemoryFiles =
        [("/p/compose.yaml", "services: {a: {image: x}}"), ("/p/.env", "A")].into_iter().collect();
    let read = |compatibility| {
        let options = LoadOptions { working_directory: "/p".into(), compatibility, ..LoadOptions::default() };
        load(&files, &options).map(|_| ()).map_err(|errors| errors.class().name())
    };
    assert_eq!(read(Compatibility::V2_40), Ok(()));
    assert_eq!(read(Compatibility::V2_26), Err("env-file"));
}

#[test]
fn numbers_as_text_are_those_of_go() {
    let text =
        "services: {a: {image: x, labels: {a: 1234567.5, b: 1e6, c: 999999.5, d: 0.00001, e: .inf}}}\n";
    let loaded = load_text(text).unwrap();
    let labels: Vec<&str> = loaded.project.services["a"].labels.values().map(String::as_str).collect();
    assert_eq!(labels, ["1.2345675e+06", "1e+06", "999999.5", "1e-05", "+Inf"]);
    let files: MemoryFiles = [("/p/compose.yaml", text)].into_iter().collect();
    let compatibility = Compatibility::V2_26;
    let options = LoadOptions { working_directory: "/p".into(), compatibility, ..LoadOptions::default() };
    assert_eq!(load(&files, &options).map(|_| ()).unwrap_err().class().name(), "schema");
}

#[test]
fn modes_sizes_and_numbers_are_those_of_go() {
    let text = "services:
  a: {image: x, cpus: \"${CPUS:-1_0}\", mem_limit: 1_024k, secrets: [{source: s, mode: -3}]}
secrets: {s: {file: ./s}}
";
    let loaded = load_files(&[("compose.yaml", text)]).unwrap();
    let json = loaded.project.to_json().to_compact();
    for part in [r#""cpus":10,"#, r#""mem_limit":"1048576""#, r#""mode":"0-3""#] {
        assert!(json.contains(part), "{part} in {json}");
    }
}
