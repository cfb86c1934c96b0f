//! Whether the parts of a project go together.
//!
//! All contradictions are collected, each with the place of the part that is wrong.

use std::collections::BTreeMap;

use super::Extent;
use super::findings::Damage;
use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::files::nearest;
use crate::model::{Project, Service};
use crate::node::{Map, Node, Position};
use crate::order;
use crate::problem::Problem;

/// The most problems that are collected.
const MAX_PROBLEMS: usize = 100;

/// Checks a project; `tree` is what it was decoded from and knows the places.
pub(super) fn check(project: &Project, tree: &Map, (extent, damage): (Extent, &Damage)) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, service) in &project.services {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        let mut check = Check { project, service, name, tree, damage, problems: &mut problems };
        check.references();
        check.dependencies();
        // What goes with what is seen only where all of it is there.
        if damage.entry("services", name) {
            continue;
        }
        check.source();
        check.build();
        check.scale();
        check.limits();
        check.details();
        if project.compatibility == Compatibility::V2_40 {
            check.mounts();
        }
    }
    if extent == Extent::Whole {
        container_names(project, tree, &mut problems);
    }
    for (name, secret) in &project.secrets {
        let whole = !damage.entry("secrets", name);
        if whole && !secret.external && secret.file.is_empty() && secret.environment.is_empty() {
            let at = place(tree, &["secrets", name]);
            let message = "a secret needs `file` or `environment`";
            let problem = Problem::new(ErrorClass::Consistency, at, message);
            problems.push(problem.path(format!("secrets.{name}")));
        }
    }
    if let Err(error) = order::stages(&project.services) {
        let first = error.members.first().map(String::as_str).unwrap_or_default();
        let at = place(tree, &["services", first, "depends_on"]);
        problems.push(Problem::new(ErrorClass::Consistency, at, error.to_string()));
    }
    problems
}

/// The place of an attribute, or of the nearest thing above it that is written somewhere.
fn place(tree: &Map, path: &[&str]) -> Position {
    let Some((first, rest)) = path.split_first() else {
        return Position::nowhere();
    };
    let Some(mut node) = tree.get(*first) else {
        return Position::nowhere();
    };
    for step in rest {
        let entry = |item: &&Node| item.get("source").and_then(Node::as_str).or(item.as_str()) == Some(*step);
        let below = node.get(step).or_else(|| node.as_list()?.iter().find(entry));
        match below {
            Some(below) if below.key.line > 0 => node = below,
            _ => break,
        }
    }
    node.key
}

struct Check<'a> {
    project: &'a Project,
    service: &'a Service,
    name: &'a str,
    tree: &'a Map,
    damage: &'a Damage,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn at(&self, attribute: &[&str]) -> Position {
        let mut path = vec!["services", self.name];
        path.extend(attribute);
        place(self.tree, &path)
    }

    fn fail(&mut self, attribute: &[&str], message: String) {
        self.fail_with(attribute, message, None);
    }

    fn fail_with(&mut self, attribute: &[&str], message: String, hint: Option<String>) {
        self.fail_at(self.at(attribute), attribute, (message, hint));
    }

    fn fail_at(&mut self, at: Position, attribute: &[&str], (message, hint): (String, Option<String>)) {
        let mut path = format!("services.{}", self.name);
        for step in attribute {
            path.push('.');
            path.push_str(step);
        }
        let problem = Problem::new(ErrorClass::Consistency, at, message);
        self.problems.push(problem.path(path).hint(hint));
    }

    fn source(&mut self) {
        let service = self.service;
        if service.build.is_none() && service.image.is_empty() && service.provider.is_none() {
            let hint = Some("add `image:`, or `build:` with the directory of a Dockerfile".to_owned());
            self.fail_with(&[], "the service has neither an image nor a build".to_owned(), hint);
        }
    }

    fn build(&mut self) {
        let Some(build) = &self.service.build else { return };
        if !build.dockerfile_inline.is_empty() && !build.dockerfile.is_empty() {
            let message = "`dockerfile` and `dockerfile_inline` exclude each other".to_owned();
            self.fail(&["build"], message);
        }
        for (context, value) in &build.additional_contexts {
            let Some(target) = value.strip_prefix("service:") else {
                continue;
            };
            match self.project.services.get(target) {
                Some(other) if other.build.is_some() => {}
                Some(_) => {
                    let message = format!("context `{context}` names `{target}`, which is not built");
                    self.fail(&["build", "additional_contexts"], message);
                }
                None => {
                    let message = format!("context `{context}` names the unknown service `{target}`");
                    self.fail(&["build", "additional_contexts"], message);
                }
            }
        }
        let platform = &self.service.platform;
        if !build.platforms.is_empty() && !platform.is_empty() && !build.platforms.contains(platform) {
            let message = format!("`build.platforms` must include the service's platform {platform:?}");
            self.fail(&["build", "platforms"], message);
        }
        for secret in &build.secrets {
            self.known("secret", &secret.source, (&self.project.secrets, &["build", "secrets"]));
        }
    }

    /// Whether a name is declared at the top level.
    fn known<T>(&mut self, kind: &str, name: &str, (all, attribute): (&BTreeMap<String, T>, &[&str])) {
        if all.contains_key(name) {
            return;
        }
        let section = format!("{kind}s");
        if self.damage.section(&section) {
            return;
        }
        let near = nearest(name, all.keys().map(String::as_str));
        let hint = near.map_or_else(
            || format!("declare it under `{section}:` at the top level"),
            |near| format!("did you mean `{near}`?"),
        );
        let mut entry = attribute.to_vec();
        entry.push(name);
        let message = format!("{kind} `{name}` is not defined");
        self.fail_at(self.at(&entry), attribute, (message, Some(hint)));
    }

    fn references(&mut self) {
        let (service, project) = (self.service, self.project);
        if !service.network_mode.is_empty() && !service.networks.is_empty() {
            let message = "`network_mode` and `networks` exclude each other".to_owned();
            self.fail(&["network_mode"], message);
        }
        for network in service.networks.keys() {
            if network.starts_with("x-") {
                // docker compose takes it for an extension of the service and looks for a network of another name.
                let message =
                    format!("network `{network}` cannot be used: names with x- are extensions here");
                let hint = Some("give the network another key, and this one with `name:`".to_owned());
                self.fail_with(&["networks", network], message, hint);
                continue;
            }
            self.known("network", network, (&project.networks, &["networks"]));
        }
        for mount in &service.volumes {
            if mount.kind == "volume" && !mount.source.is_empty() {
                self.known("volume", &mount.source, (&project.volumes, &["volumes"]));
            }
        }
        for config in &service.configs {
            self.known("config", &config.source, (&project.configs, &["configs"]));
        }
        for model in service.models.keys() {
            self.known("model", model, (&project.models, &["models"]));
        }
        for secret in &service.secrets {
            self.known("secret", &secret.source, (&project.secrets, &["secrets"]));
        }
    }

    fn dependencies(&mut self) {
        let (service, project) = (self.service, self.project);
        for (name, dependency) in &service.depends_on {
            if project.services.contains_key(name) {
                continue;
            }
            let disabled = project.disabled_services.contains_key(name);
            if (disabled && !dependency.required) || (!disabled && self.damage.section("services")) {
                continue;
            }
            let hint = if disabled {
                Some(format!("enable a profile of `{name}`, or write `required: false`"))
            } else {
                let names = project.services.keys().chain(project.disabled_services.keys());
                let near = nearest(name, names.map(String::as_str));
                near.map(|near| format!("did you mean `{near}`?"))
            };
            let message = format!("depends on the undefined service `{name}`");
            self.fail_with(&["depends_on", name], message, hint);
        }
        if let Some(target) = service.network_mode.strip_prefix("service:")
            && !project.services.contains_key(target)
            && !self.damage.section("services")
        {
            self.fail(&["network_mode"], format!("service `{target}` is not defined"));
        }
    }

    fn scale(&mut self) {
        let service = self.service;
        let replicas = service.deploy.as_ref().and_then(|deploy| deploy.replicas);
        if let (Some(scale), Some(replicas)) = (service.scale, replicas)
            && scale != replicas
        {
            let message = "`scale` and `deploy.replicas` say different numbers".to_owned();
            self.fail(&["scale"], message);
        }
        if self.project.compatibility == Compatibility::V2_40
            && (service.scale.is_some_and(|n| n < 0) || replicas.is_some_and(|n| n < 0))
        {
            self.fail(&["scale"], "the number of containers cannot be negative".to_owned());
        }
        if service.replicas() > 1 && !service.container_name.is_empty() {
            let message = "a service with `container_name` can have one container only".to_owned();
            self.fail(&["container_name"], message);
        }
    }

    fn limits(&mut self) {
        let service = self.service;
        let Some(deploy) = &service.deploy else { return };
        let mut different = Vec::new();
        if let Some(limits) = &deploy.resources.limits {
            if service.cpus != 0.0 && (limits.cpus - service.cpus).abs() > 0.0 {
                different.push(("cpus", "limits.cpus"));
            }
            if service.mem_limit.0 != 0 && limits.memory != service.mem_limit {
                different.push(("mem_limit", "limits.memory"));
            }
            if service.pids_limit != 0 && limits.pids != service.pids_limit {
                different.push(("pids_limit", "limits.pids"));
            }
        }
        if let Some(reserved) = &deploy.resources.reservations
            && service.mem_reservation.0 != 0
            && reserved.memory != service.mem_reservation
        {
            different.push(("mem_reservation", "reservations.memory"));
        }
        for (attribute, resource) in different {
            let message = format!("`{attribute}` and `deploy.resources.{resource}` say different values");
            self.fail(&[attribute], message);
        }
    }

    fn details(&mut self) {
        let service = self.service;
        let test = service.healthcheck.as_ref().and_then(|check| check.test.0.first());
        if let Some(first) = test.filter(|first| !matches!(first.as_str(), "CMD" | "CMD-SHELL" | "NONE")) {
            let message = format!("a test starts with CMD, CMD-SHELL or NONE, not {first:?}");
            self.fail(&["healthcheck", "test"], message);
        }
        for trigger in service.develop.iter().flat_map(|develop| &develop.watch) {
            if trigger.target.is_empty() && !matches!(trigger.action.as_str(), "rebuild" | "restart") {
                let message = format!("a watch with action {} needs a `target`", trigger.action);
                self.fail(&["develop", "watch"], message);
            }
        }
    }

    /// Nothing may be mounted where something is mounted already.
    fn mounts(&mut self) {
        let service = self.service;
        let tmpfs = service
            .tmpfs
            .iter()
            .map(|entry| (entry.split_once(':').map_or(entry.as_str(), |(path, _)| path), "tmpfs"));
        let volumes = service.volumes.iter().map(|mount| (mount.target.as_str(), "volumes"));
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (target, attribute) in tmpfs.chain(volumes) {
            if let Some(first) = seen.insert(target, attribute) {
                let message = format!("{target:?} is mounted twice, first by `{first}`");
                self.fail(&[attribute], message);
            }
        }
    }
}

/// Two services cannot have the same container name.
fn container_names(project: &Project, tree: &Map, problems: &mut Vec<Problem>) {
    if project.compatibility != Compatibility::V2_40 {
        return;
    }
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, service) in &project.services {
        if service.container_name.is_empty() {
            continue;
        }
        if let Some(first) = seen.insert(&service.container_name, name) {
            let at = place(tree, &["services", name, "container_name"]);
            let message =
                format!("the container name {:?} is taken by service `{first}`", service.container_name);
            let problem = Problem::new(ErrorClass::Consistency, at, message);
            problems.push(problem.path(format!("services.{name}.container_name")));
        }
    }
}
