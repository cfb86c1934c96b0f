//! What is done with each input of a fuzz target. `tests/it/seeds.rs` does the same with the seeds, in every test run.
//!
//! An input is good when nothing panics, what is accepted can be printed and hashed, and what is refused says why.

use std::collections::BTreeMap;

use tidegate_compose::load::{dotenv, template};
use tidegate_compose::{Compatibility, LoadOptions, MemoryFiles, hash, load, yaml};

/// What stands between the files of an input for [`file`].
const BETWEEN_FILES: &str = "\n%%%\n";

/// The names of an input's files, in order.
const FILES: &[&str] = &["/p/compose.yaml", "/p/compose.override.yaml", "/p/base.yaml", "/p/.env"];

/// A project of up to four files, in both versions.
pub fn file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let files: MemoryFiles = FILES.iter().copied().zip(text.split(BETWEEN_FILES)).collect();
    for compatibility in [Compatibility::V2_40, Compatibility::V2_26] {
        let options = LoadOptions {
            working_directory: "/p".to_owned(),
            home: Some("/home/user".to_owned()),
            environment: BTreeMap::from([("SET".to_owned(), "8080".to_owned())]),
            compatibility,
            ..LoadOptions::default()
        };
        match load(&files, &options) {
            Ok(loaded) => {
                let project = &loaded.project;
                assert!(!project.to_json().to_pretty().is_empty());
                assert!(!yaml::to_text(&project.to_yaml(), compatibility).is_empty());
                for service in project.services.values() {
                    assert_eq!(hash::service(service, compatibility).len(), 64);
                }
            }
            Err(errors) => {
                assert!(errors.errors.iter().any(|error| error.class == errors.class()), "{errors}");
                assert!(errors.errors.iter().all(|error| !error.message.is_empty()), "{errors}");
            }
        }
    }
}

struct Known;

impl template::Lookup for Known {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            "DOLLAR" => Some("${SET}".to_owned()),
            _ => None,
        }
    }
    fn unset(&self, _: &str) {}
}

/// An env file, in both formats.
pub fn env_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for parse in [dotenv::parse, dotenv::parse_raw] {
        let mut variables = BTreeMap::new();
        if let Err(error) = parse(&text, &Known, &mut variables) {
            let lines = text.lines().count() + 1;
            assert!((1..=lines).contains(&usize::try_from(error.line).unwrap_or(0)), "{error:?}");
        }
    }
}

/// A text with references.
pub fn interpolation(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match template::substitute(&text, &Known) {
        Ok(filled) if !text.contains('$') => assert_eq!(filled, text),
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
