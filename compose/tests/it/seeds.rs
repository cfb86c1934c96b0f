//! Replays the seeds of the fuzz targets, among them every input that once was a finding.

#[path = "../../fuzz/src/targets.rs"]
mod targets;

use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut count = 0;
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        target(&fs_err::read(path).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} seeds of {name}");
}

#[test]
fn of_files() {
    replay("file", targets::file);
}

#[test]
fn of_env_files() {
    replay("env_file", targets::env_file);
}

#[test]
fn of_interpolation() {
    replay("interpolation", targets::interpolation);
}
