//! `extends`: a service takes over what another one says, of this file or of another one.
//!
//! The base is resolved first, to any depth; circles are found by the pair of file and service.

use super::merge::Merger;
use super::reader::{Depth, Reader, Resets, Scope, reset};
use crate::error::ErrorClass;
use crate::files::nearest;
use crate::names::join_path;
use crate::node::{Map, Node, Position, Value};
use crate::problem::{Problem, Stage};

/// The services that are being resolved, outermost first.
type Chain = Vec<(String, String)>;

/// The longest chain of services that extend each other.
const MAX_CHAIN: usize = 100;

/// Resolves `extends` of all services of a file.
pub(super) fn apply(reader: &mut Reader<'_>, root: &mut Map, (path, scope): (&str, &Scope), resets: &Resets) {
    let Some(node) = root.get_mut("services") else {
        return;
    };
    let Some(services) = node.as_map_mut() else {
        let message = format!("expected a mapping, found {}", node.kind());
        let problem = Problem::new(ErrorClass::Schema, node.at, message).path("services");
        reader.findings.take_out(problem.into(), root);
        return;
    };
    let names: Vec<String> = services.keys().cloned().collect();
    for name in names {
        let mut resolver = Resolver { reader: &mut *reader, path, scope };
        match resolver.service(&name, services, &Chain::new(), resets) {
            Ok(merged) => {
                if let Some(merged) = merged {
                    services.insert(name, merged);
                }
            }
            Err(found) => {
                reader.findings.add(found);
                reader.findings.damage.service(&name);
                without_base(services, &name);
            }
        }
        if reader.findings.is_full() {
            break;
        }
    }
}

/// Leaves a service with what it says itself.
fn without_base(services: &mut Map, name: &str) {
    let Some(node) = services.get_mut(name) else { return };
    match node.as_map_mut() {
        Some(map) => {
            map.shift_remove("extends");
        }
        None => node.value = Value::Null,
    }
}

struct Resolver<'r, 'a> {
    reader: &'r mut Reader<'a>,
    path: &'r str,
    scope: &'r Scope,
}

impl Resolver<'_, '_> {
    /// The service with what it extends below it; none when there is nothing to change.
    fn service(
        &mut self,
        name: &str,
        services: &mut Map,
        chain: &Chain,
        resets: &Resets,
    ) -> Stage<Option<Node>> {
        let Some(node) = services.get(name) else {
            return Ok(None);
        };
        let map = match &node.value {
            Value::Null => return Ok(None),
            Value::Map(map) => map,
            _ => {
                let message = format!("expected a mapping, found {}", node.kind());
                let problem = Problem::new(ErrorClass::Schema, node.at, message);
                return Err(problem.path(format!("services.{name}")).into());
            }
        };
        let Some(extends) = map.get("extends") else {
            return Ok(None);
        };
        let target = target(name, extends)?;
        let service = node.clone();
        let at = extends.at;
        let base = if let Some(file) = &target.file {
            let (mut others, resets) = self.file(name, &target, (file, at))?;
            let chain = extend(chain, (file, name), at)?;
            let merged = self.service(&target.service, &mut others, &chain, &resets)?;
            merged.or_else(|| others.get(&target.service).cloned())
        } else {
            if !services.contains_key(&target.service) {
                return Err(missing(name, &target.service, (services, at)).into());
            }
            let chain = extend(chain, (self.path, name), at)?;
            let merged = self.service(&target.service, services, &chain, resets)?;
            if let Some(merged) = merged {
                services.insert(target.service.clone(), merged);
            }
            services.get(&target.service).cloned()
        };
        let damage = &mut self.reader.findings.damage;
        if damage.entry("services", &target.service) {
            damage.service(name);
        }
        Ok(Some(self.over(base, service, (name, resets))))
    }

    fn over(&mut self, base: Option<Node>, service: Node, (name, resets): (&str, &Resets)) -> Node {
        let mut merged = match base.filter(|base| !base.is_null()) {
            None => service,
            Some(base) => {
                let of_service = |path: &Vec<String>| match path.as_slice() {
                    [first, second, rest @ ..] if first == "services" && second == name => {
                        Some(rest.to_vec())
                    }
                    _ => None,
                };
                let resets: Resets = resets.iter().filter_map(of_service).collect();
                let mut base = base;
                if let Some(map) = base.as_map_mut() {
                    reset(map, &resets);
                }
                let mut merger = Merger::at_service(self.reader.compat);
                let merged = merger.merge(base, service);
                self.reader.findings.add(merger.problems);
                merged
            }
        };
        if let Some(map) = merged.as_map_mut() {
            map.shift_remove("extends");
        }
        merged
    }

    /// The services of another file, with paths as seen from here.
    fn file(&mut self, name: &str, target: &Target, (file, at): (&str, Position)) -> Stage<(Map, Resets)> {
        let directory = &self.scope.directory;
        let local = join_path(directory, file);
        let working = self.reader.relative_directory(directory, file);
        let scope = Scope {
            working: working.clone(),
            directory: crate::names::parent_path(&local),
            environment: self.scope.environment.clone(),
        };
        if self.reader.source.kind(&local) != crate::source::FileKind::File {
            let message = format!("there is no file {local}");
            let problem = Problem::new(ErrorClass::MissingFile, at, message);
            return Err(problem.path(format!("services.{name}.extends")).into());
        }
        let (mut tree, resets) = self.reader.file(&local, &scope, (Depth::Extended, &[]), Map::new());
        let fail = |message: String| {
            let problem = Problem::new(ErrorClass::Extends, at, message);
            problem.path(format!("services.{name}.extends"))
        };
        let services = tree.get("services").map(|node| node.as_map().is_some());
        match services {
            Some(true) => {}
            Some(false) => return Err(fail(format!("`services` of {file} is not a mapping")).into()),
            None => return Err(fail(format!("{file} has no services")).into()),
        }
        self.reader.resolve_paths(&mut tree, &working);
        let services = match tree.shift_remove("services").map(|node| node.value) {
            Some(Value::Map(services)) => services,
            _ => Map::new(),
        };
        if !services.contains_key(&target.service) {
            return Err(missing(name, &target.service, (&services, at)).into());
        }
        Ok((services, resets))
    }
}

struct Target {
    service: String,
    file: Option<String>,
}

fn target(name: &str, extends: &Node) -> Result<Target, Problem> {
    let text = |key: &str| extends.get(key).and_then(Node::as_str).map(str::to_owned);
    let service = match &extends.value {
        Value::Str(service) => Some(service.clone()),
        _ => text("service"),
    };
    let file = text("file");
    service.map(|service| Target { service, file }).ok_or_else(|| {
        let message = "name the service to extend with `service:`";
        let problem = Problem::new(ErrorClass::Extends, extends.at, message);
        problem.path(format!("services.{name}.extends"))
    })
}

fn missing(name: &str, wanted: &str, (services, at): (&Map, Position)) -> Problem {
    let near = nearest(wanted, services.keys().map(String::as_str));
    let message = format!("there is no service `{wanted}` to extend");
    Problem::new(ErrorClass::Extends, at, message)
        .path(format!("services.{name}.extends"))
        .hint(near.map(|near| format!("did you mean `{near}`?")))
}

fn extend(chain: &Chain, (file, service): (&str, &str), at: Position) -> Result<Chain, Problem> {
    let link = (file.to_owned(), service.to_owned());
    let again = chain.contains(&link);
    let mut chain = chain.clone();
    chain.push(link);
    if again {
        let names: Vec<&str> = chain.iter().map(|(_, service)| service.as_str()).collect();
        let message = format!("services extend each other in a circle: {}", names.join(" -> "));
        return Err(Problem::new(ErrorClass::Extends, at, message));
    }
    if chain.len() > MAX_CHAIN {
        let message = format!("more than {MAX_CHAIN} services extend each other");
        return Err(Problem::new(ErrorClass::Extends, at, message));
    }
    Ok(chain)
}
