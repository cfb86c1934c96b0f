//! probe
#![allow(clippy::all, clippy::pedantic, clippy::restriction)]
use tidegate_compose::*;
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let show = std::env::args().nth(2).is_some();
    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    for p in names {
        let o = LoadOptions {
            working_directory: "/case".into(),
            home: Some("/home/user".into()),
            compatibility: if std::env::var("OLD").is_ok() {
                Compatibility::V2_26
            } else {
                Compatibility::V2_40
            },
            environment: [("HOME".to_string(), "/home/user".to_string())].into(),
            ..Default::default()
        };
        let n = p.file_name().unwrap().to_string_lossy().to_string();
        match load(&OsFiles::new("/case", &p), &o) {
            Ok(l) => {
                println!("OK   {n} {}", l.warnings.len());
                if show {
                    println!("{}", l.project.to_json().to_pretty());
                }
            }
            Err(e) => println!(
                "ERR  {n} [{}] {}",
                e.class().unwrap().name(),
                e.to_string()
                    .replace("\n", " / ")
                    .chars()
                    .take(260)
                    .collect::<String>()
            ),
        }
    }
}
