//! What a load starts from: files, project directory, variables, name and profiles.
//!
//! Owns the precedence of options, variables, `.env` and file contents that docker compose has.

use std::collections::BTreeMap;

use super::LoadOptions;
use super::interpolate::Variables;
use super::reader::{EnvFormat, Reader};
use super::template;
use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::model::scalar_text;
use crate::names::{append_path, base_name, join_path, normalize_project, parent_path};
use crate::node::Position;
use crate::problem::{Problem, Stage, none_of};
use crate::source::FileKind;

const FILES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: &[&str] = &[
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// What a load starts from.
pub(super) struct Setting {
    pub name: String,
    pub project_directory: String,
    pub compose_files: Vec<String>,
    pub given_env_files: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub profiles: Vec<String>,
}

impl Setting {
    /// Finds it all out.
    pub fn find(reader: &mut Reader<'_>, options: &LoadOptions) -> Stage<Self> {
        let current = options.working_directory.as_str();
        let mut environment = options.environment.clone();
        if options.compatibility == Compatibility::V2_40 {
            environment.entry("PWD".to_owned()).or_insert_with(|| current.to_owned());
        }
        let given_env_files = given_env_files(options, &environment);
        let explicit: Vec<String> =
            options.compose_files.iter().map(|path| join_path(current, path)).collect();
        let directory = options.project_directory.as_deref().map(|path| join_path(current, path));
        let first = directory
            .clone()
            .or_else(|| explicit.first().map(|path| parent_path(path)))
            .or_else(|| directory_of_listed(options))
            .unwrap_or_else(|| current.to_owned());
        let mut env = Env { reader, options, given: &given_env_files };
        env.read(&first, &mut environment)?;
        let compose_files = compose_files(env.reader, (explicit, &environment), (current, &first))?;
        let project_directory = directory
            .or_else(|| compose_files.first().map(|path| parent_path(path)))
            .unwrap_or_else(|| current.to_owned());
        if project_directory != first {
            env.read(&project_directory, &mut environment)?;
        }
        let profiles = profiles(options, &environment);
        let name = name(reader, options, (&project_directory, &compose_files, &environment));
        environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
        Ok(Self { name, project_directory, compose_files, given_env_files, environment, profiles })
    }
}

fn given_env_files(options: &LoadOptions, environment: &BTreeMap<String, String>) -> Vec<String> {
    let mut files = options.env_files.clone();
    if files.is_empty()
        && let Some(list) = environment.get("COMPOSE_ENV_FILES").filter(|list| !list.is_empty())
    {
        files = list.split(',').map(str::to_owned).collect();
    }
    files.iter().map(|path| join_path(&options.working_directory, path)).collect()
}

fn profiles(options: &LoadOptions, environment: &BTreeMap<String, String>) -> Vec<String> {
    if !options.profiles.is_empty() {
        return options.profiles.clone();
    }
    let listed = environment.get("COMPOSE_PROFILES").map(String::as_str).unwrap_or_default();
    // Without any it is the one with the empty name, as in the original; services can have that too.
    listed.split(',').map(|name| name.trim().to_owned()).collect()
}

struct Env<'e, 'r, 'a> {
    reader: &'r mut Reader<'a>,
    options: &'e LoadOptions,
    given: &'e [String],
}

impl Env<'_, '_, '_> {
    /// Adds the variables of the given env files, else of `.env` in a directory, below those that are there.
    fn read(&mut self, directory: &str, environment: &mut BTreeMap<String, String>) -> Stage<()> {
        let mut paths: Vec<String> = self.given.to_vec();
        let wrong = paths.iter().filter_map(|path| match self.reader.source.kind(path) {
            FileKind::File => None,
            FileKind::Directory => Some(format!("{path} is a directory, not an env file")),
            FileKind::Absent => Some(format!("there is no env file {path}")),
        });
        let problem = |message| Problem::new(ErrorClass::MissingFile, Position::nowhere(), message);
        none_of(wrong.map(problem).collect())?;
        let disabled = self.options.environment.get("COMPOSE_DISABLE_ENV_FILE");
        let disabled =
            disabled.is_some_and(|text| matches!(text.as_str(), "1" | "t" | "true" | "TRUE" | "True" | "T"));
        if paths.is_empty() && !disabled {
            let path = append_path(directory, ".env");
            if self.reader.source.kind(&path) == FileKind::File {
                paths.push(path);
            }
        }
        let used = std::cell::RefCell::default();
        let mut values = BTreeMap::new();
        for path in paths {
            let lookup = Variables::new(environment, &used);
            self.reader.env_file(&path, EnvFormat::Quoted, (&lookup, &mut values))?;
            self.reader.tell_unset(lookup.unset.into_inner());
        }
        values.retain(|name, _| !environment.contains_key(name));
        for (name, value) in &values {
            self.settable(name, value)?;
        }
        environment.append(&mut values);
        Ok(())
    }

    /// 2.26 makes each of them a variable of its own process, which not every text can be.
    fn settable(&self, name: &str, value: &str) -> Stage<()> {
        if self.options.compatibility != Compatibility::V2_26
            || (!name.is_empty() && !name.contains('\0') && !value.contains('\0'))
        {
            return Ok(());
        }
        let message = format!("an env file has a line without a name, or a NUL byte in {name:?}");
        Err(Problem::new(ErrorClass::EnvFile, Position::nowhere(), message).into())
    }
}

/// The paths in `COMPOSE_FILE`.
fn listed<'l>(list: &'l str, environment: &'l BTreeMap<String, String>) -> impl Iterator<Item = &'l str> {
    let separator = environment.get("COMPOSE_PATH_SEPARATOR").filter(|text| !text.is_empty());
    list.split(separator.map_or(":", String::as_str))
}

/// In 2.26 the caller's own `COMPOSE_FILE` says where `.env` is looked for, as `-f` does.
fn directory_of_listed(options: &LoadOptions) -> Option<String> {
    let list = options.environment.get("COMPOSE_FILE").filter(|list| !list.is_empty())?;
    let first = listed(list, &options.environment).next()?;
    let old = options.compatibility == Compatibility::V2_26;
    old.then(|| parent_path(&join_path(&options.working_directory, first)))
}

fn compose_files(
    reader: &mut Reader<'_>,
    (explicit, environment): (Vec<String>, &BTreeMap<String, String>),
    (current, start): (&str, &str),
) -> Stage<Vec<String>> {
    let missing = |path: &str| {
        Problem::new(ErrorClass::MissingFile, Position::nowhere(), format!("there is no file {path}"))
    };
    let mut files = explicit;
    if files.is_empty()
        && let Some(list) = environment.get("COMPOSE_FILE")
    {
        files = listed(list, environment).map(|path| join_path(current, path)).collect();
    }
    if files.is_empty() {
        files = default_files(reader, start);
    }
    if files.is_empty() {
        let message = format!("there is no compose file in {start} or above it; it is named compose.yaml");
        let problem = Problem::new(ErrorClass::MissingFile, Position::nowhere(), message);
        return Err(problem.hint(Some("name it with -f".to_owned())).into());
    }
    let (present, absent): (Vec<String>, Vec<String>) =
        files.into_iter().partition(|path| reader.source.kind(path) == FileKind::File);
    if !absent.is_empty() {
        // What the others say is looked at all the same.
        reader.findings.damage.incomplete = true;
        reader.findings.add(absent.iter().map(|path| missing(path)).collect());
    }
    Ok(present)
}

/// The first of the usual names in a directory or above it, with the first of the usual overrides beside it.
fn default_files(reader: &Reader<'_>, start: &str) -> Vec<String> {
    let mut directory = start.to_owned();
    loop {
        let found = |names: &[&str]| {
            let paths = names.iter().map(|name| append_path(&directory, name));
            paths.into_iter().find(|path| reader.source.kind(path) == FileKind::File)
        };
        if let Some(file) = found(FILES) {
            return std::iter::once(file).chain(found(OVERRIDES)).collect();
        }
        let parent = parent_path(&directory);
        if parent == directory || directory == "." {
            return Vec::new();
        }
        directory = parent;
    }
}

fn name(
    reader: &mut Reader<'_>,
    options: &LoadOptions,
    (directory, files, environment): (&str, &[String], &BTreeMap<String, String>),
) -> String {
    let variable = environment.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty());
    let given = options.project_name.as_ref().filter(|name| !name.is_empty()).or(variable);
    let written = written_name(reader, files);
    if let Some(name) = given {
        let normal = normalize_project(name);
        if normal == *name {
            return normal;
        }
        let message = format!(
            "invalid project name {name:?}: it consists of lower-case letters, digits, `-` and `_`, and starts with a letter or digit"
        );
        let hint = Some(format!("write {normal:?}"));
        let problem = Problem::new(ErrorClass::ProjectName, Position::nowhere(), message);
        reader.findings.add(vec![problem.hint(hint)]);
        return normal;
    }
    let name = match &written {
        Some((text, at)) => {
            let used = std::cell::RefCell::default();
            let lookup = Variables::new(environment, &used);
            let filled = match template::substitute(text, &lookup) {
                Ok(filled) => filled,
                Err(error) => {
                    let problem = Problem::new(ErrorClass::Interpolation, *at, error.to_string());
                    reader.findings.add(vec![problem.path("name")]);
                    return base_name(directory).to_owned();
                }
            };
            reader.used.borrow_mut().extend(used.into_inner());
            normalize_project(&filled)
        }
        None => normalize_project(base_name(directory)),
    };
    if name.is_empty() {
        let at = written.map_or_else(Position::nowhere, |(_, at)| at);
        let problem = Problem::new(ErrorClass::ProjectName, at, "the project name is empty");
        let hint = Some("give one with `name:` or --project-name".to_owned());
        reader.findings.add(vec![problem.hint(hint)]);
    }
    name
}

/// The last `name:` of all files and documents.
fn written_name(reader: &mut Reader<'_>, files: &[String]) -> Option<(String, Position)> {
    let mut name = None;
    for path in files {
        for document in reader.documents(path) {
            let node = document.root.get("name");
            let text = node.and_then(|node| Some((scalar_text(node)?, node.at)));
            name = text.filter(|(text, _)| !text.is_empty()).or(name);
        }
    }
    name
}
