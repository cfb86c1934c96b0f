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
    let needs = |name: &str| {
        let service = services.get(name);
        let all = service.into_iter().flat_map(|service| service.depends_on.keys());
        all.map(String::as_str).filter(|need| services.contains_key(*need))
    };
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    let mut dependants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in services.keys() {
        open.insert(name, needs(name).count());
        for need in needs(name) {
            dependants.entry(need).or_default().push(name);
        }
    }
    let mut ready: BTreeSet<&str> =
        open.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut stages = Vec::new();
    let mut done = 0;
    while !ready.is_empty() {
        let mut next = BTreeSet::new();
        for dependant in ready.iter().filter_map(|name| dependants.get(name)).flatten() {
            if let Some(count) = open.get_mut(dependant) {
                *count -= 1;
                if *count == 0 {
                    next.insert(*dependant);
                }
            }
        }
        done += ready.len();
        stages.push(ready.into_iter().map(str::to_owned).collect());
        ready = next;
    }
    if done == services.len() {
        return Ok(stages);
    }
    let waiting: BTreeMap<&str, Vec<&str>> = open
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, _)| {
            let blocked = |need: &&str| open.get(need).is_some_and(|count| *count > 0);
            (*name, needs(name).filter(blocked).collect())
        })
        .collect();
    Err(CycleError { members: cycle(&waiting) })
}

/// The services one after the other, dependencies first.
///
/// # Errors
/// When the dependencies form a cycle.
pub fn sequence(services: &BTreeMap<String, Service>) -> Result<Vec<String>, CycleError> {
    Ok(stages(services)?.into_iter().flatten().collect())
}

/// Walks dependencies until a service comes again: every service left has one, so this ends.
fn cycle(waiting: &BTreeMap<&str, Vec<&str>>) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut next = waiting.keys().next().copied();
    while let Some(name) = next {
        if let Some(start) = seen.insert(name, path.len()) {
            let members = path.iter().skip(start).chain([&name]);
            return members.map(|member| (*member).to_owned()).collect();
        }
        path.push(name);
        next = waiting.get(name).and_then(|needs| needs.first().copied());
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
                let depends_on =
                    needs.iter().map(|need| ((*need).to_owned(), Dependency::default())).collect();
                ((*name).to_owned(), Service { depends_on, ..Service::default() })
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
