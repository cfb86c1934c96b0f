//! Rules of the source that no lint knows: the controller builds on Windows too.

use std::path::{Path, PathBuf};

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// `std::os::unix` and unix signals stand only in a block or function behind `#[cfg(unix)]`, with a way for others.
#[test]
fn unix_stands_behind_cfg() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 50);
    for file in files {
        let text = fs_err::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if !["os::unix", "signal::unix", "rustix::"].iter().any(|word| line.contains(word)) {
                continue;
            }
            let before: Vec<&str> = text.lines().take(number).collect();
            let guarded = before.iter().rev().take(4).any(|line| line.trim() == "#[cfg(unix)]");
            assert!(guarded, "{}:{}: {line}", file.display(), number + 1);
        }
    }
}
