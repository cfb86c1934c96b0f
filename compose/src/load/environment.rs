//! Fills `env_file` into `environment` and `label_file` into `labels`.

use std::collections::BTreeMap;

use super::Extent;
use super::interpolate::Variables;
use super::reader::{EnvFormat, Reader};
use super::template::Lookup;
use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::model::{Declared, EnvFile, Project, Service};
use crate::node::{Map, Position};
use crate::problem::{Problem, Stage};
use crate::source::FileKind;

/// Reads the files of all enabled services.
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    (project, tree): (&mut Project, &Map),
    extent: Extent,
) -> Stage<()> {
    let variables = project.environment.clone();
    let mut problems = Vec::new();
    for (name, service) in &mut project.services {
        let node = tree.get("services").and_then(|services| services.get(name));
        let at =
            |key: &str| node.and_then(|node| node.get(key)).map_or_else(Position::nowhere, |node| node.key);
        let mut resolver = Resolver { reader, variables: &variables, name, extent };
        let done = resolver.variables(service, at("env_file"));
        problems.extend(
            done.and_then(|()| resolver.labels(service, at("label_file"))).err().into_iter().flatten(),
        );
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

struct Resolver<'r, 'a> {
    reader: &'r mut Reader<'a>,
    variables: &'r BTreeMap<String, String>,
    name: &'r str,
    extent: Extent,
}

/// Answers from two maps, one after the other.
struct Two<'a> {
    first: Variables<'a>,
    second: &'a BTreeMap<String, String>,
}

impl Lookup for Two<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.first.get(name).or_else(|| self.second.get(name).cloned())
    }
    fn unset(&self, name: &str) {
        self.first.unset(name);
    }
}

impl Resolver<'_, '_> {
    fn variables(&mut self, service: &mut Service, at: Position) -> Stage<()> {
        let given = |environment: &BTreeMap<String, Option<String>>| -> BTreeMap<String, String> {
            let set = environment.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?)));
            set.collect()
        };
        if !service.env_file.is_empty() {
            service.declared = Declared::of(service);
        }
        if self.extent == Extent::Names {
            service.env_file.clear();
        }
        for (name, value) in &mut service.environment {
            if value.is_none() {
                *value = self.variables.get(name).cloned();
            }
        }
        let own = given(&service.environment);
        let old = self.reader.compat == Compatibility::V2_26;
        let mut values = if old { BTreeMap::new() } else { own.clone() };
        for file in std::mem::take(&mut service.env_file) {
            let before = values.clone();
            let second = if old { &before } else { &own };
            self.env_file(&file, (at, second), &mut values)?;
        }
        let mut merged: BTreeMap<String, Option<String>> =
            values.into_iter().map(|(name, value)| (name, Some(value))).collect();
        merged.extend(std::mem::take(&mut service.environment));
        service.environment = merged;
        Ok(())
    }

    fn env_file(
        &mut self,
        file: &EnvFile,
        (at, second): (Position, &BTreeMap<String, String>),
        values: &mut BTreeMap<String, String>,
    ) -> Stage<()> {
        let path = format!("services.{}.env_file", self.name);
        let old = self.reader.compat == Compatibility::V2_26;
        if self.reader.source.kind(&file.path) == FileKind::Absent {
            if !file.required {
                return Ok(());
            }
            let hint = Some("create it, or write `required: false`".to_owned());
            let message = format!("there is no env file {}", file.path);
            return Err(Problem::new(ErrorClass::MissingFile, at, message).path(path).hint(hint).into());
        }
        let format = match file.format.as_str() {
            "" => EnvFormat::Quoted,
            ".env" if !old => EnvFormat::Quoted,
            "raw" if !old => EnvFormat::Raw,
            other => {
                let message = format!("env file format {other:?} is not known");
                let hint = Some("leave it out, or write `raw`".to_owned());
                return Err(Problem::new(ErrorClass::EnvFile, at, message).path(path).hint(hint).into());
            }
        };
        self.read(&file.path, format, (second, old), values)
    }

    fn read(
        &mut self,
        path: &str,
        format: EnvFormat,
        (second, old): (&BTreeMap<String, String>, bool),
        values: &mut BTreeMap<String, String>,
    ) -> Stage<()> {
        let used = self.reader.used.clone();
        self.reader.sources.insert(path.to_owned());
        let first = if old { second } else { self.variables };
        let then = if old { self.variables } else { second };
        let lookup = Two { first: Variables::new(first, &used), second: then };
        let read = self.reader.env_file(path, format, (&lookup, values));
        self.reader.tell_unset(lookup.first.unset.into_inner());
        self.reader.used.borrow_mut().extend(used.into_inner());
        read
    }

    fn labels(&mut self, service: &mut Service, at: Position) -> Stage<()> {
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for path in &service.label_file {
            if self.reader.source.kind(path) == FileKind::Absent {
                let message = format!("there is no label file {path}");
                let problem = Problem::new(ErrorClass::MissingFile, at, message);
                return Err(problem.path(format!("services.{}.label_file", self.name)).into());
            }
            let used = self.reader.used.clone();
            self.reader.sources.insert(path.clone());
            let before = labels.clone();
            let lookup = Variables::new(&before, &used);
            self.reader.env_file(path, EnvFormat::Quoted, (&lookup, &mut labels))?;
            self.reader.tell_unset(lookup.unset.into_inner());
        }
        labels.extend(std::mem::take(&mut service.labels));
        service.labels = labels;
        Ok(())
    }
}
