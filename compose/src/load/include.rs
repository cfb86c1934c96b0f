//! `include`: other projects whose resources are taken over, each with its own paths and variables.

use super::interpolate::Variables;
use super::reader::{EnvFormat, Reader, Scope};
use crate::error::ErrorClass;
use crate::names::{append_path, join_path, parent_path};
use crate::node::{Map, Node, Position, Value};
use crate::problem::{Problem, Stage};
use crate::source::FileKind;

/// The sections whose entries are taken over.
const SECTIONS: &[&str] = &["services", "volumes", "networks", "secrets", "configs", "models"];

/// The deepest nesting of includes.
const MAX_CHAIN: usize = 50;

struct Include {
    files: Vec<(String, Position)>,
    project_directory: Option<String>,
    env_files: Vec<(String, Position)>,
    at: Position,
}

/// Loads what a file includes and takes it over. `chain` is the file and what included it.
pub(super) fn apply(reader: &mut Reader<'_>, root: &mut Map, scope: &Scope, chain: &[String]) {
    let Some(node) = root.shift_remove("include") else {
        return;
    };
    let (includes, problems) = entries(&node);
    reader.findings.damage.incomplete |= !problems.is_empty();
    reader.findings.add(problems);
    for include in includes {
        if reader.findings.is_full() {
            return;
        }
        match load(reader, &include, scope, chain) {
            Ok(imported) => {
                let problems = take_over(imported, root);
                reader.findings.take_out(problems, root);
            }
            Err(problems) => {
                reader.findings.add(problems);
                reader.findings.damage.incomplete = true;
            }
        }
    }
}

fn load(reader: &mut Reader<'_>, include: &Include, scope: &Scope, chain: &[String]) -> Stage<Map> {
    if chain.len() > MAX_CHAIN {
        let message = format!("files include each other deeper than {MAX_CHAIN} levels");
        return Err(Problem::new(ErrorClass::Include, include.at, message).into());
    }
    let remote = |path: &str| {
        ["oci:", "git@", "https://", "http://", "github.com/", "ssh://"]
            .iter()
            .any(|prefix| path.starts_with(prefix))
    };
    let mut files = Vec::new();
    for (path, at) in &include.files {
        if remote(path) {
            let message = format!("{path} lies on another machine, and tidegate does not fetch it");
            let hint = Some("put a copy beside this file and include that".to_owned());
            return Err(Problem::new(ErrorClass::Include, *at, message).hint(hint).into());
        }
        files.push(join_path(&scope.directory, path));
    }
    let Some((main, (_, at))) = files.first().zip(include.files.first()) else {
        return Ok(Map::new());
    };
    if chain.contains(main) {
        let message = format!("files include each other in a circle: {} -> {main}", chain.join(" -> "));
        return Err(Problem::new(ErrorClass::Include, *at, message).into());
    }
    let (working, directory) = directories(reader, include, (scope, main));
    for (path, (_, at)) in files.iter().zip(&include.files) {
        if reader.source.kind(path) != FileKind::File {
            let message = format!("there is no file {path}");
            return Err(Problem::new(ErrorClass::MissingFile, *at, message).path("include").into());
        }
    }
    let environment = environment(reader, include, (scope, &directory))?;
    let inner = Scope { working, directory, environment };
    Ok(reader.model(&files, &inner, chain))
}

/// The directory that paths are resolved against, relative, and where it lies.
fn directories(reader: &Reader<'_>, include: &Include, (scope, main): (&Scope, &str)) -> (String, String) {
    match include.project_directory.as_deref() {
        None => (reader.relative_directory(&scope.directory, main), parent_path(main)),
        Some(path) if path.starts_with('/') => (path.to_owned(), path.to_owned()),
        Some(path) => (reader.relative_directory(&scope.directory, path), join_path(&base(scope), path)),
    }
}

/// The working directory of a scope, absolute.
fn base(scope: &Scope) -> String {
    if scope.working.starts_with('/') { scope.working.clone() } else { scope.directory.clone() }
}

/// The variables of the including project, and below them those of the included one's env files.
fn environment(
    reader: &mut Reader<'_>,
    include: &Include,
    (scope, directory): (&Scope, &str),
) -> Stage<std::collections::BTreeMap<String, String>> {
    let mut paths = Vec::new();
    if include.env_files.is_empty() {
        let default = append_path(directory, ".env");
        if reader.source.kind(&default) == FileKind::File {
            paths.push(default);
        }
    }
    for (path, at) in &include.env_files {
        let path = join_path(&base(scope), path);
        if reader.source.kind(&path) != FileKind::File {
            let message = format!("there is no env file {path}");
            return Err(Problem::new(ErrorClass::MissingFile, *at, message).path("include").into());
        }
        paths.push(path);
    }
    let mut values = std::collections::BTreeMap::new();
    let used = reader.used.clone();
    for path in paths {
        let lookup = Variables::new(&scope.environment, &used);
        reader.sources.insert(path.clone());
        reader.env_file(&path, EnvFormat::Quoted, (&lookup, &mut values))?;
        reader.tell_unset(lookup.unset.into_inner());
    }
    reader.used.borrow_mut().extend(used.into_inner());
    values.extend(scope.environment.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(values)
}

/// What is included, and what is wrong with the list of it.
fn entries(node: &Node) -> (Vec<Include>, Vec<Problem>) {
    let fail = |class, node: &Node, wanted: &str| {
        let message = format!("expected {wanted}, found {}", node.kind());
        Problem::new(class, node.at, message).path("include")
    };
    let items = match &node.value {
        Value::List(items) => items,
        Value::Null => return (Vec::new(), Vec::new()),
        _ => return (Vec::new(), fail(ErrorClass::Schema, node, "a list of files").into()),
    };
    let (mut includes, mut problems) = (Vec::new(), Vec::new());
    for item in items {
        let texts = |key: &str| -> Vec<(String, Position)> {
            let node = item.get(key);
            let list = node.and_then(Node::as_list).unwrap_or_default();
            let one = node.filter(|node| node.as_str().is_some());
            list.iter().chain(one).filter_map(|n| Some((n.as_str()?.to_owned(), n.at))).collect()
        };
        let files = match &item.value {
            Value::Str(path) => vec![(path.clone(), item.at)],
            Value::Map(_) => texts("path"),
            // As in the original: nothing is included.
            Value::Null => Vec::new(),
            _ => {
                problems.push(fail(ErrorClass::Decode, item, "a path or a mapping with `path`"));
                continue;
            }
        };
        includes.push(Include {
            files,
            project_directory: item
                .get("project_directory")
                .and_then(Node::as_str)
                .filter(|path| !path.is_empty())
                .map(str::to_owned),
            env_files: texts("env_file"),
            at: item.at,
        });
    }
    (includes, problems)
}

/// Copies the sections of an included project. What is there already must say the same: gives where it does not.
fn take_over(imported: Map, root: &mut Map) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (section, node) in imported {
        let Value::Map(entries) = node.value else { continue };
        if !SECTIONS.contains(&section.as_str()) {
            continue;
        }
        let target =
            root.entry(section.clone()).or_insert_with(|| Node::new(Value::Map(Map::new()), node.at));
        let Some(target) = target.as_map_mut() else {
            let message = format!("expected a mapping, found {}", target.kind());
            problems.push(Problem::new(ErrorClass::Schema, target.at, message).path(section));
            continue;
        };
        for (name, entry) in entries {
            match target.get(&name) {
                Some(own) if *own == entry => {}
                Some(own) => {
                    let message = "an included file defines this too, and differently".to_owned();
                    let hint = "rename one of them, or move this one to a file that overrides (compose.override.yaml, -f)";
                    let problem = Problem::new(ErrorClass::Include, own.key, message).about_key();
                    problems.push(problem.path(format!("{section}.{name}")).hint(Some(hint.to_owned())));
                }
                None => {
                    target.insert(name, entry);
                }
            }
        }
    }
    problems
}
