//! The services that were asked for by name: enabled with their profiles, and kept with what they need.

use std::collections::BTreeSet;

use super::select_profiles;
use crate::error::ErrorClass;
use crate::files::nearest;
use crate::model::Project;
use crate::node::{Map, Node, Position};
use crate::problem::{Problem, Stage, none_of};

/// Enables the profiles of services that are asked for and not enabled yet.
pub(super) fn enable(project: &mut Project, names: &[String]) {
    let asked = names.iter().filter_map(|name| project.disabled_services.get(name));
    let profiles: Vec<String> = asked.flat_map(|service| service.profiles.clone()).collect();
    if profiles.is_empty() {
        return;
    }
    let before = project.profiles.clone();
    project.profiles.extend(profiles);
    let off = std::mem::take(&mut project.disabled_services);
    project.services.extend(off);
    select_profiles(project);
    project.profiles = before;
}

/// Keeps the services asked for and those that they depend on.
pub(super) fn restrict(project: &mut Project, names: &[String], tree: &Map) -> Stage<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut problems = Vec::new();
    let mut kept: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = names.to_vec();
    while let Some(name) = open.pop() {
        let Some(service) = project.services.get(&name) else {
            problems.push(unknown(project, &name));
            continue;
        };
        if !kept.insert(name.clone()) {
            continue;
        }
        for (needed, dependency) in &service.depends_on {
            if project.services.contains_key(needed) {
                open.push(needed.clone());
            } else if dependency.required {
                problems.push(disabled((&name, needed), project, tree));
            }
        }
    }
    none_of(problems)?;
    let (on, off) =
        std::mem::take(&mut project.services).into_iter().partition(|(name, _)| kept.contains(name));
    project.services = on;
    project.disabled_services.extend(off);
    for service in project.services.values_mut() {
        service.depends_on.retain(|name, _| kept.contains(name));
    }
    Ok(())
}

fn unknown(project: &Project, name: &str) -> Problem {
    let known = project.services.keys().chain(project.disabled_services.keys()).map(String::as_str);
    let hint = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
    let message = format!("there is no service {name:?}");
    Problem::new(ErrorClass::Consistency, Position::nowhere(), message).hint(hint)
}

fn disabled((name, needed): (&str, &str), project: &Project, tree: &Map) -> Problem {
    let node = tree.get("services").and_then(|services| services.get(name)?.get("depends_on"));
    let at = node
        .and_then(|node| node.get(needed))
        .or(node)
        .map_or_else(Position::nowhere, |node: &Node| node.key);
    let message = format!("{needed:?} is needed by {name:?} and enabled by no profile");
    let profiles = project.disabled_services.get(needed).and_then(|service| service.profiles.first());
    let hint = profiles.map(|profile| format!("name it too, or give --profile {profile}"));
    Problem::new(ErrorClass::Consistency, at, message).path(format!("services.{name}.depends_on")).hint(hint)
}
