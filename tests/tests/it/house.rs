//! The rules of the house that no lint knows: sizes, what a module says of itself, and what the CLI may not use because
//! Windows and macOS do not have it. Textual: it reads the sources that git would commit.

use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const CRATES: [&str; 7] = ["agent", "compose", "controller", "proto", "saga", "sandbox", "tests"];
/// Built for Windows and macOS too.
const EVERYWHERE: [&str; 4] = ["compose", "controller", "proto", "saga"];
/// What only unix has.
const UNIX_ONLY: [&str; 9] = [
    "std::os::unix",
    "std::os::linux",
    "std::os::fd",
    "rustix::",
    "libc::",
    "nix::",
    "signal::unix",
    "UnixStream",
    "UnixListener",
];
/// Lines of a file, its tests not counted.
const MOST_LINES: usize = 500;

/// A source file and the part of it that is no test.
struct Source {
    path: PathBuf,
    code: String,
}

fn sources(of: &str) -> Vec<Source> {
    let mut files = Vec::new();
    collect(&Path::new(ROOT).join(of).join("src"), &mut files);
    assert!(!files.is_empty(), "no sources in {of}");
    files.sort();
    files.into_iter().filter(|path| !is_test(path)).map(read).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    let named_so = |part: &std::ffi::OsStr| part.to_string_lossy().trim_end_matches(".rs").ends_with("tests");
    path.strip_prefix(ROOT).unwrap().iter().skip(1).any(named_so)
}

fn read(path: PathBuf) -> Source {
    let text = fs_err::read_to_string(&path).unwrap();
    let end = ["#[cfg(test)]\nmod ", "#[cfg(test)]\n#[path"].iter().filter_map(|mark| text.find(mark)).min();
    let code = text.get(..end.unwrap_or(text.len())).unwrap().to_owned();
    Source { path, code }
}

/// All findings at once, so that one run shows everything there is to mend.
fn none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

fn shown(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap().display().to_string()
}

#[test]
fn files_are_small() {
    let large = CRATES.iter().flat_map(|name| sources(name)).filter_map(|source| {
        let lines = source.code.lines().count();
        (lines > MOST_LINES).then(|| format!("{}: {lines} lines", shown(&source.path)))
    });
    none(&large.collect::<Vec<_>>(), "at most 500 lines a file, tests not counted; split it by concern");
}

#[test]
fn every_module_says_what_it_owns() {
    let silent = CRATES.iter().flat_map(|name| sources(name)).filter_map(|source| {
        let says = source.code.lines().any(|line| line.starts_with("//!"));
        (!says).then(|| shown(&source.path))
    });
    none(&silent.collect::<Vec<_>>(), "a module begins with //!: what it owns, what it must not touch");
}

#[test]
fn what_runs_on_workstations_uses_nothing_of_unix_alone() {
    let mut findings = Vec::new();
    for source in EVERYWHERE.iter().flat_map(|name| sources(name)) {
        // Where systems differ (permission bits), each `cfg(unix)` has its `cfg(not(unix))`: both ways are written.
        let count = |mark: &str| source.code.matches(mark).count();
        if count("#[cfg(unix)]") > 0 && count("#[cfg(unix)]") == count("#[cfg(not(unix))]") {
            continue;
        }
        for (number, line) in source.code.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if UNIX_ONLY.iter().any(|name| code.contains(name)) || code.contains("cfg(unix)") {
                findings.push(format!("{}:{}: {}", shown(&source.path), number + 1, line.trim()));
            }
        }
    }
    none(&findings, "controller, compose, proto and saga run on Windows and macOS too");
}

#[test]
fn every_crate_takes_lints_and_dependencies_from_the_workspace() {
    let mut findings = Vec::new();
    for name in CRATES {
        let manifest = fs_err::read_to_string(Path::new(ROOT).join(name).join("Cargo.toml")).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{name}: no [lints] workspace = true"));
        }
        let mut section = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section.contains("dependencies")
                && line.contains('=')
                && !line.contains("workspace = true")
            {
                findings.push(format!("{name}: {line}"));
            }
        }
    }
    none(&findings, "versions stand in the workspace's Cargo.toml, so that there is one of each");
}

/// Ubuntu 22.04's, the oldest that droplets may run.
const GLIBC: (u32, u32) = (2, 35);

#[test]
fn the_agent_asks_for_no_newer_glibc_than_the_oldest_droplet_has() {
    let agent = tidegate_tests::programs::path(tidegate_tests::programs::Program::Agent).unwrap();
    let program = fs_err::read(agent).unwrap();
    let mut asked: Vec<(u32, u32)> = program.split(|byte| *byte == 0).filter_map(glibc_version).collect();
    asked.sort_unstable();
    asked.dedup();
    assert!(!asked.is_empty(), "no version of glibc is named; was the agent linked statically?");
    let newer: Vec<_> = asked.iter().filter(|version| **version > GLIBC).collect();
    if let Ok(own) = own_glibc()
        && own > (2, 36)
        && !newer.is_empty()
    {
        println!("skipped: built on glibc {own:?}, newer than Debian 12's; a release is built on Debian 12");
        return;
    }
    assert!(newer.is_empty(), "Ubuntu 22.04 has glibc {GLIBC:?}, the agent asks for {newer:?}");
}

/// `GLIBC_2.34`, as a program's table of needed versions holds it.
fn glibc_version(text: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(text).ok()?.strip_prefix("GLIBC_")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

/// Of the machine that builds: `ldd (Debian GLIBC 2.36-9+deb12u10) 2.36`.
fn own_glibc() -> Result<(u32, u32), String> {
    let said = std::process::Command::new("ldd").arg("--version").output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = text.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or_default();
    glibc_version(format!("GLIBC_{version}").as_bytes()).ok_or(text)
}
