//! The order in which services start, from their dependencies.
//!
//! Pure graph work on names; a cycle is an error that names its members.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Service;

/// Services wait for each other in a circle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dependency cycle detected: {}; remove one of these dependencies", .members.join(" -> "))]
pub struct CycleError {
    /// The services of the cycle, the first one repeated at the end.
    pub members: Vec<String>,
}

/// The services in groups: each group depends only on earlier ones, so its members can be handled at once.
///
/// Dependencies on services that are not in `services` (disabled, `required: false`) are left out.
///
/// # Errors
/// When the dependencies form a cycle.
pub fn stages(services: &BTreeMap<String, Service>) -> Result<Vec<Vec<String>>, CycleError> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = services
        .iter()
        .map(|(name, service)| {
            let needs = service.depends_on.keys().map(String::as_str);
            (
                name.as_str(),
                needs.filter(|need| services.contains_key(*need)).collect(),
            )
        })
        .collect();
    let mut stages = Vec::new();
    while !waiting.is_empty() {
        let ready: Vec<&str> = waiting
            .iter()
            .filter(|(_, needs)| needs.is_empty())
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            return Err(CycleError {
                members: cycle(&waiting),
            });
        }
        for name in &ready {
            waiting.remove(name);
        }
        for needs in waiting.values_mut() {
            needs.retain(|need| !ready.contains(need));
        }
        stages.push(ready.into_iter().map(str::to_owned).collect());
    }
    Ok(stages)
}

/// The services one after the other, dependencies first.
///
/// # Errors
/// When the dependencies form a cycle.
pub fn sequence(services: &BTreeMap<String, Service>) -> Result<Vec<String>, CycleError> {
    Ok(stages(services)?.into_iter().flatten().collect())
}

/// Walks dependencies until a service comes again: every service left has one, so this ends.
fn cycle(waiting: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut next = waiting.keys().next().copied();
    while let Some(name) = next {
        if let Some(start) = path.iter().position(|seen| *seen == name) {
            let mut members: Vec<String> = path.iter().skip(start).map(|seen| (*seen).to_owned()).collect();
            members.push(name.to_owned());
            return members;
        }
        path.push(name);
        next = waiting.get(name).and_then(|needs| needs.iter().next().copied());
    }
    path.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dependency;

    fn services(edges: &[(&str, &[&str])]) -> BTreeMap<String, Service> {
        edges
            .iter()
            .map(|(name, needs)| {
                let depends_on = needs
                    .iter()
                    .map(|need| ((*need).to_owned(), Dependency::default()))
                    .collect();
                (
                    (*name).to_owned(),
                    Service {
                        depends_on,
                        ..Service::default()
                    },
                )
            })
            .collect()
    }

    #[test]
    fn dependencies_come_first_and_independent_ones_together() {
        let all = services(&[("web", &["db", "cache"]), ("db", &[]), ("cache", &["gone"])]);
        assert_eq!(stages(&all).unwrap(), [vec!["cache", "db"], vec!["web"]]);
    }

    #[test]
    fn a_cycle_names_its_members() {
        let all = services(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        let error = stages(&all).unwrap_err();
        assert_eq!(error.members, ["b", "c", "b"]);
    }
}
