//! Reads files into one merged tree: documents, interpolation, extends, include, merge, schema, long forms.
//!
//! Owns the order in which docker compose does these, per document and per file.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::canonical::Canonical;
use super::defaults;
use super::dotenv;
use super::extends;
use super::findings::Findings;
use super::include;
use super::interpolate::{Interpolation, Variables};
use super::merge::Merger;
use super::paths::Paths;
use super::{schema, unique, yaml};
use crate::compat::Compatibility;
use crate::error::{ErrorClass, Warning};
use crate::files::FileTable;
use crate::names::{join_path, parent_path};
use crate::node::{FileId, Map, Node, Position, Value};
use crate::problem::{Problem, Stage};
use crate::source::{FileKind, FileSource, SourceError};

/// Where a set of files is read: its directories and variables.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// Against what its paths are resolved; relative for included and extended files.
    pub working: String,
    /// Where its files lie, absolute.
    pub directory: String,
    /// Its variables.
    pub environment: BTreeMap<String, String>,
}

/// How much is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything.
    Whole,
    /// Only its own services, raw: it is extended.
    Extended,
}

/// A tree and the paths its last document resets.
pub(super) type Resets = Vec<Vec<String>>;

/// The state of a load.
pub(super) struct Reader<'a> {
    pub source: &'a dyn FileSource,
    pub compat: Compatibility,
    pub home: Option<String>,
    pub table: FileTable,
    pub warnings: Vec<Warning>,
    pub sources: BTreeSet<String>,
    pub used: RefCell<BTreeSet<String>>,
    /// Where variables were filled in.
    pub filled: BTreeSet<Position>,
    /// What is wrong so far.
    pub findings: Findings,
    parsed: HashMap<String, yaml::Text>,
    nodes: usize,
    ports: usize,
    /// Bytes of source files read so far.
    read: usize,
}

/// The most bytes of source files of a load, a file counted each time that it is included or extended.
const MAX_BYTES: usize = 32 << 20;

impl<'a> Reader<'a> {
    pub fn new(source: &'a dyn FileSource, compat: Compatibility, home: Option<String>) -> Self {
        Self {
            source,
            compat,
            home,
            table: FileTable::default(),
            warnings: Vec::new(),
            sources: BTreeSet::new(),
            used: RefCell::default(),
            filled: BTreeSet::new(),
            findings: Findings::default(),
            parsed: HashMap::new(),
            nodes: 0,
            ports: 0,
            read: 0,
        }
    }

    /// Reads a source file.
    pub fn text(&mut self, path: &str, from: Option<Position>) -> Stage<(FileId, String)> {
        let text = self.bytes(path, from)?;
        self.read = self.read.saturating_add(text.len());
        if self.read > MAX_BYTES {
            let message =
                format!("the files are more than {} MiB together, each time they are read", MAX_BYTES >> 20);
            return Err(
                Problem::new(ErrorClass::Yaml, from.unwrap_or_else(Position::nowhere), message).into()
            );
        }
        self.sources.insert(path.to_owned());
        let Ok(text) = String::from_utf8(text) else {
            let id = self.table.add(path, "");
            let at = from.unwrap_or(Position { file: id, line: 0, column: 0 });
            return Err(Problem::new(ErrorClass::Yaml, at, format!("{path} is not UTF-8 text")).into());
        };
        Ok((self.table.add(path, &text), text))
    }

    fn bytes(&self, path: &str, from: Option<Position>) -> Stage<Vec<u8>> {
        self.source.read(path).map_err(|error| {
            let at = from.unwrap_or_else(Position::nowhere);
            let class = match error {
                SourceError::TooLarge { .. } => ErrorClass::Yaml,
                _ => ErrorClass::MissingFile,
            };
            Problem::new(class, at, error.to_string()).into()
        })
    }

    /// Reads an env file into `vars`. Its lines are never shown: they may be secret.
    pub fn env_file(
        &mut self,
        path: &str,
        format: EnvFormat,
        (outer, vars): (&dyn super::template::Lookup, &mut BTreeMap<String, String>),
    ) -> Stage<()> {
        let bytes = self.bytes(path, None)?;
        let text = String::from_utf8_lossy(&bytes);
        let read = match format {
            EnvFormat::Quoted => dotenv::parse(&text, outer, vars),
            EnvFormat::Raw => dotenv::parse_raw(&text, outer, vars),
        };
        read.map_err(|error| {
            let file = self.table.add(path, "");
            let at = Position { file, line: error.line, column: 1 };
            Problem::new(ErrorClass::EnvFile, at, error.message).into()
        })
    }

    fn parse(&mut self, path: &str) -> yaml::Text {
        match self.text(path, None) {
            Ok((id, text)) => yaml::read(&text, id, &mut self.nodes),
            Err(problems) => yaml::Text { problems, ..yaml::Text::default() },
        }
    }

    /// The documents of a file, kept until the file is read.
    pub fn documents(&mut self, path: &str) -> &[yaml::Document] {
        if !self.parsed.contains_key(path) {
            let text = self.parse(path);
            self.parsed.insert(path.to_owned(), text);
        }
        self.parsed.get(path).map(|text| text.documents.as_slice()).unwrap_or_default()
    }

    /// Reads files, sets defaults, checks single attributes and resolves paths.
    pub fn model(&mut self, files: &[String], scope: &Scope, included: &[String]) -> Map {
        let mut tree = Map::new();
        for file in files {
            (tree, _) = self.file(file, scope, (Depth::Whole, included), tree);
            if self.findings.is_full() {
                return tree;
            }
        }
        defaults::set(&mut tree);
        let found = defaults::check(&tree, self.compat);
        self.findings.take_out(found, &mut tree);
        self.resolve_paths(&mut tree, &scope.working);
        let used = &self.used;
        let get = defaults::from_map(&scope.environment);
        defaults::resolve_environment(&mut tree, &|name| {
            used.borrow_mut().insert(name.to_owned());
            get(name)
        });
        tree
    }

    pub fn resolve_paths(&mut self, tree: &mut Map, base: &str) {
        let mut paths = Paths { base, home: self.home.as_deref(), problems: Vec::new() };
        paths.project(tree);
        self.findings.take_out(paths.problems, tree);
    }

    /// Merges a file over a tree.
    pub fn file(
        &mut self,
        path: &str,
        scope: &Scope,
        (depth, included): (Depth, &[String]),
        mut tree: Map,
    ) -> (Map, Resets) {
        let text = self.parsed.remove(path);
        let text = text.unwrap_or_else(|| self.parse(path));
        self.findings.add(text.problems);
        self.findings.damage.incomplete |= !text.whole;
        let mut resets = Resets::new();
        for document in text.documents {
            if self.findings.is_full() {
                break;
            }
            let at = document.root.at;
            let Value::Map(mut root) = document.root.value else {
                let message = "the top level must be a mapping with `services:` and the like";
                self.findings.add(Problem::new(ErrorClass::Schema, at, message).into());
                self.findings.damage.incomplete = true;
                continue;
            };
            self.interpolate(&mut root, scope);
            resets = document.resets;
            if depth == Depth::Whole {
                extends::apply(self, &mut root, (path, scope), &resets);
            }
            reset(&mut tree, &resets);
            if depth == Depth::Whole {
                let mut chain = included.to_vec();
                chain.push(path.to_owned());
                include::apply(self, &mut root, scope, &chain);
            }
            tree = self.combine(tree, root, (depth, at));
        }
        (tree, resets)
    }

    fn combine(&mut self, tree: Map, root: Map, (depth, at): (Depth, Position)) -> Map {
        let mut merger = Merger::new(self.compat);
        let merged = merger.merge(Node::new(Value::Map(tree), at), Node::new(Value::Map(root), at));
        self.findings.add(merger.problems);
        let Value::Map(mut tree) = merged.value else {
            return Map::new();
        };
        self.distinct(&mut tree);
        if depth == Depth::Whole {
            let found = schema::check(&tree, at, self.compat);
            self.findings.take_out(found, &mut tree);
            if let Some(version) = tree.shift_remove("version") {
                let message = "the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion";
                self.warnings.push(self.table.warning(version.key, message.to_owned()));
            }
        }
        let mut canonical = Canonical {
            compat: self.compat,
            problems: Vec::new(),
            ports: &mut self.ports,
            deprecated: Vec::new(),
        };
        canonical.project(&mut tree);
        let (problems, deprecated) = (canonical.problems, canonical.deprecated);
        for (message, at) in deprecated {
            self.warnings.push(self.table.warning(at, message));
        }
        self.findings.take_out(problems, &mut tree);
        self.distinct(&mut tree);
        tree
    }

    fn distinct(&mut self, tree: &mut Map) {
        let found = unique::enforce(tree, self.compat);
        self.findings.take_out(found, tree);
    }

    fn interpolate(&mut self, root: &mut Map, scope: &Scope) {
        let used = std::mem::take(&mut self.used);
        let variables = Variables::new(&scope.environment, &used);
        let mut walk = Interpolation {
            variables: &variables,
            compat: self.compat,
            problems: Vec::new(),
            filled: Vec::new(),
            old_booleans: Vec::new(),
        };
        walk.project(root);
        let Interpolation { problems, filled, old_booleans, .. } = walk;
        self.filled.extend(filled);
        let unset = variables.unset.into_inner();
        self.tell_unset(unset);
        for (text, at) in old_booleans {
            let meant = if crate::model::boolean(&text) == Some(true) { "true" } else { "false" };
            let message = format!("{text:?} for boolean is not supported by YAML 1.2, please use `{meant}`");
            self.warnings.push(self.table.warning(at, message));
        }
        self.used = used;
        self.findings.take_out(problems, root);
    }

    /// Warns of variables that were filled in as empty.
    pub fn tell_unset(&mut self, unset: Vec<(String, Position)>) {
        for (name, at) in unset {
            let message = format!("The {name:?} variable is not set. Defaulting to a blank string.");
            self.warnings.push(self.table.warning(at, message));
        }
    }

    /// The directory of a file as seen from `base`, relative.
    pub fn relative_directory(&self, base: &str, path: &str) -> String {
        let whole = join_path(base, path);
        let directory = match self.source.kind(&whole) {
            FileKind::Directory => whole,
            _ => parent_path(&whole),
        };
        relative(base, &directory)
    }
}

/// How an env file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EnvFormat {
    /// With quotes, escapes and variables.
    Quoted,
    /// Plain lines.
    Raw,
}

impl Position {
    /// Written nowhere.
    pub(crate) fn nowhere() -> Self {
        Self { file: FileId(u32::MAX), line: 0, column: 0 }
    }
}

/// Deletes the paths that a document resets from what came before it.
pub(super) fn reset(tree: &mut Map, resets: &Resets) {
    for path in resets {
        let Some((last, steps)) = path.split_last() else {
            continue;
        };
        let mut map = Some(&mut *tree);
        for step in steps {
            map = map.and_then(|map| map.get_mut(step)).and_then(Node::as_map_mut);
        }
        if let Some(map) = map {
            map.shift_remove(last);
        }
    }
}

/// The way from one absolute directory to another.
fn relative(base: &str, target: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (from, to) = (parts(base), parts(target));
    let common = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - common);
    let steps: Vec<String> = up.chain(to.into_iter().skip(common)).collect();
    if steps.is_empty() { ".".to_owned() } else { steps.join("/") }
}
