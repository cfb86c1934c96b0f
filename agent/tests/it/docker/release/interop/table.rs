//! The projects of `projects.txt`.

/// A project and what the test needs to know about it.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub name: String,
    /// Path and content; the first is `compose.yaml`.
    pub files: Vec<(String, String)>,
    pub variables: Vec<(String, String)>,
    /// Networks and volumes that exist before.
    pub networks: Vec<String>,
    pub volumes: Vec<String>,
    pub only: Option<String>,
    pub later: Option<String>,
    pub whole: Whole,
}

/// Whether docker compose's other commands are tried too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whole {
    #[default]
    No,
    Yes,
}

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("projects.txt").lines() {
        if let Some(name) = line.strip_prefix("== ") {
            let files = vec![("compose.yaml".to_owned(), String::new())];
            cases.push(Case { name: name.to_owned(), files, ..Case::default() });
            continue;
        }
        // What stands before the first project is about the file.
        let Some(case) = cases.last_mut() else { continue };
        if let Some(path) = line.strip_prefix("-- ") {
            case.files.push((path.to_owned(), String::new()));
        } else if let Some(order) = line.strip_prefix('!') {
            obey(case, order);
        } else {
            let (path, content) = case.files.last_mut().unwrap();
            content.push_str(line);
            content.push('\n');
            if std::path::Path::new(path).extension().is_some_and(|extension| extension == "yaml")
                && is_service(content)
            {
                content.push_str("    x-tidegate: { gate: { stable: 0s } }\n");
            }
        }
    }
    cases
}

fn obey(case: &mut Case, order: &str) {
    let (word, rest) = order.split_once(' ').unwrap_or((order, ""));
    match word {
        "only" => case.only = Some(rest.to_owned()),
        "later" => case.later = Some(rest.to_owned()),
        "whole" => case.whole = Whole::Yes,
        "network" => case.networks.push(rest.to_owned()),
        "volume" => case.volumes.push(rest.to_owned()),
        "variable" => {
            let (name, value) = rest.split_once('=').unwrap();
            case.variables.push((name.to_owned(), value.to_owned()));
        }
        _ => panic!("projects.txt: {}: !{order}", case.name),
    }
}

/// Whether the last line opens a service: `  name:` below `services:`.
fn is_service(content: &str) -> bool {
    let section = content.lines().rev().find(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
    let last = content.lines().last().unwrap_or_default();
    section == Some("services:") && last.starts_with("  ") && !last.starts_with("   ") && last.ends_with(':')
}
