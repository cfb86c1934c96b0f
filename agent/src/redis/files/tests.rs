//! Names, and the scripts themselves: run by a real shell, cut off between their changes.

use std::{path::Path, process::Command};

use proptest::prelude::*;

use super::*;

#[test]
fn names_are_simple_and_paths_are_theirs() {
    for name in ["dump.rdb", "appendonly.aof", "appendonlydir", "a-b_c.1"] {
        assert!(is_simple(name), "{name}");
    }
    for name in ["", ".", "..", ".x", "-x", "a/b", "a b", "$(x)", "ä"] {
        assert!(!is_simple(name), "{name}");
    }
    let logs = Kept::Logs { directory: "logs".to_owned(), file: "a.aof".to_owned() };
    let persistence = Persistence { directory: "/data/".to_owned(), kept: logs };
    assert_eq!(persistence.path(), "/data/logs");
    assert_eq!(persistence.rdb_of("/data/.x"), ("/data/.x".to_owned(), "a.aof.1.base.rdb".to_owned()));
    let snapshot = Persistence { kept: Kept::Snapshot("d.rdb".to_owned()), ..persistence };
    assert_eq!(snapshot.rdb_of("/data/.x"), ("/data/".to_owned(), ".x".to_owned()));
}

/// The lines of a script up to one of its changes, as who is cut off leaves them.
fn cut(script: &str, changes: usize) -> String {
    let mut left = changes;
    let lines = script.lines().take_while(|line| {
        let is_change = line.contains("mv ") || line.contains("rm ");
        left = left.saturating_sub(usize::from(is_change));
        !(is_change && left == 0)
    });
    let mut cut: Vec<&str> = lines.collect();
    // What was begun ends, or the shell would refuse it.
    let depth = |word: &str| cut.iter().filter(|line| line.trim_start().starts_with(word)).count();
    if depth("if ") > cut.iter().filter(|line| line.trim() == "fi").count() {
        cut.push(":");
        cut.push("fi");
    }
    cut.join("\n")
}

fn run(script: &str, at: &Path) {
    let arguments = ["-euc", script, "sh", "data", "fresh", "former"];
    assert!(Command::new("sh").args(arguments).current_dir(at).status().unwrap().success());
}

fn read(at: &Path, name: &str) -> Option<String> {
    fs_err::read_to_string(at.join(name)).ok()
}

fn site() -> tempfile::TempDir {
    let site = tempfile::tempdir().unwrap();
    fs_err::write(site.path().join("data"), "old").unwrap();
    fs_err::write(site.path().join("fresh"), "new").unwrap();
    site
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn cut_off_anywhere_a_swap_ends_whole_in_either_direction(
        cuts in proptest::collection::vec(1_usize..4, 0..3),
        started in any::<bool>(),
        back in any::<bool>(),
    ) {
        let site = site();
        let at = site.path();
        for changes in cuts {
            run(&cut(SWAP, changes), at);
            // A server that was started in between without its data writes an empty file.
            if started && read(at, "data").is_none() {
                fs_err::write(at.join("data"), "empty").unwrap();
            }
        }
        if back {
            run(SWAP_BACK, at);
            prop_assert_eq!(read(at, "data"), Some("old".to_owned()));
            prop_assert_eq!(read(at, "fresh"), Some("new".to_owned()));
            prop_assert_eq!(read(at, "former"), None);
        } else {
            run(SWAP, at);
            run(SWAP, at);
            prop_assert_eq!(read(at, "data"), Some("new".to_owned()));
            prop_assert_eq!(read(at, "fresh"), None);
            prop_assert_eq!(read(at, "former"), Some("old".to_owned()));
        }
    }
}
