//! Changing requests in one form, those of docker compose as recorded and those that a plan leads to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidegate_compose::{
    Project, Service, hash,
    labels::{self, Instance},
};

use super::{
    NOT_COMPARED,
    model::{Model, image_id},
};
use crate::{
    docker::{
        body::{self, ContainerSpec, HostPorts, RestartNow, ServiceAlias, tests::is_empty},
        references,
    },
    release::{
        plan::{PlannedService, ReleasePlan, ResourceAction, ResourceKind, ServiceAction, Step},
        steps::replace,
    },
};

/// A request that changes something. Containers go by their service.
#[derive(Clone, Debug)]
pub struct Request {
    /// "network case_default", "container web", "start web", "stop web", "remove web".
    pub what: String,
    pub body: Option<Value>,
}

#[derive(Clone, Debug, Default)]
pub struct Requests {
    pub list: Vec<Request>,
    /// Whether docker compose gave up half way.
    pub failed: bool,
    /// Services by those that they depend on and that are up to them: `(dependant, dependency, restarts)`.
    needs: Vec<(String, String, bool)>,
}

impl Requests {
    pub fn recorded(step: &Value, model: &Model) -> Self {
        let mut names: BTreeMap<String, String> = model
            .containers
            .iter()
            .map(|container| (container.name.clone(), container.service().unwrap().to_owned()))
            .collect();
        let mut requests = Self { failed: step["exit"] != json!(0), ..Self::default() };
        for operation in step["operations"].as_array().into_iter().flatten() {
            let name = operation["name"].as_str().unwrap();
            let word = operation["op"].as_str().unwrap();
            let body = &operation["body"];
            let (what, body) = match word {
                "network" | "volume" => (format!("{word} {name}"), Some(canonical(body.clone()))),
                "container" => {
                    let service = body["Labels"][labels::SERVICE].as_str().unwrap();
                    names.insert(name.to_owned(), service.to_owned());
                    (format!("container {service}"), {
                        let replaces = body["Labels"].get(labels::REPLACE).is_some();
                        Some(container_body(body.clone(), (name, replaces)))
                    })
                }
                "rename" => {
                    let service = names.get(name).unwrap().clone();
                    names.insert(operation["to"].as_str().unwrap().to_owned(), service);
                    continue;
                }
                // The files are compared with the bodies, in the tests of the archive.
                "archive" => continue,
                _ => (format!("{word} {}", names.get(name).map_or(name, String::as_str)), None),
            };
            requests.list.push(Request { what, body });
        }
        requests
    }

    /// What the plan leads to, in the order of its steps.
    pub fn planned(plan: &ReleasePlan, project: &Project, (model, theirs): (&Model, &Self)) -> Self {
        let mut requests = Self::default();
        for service in project.services.values() {
            let needs = service.depends_on.iter();
            requests
                .needs
                .extend(needs.map(|(name, needs)| (service.name.clone(), name.clone(), needs.restart)));
        }
        let mut stopped = BTreeSet::new();
        for step in &plan.steps {
            match step {
                Step::Prepare => requests.resources(plan, project),
                Step::Create => requests.containers(plan, project, (model, theirs)),
                Step::Gate(name) => requests.start(plan.service(name.as_str()).unwrap()),
                Step::Roll(name) => {
                    let service = plan.service(name.as_str()).unwrap();
                    requests.start(service);
                    requests.stop(service, &mut stopped);
                }
                Step::Replace(name) => {
                    for dependant in replace::dependants_in(plan, project, name.as_str()).iter().rev() {
                        requests.stop(dependant, &mut stopped);
                    }
                    let service = plan.service(name.as_str()).unwrap();
                    requests.stop(service, &mut stopped);
                    requests.start(service);
                }
                Step::Drain => {
                    for service in plan.blue_green() {
                        requests.stop(service, &mut stopped);
                    }
                    let services = plan.removed.iter().map(|old| service_of(model, &old.name));
                    requests.list.extend(services.map(|service| plain("stop", &service)));
                }
                Step::Prune => {
                    let old = plan.services.iter().flat_map(|service| &service.old).chain(&plan.removed);
                    let services = old.map(|old| service_of(model, &old.name));
                    requests.list.extend(services.map(|service| plain("remove", &service)));
                }
                Step::Pull
                | Step::Quiesce
                | Step::Copy(_)
                | Step::Restore(_)
                | Step::Retain(_)
                | Step::Revive(_)
                | Step::Open
                | Step::Discard(_)
                | Step::Timers
                | Step::Backup(_)
                | Step::Networks
                | Step::Job(_)
                | Step::Migrate
                | Step::AwaitMigration
                | Step::Switch
                | Step::Watch
                | Step::Agree
                | Step::Finish
                | Step::Commit => {}
            }
        }
        requests
    }

    fn resources(&mut self, plan: &ReleasePlan, project: &Project) {
        let made = plan.resources.iter().filter(|resource| resource.action == ResourceAction::Create);
        for resource in made {
            let (word, body) = match resource.kind {
                ResourceKind::Network => {
                    let network = &project.networks[&resource.key];
                    ("network", serde_json::to_value(body::network(project, &resource.key, network)))
                }
                ResourceKind::Volume => {
                    let volume = &project.volumes[&resource.key];
                    ("volume", serde_json::to_value(body::volume(project, &resource.key, volume)))
                }
            };
            let body = Some(canonical(body.unwrap()));
            self.list.push(Request { what: format!("{word} {}", resource.name), body });
        }
    }

    fn containers(&mut self, plan: &ReleasePlan, project: &Project, (model, theirs): (&Model, &Self)) {
        for planned in plan.services.iter().filter(|service| service.action != ServiceAction::Keep) {
            for new in &planned.new {
                let what = format!("container {}", planned.name);
                let service = &project.services[planned.name.as_str()];
                let service = resolved(service, (plan, model), (&what, theirs));
                let names = |target: &str| {
                    let planned = plan.service(target);
                    planned.into_iter().flat_map(|planned| &planned.new).map(|new| new.name.clone()).collect()
                };
                let spec = ContainerSpec {
                    project,
                    service: &service,
                    instance: Instance::Replica(new.number),
                    name: &new.name,
                    image_id: Some(&image_id(&service.image)),
                    release: "case/1",
                    // Withheld and given later, as the gate and the switch have it; in the end they are the file's.
                    alias: ServiceAlias::Given,
                    restart: RestartNow::AsWritten,
                    ports: HostPorts::Published,
                    api: (1, 51),
                    inherited: &[],
                    links: &body::links(&project.name, (&service, new.number), names),
                    profiles: &BTreeMap::new(),
                };
                let body = serde_json::to_value(body::container(&spec)).unwrap();
                self.list.push(Request {
                    what,
                    body: Some(container_body(body, (&new.name, planned.action == ServiceAction::Replace))),
                });
            }
        }
    }

    fn start(&mut self, service: &PlannedService) {
        self.list.extend(service.started().map(|_| plain("start", service.name.as_str())));
    }

    fn stop(&mut self, service: &PlannedService, stopped: &mut BTreeSet<String>) {
        for old in &service.old {
            if stopped.insert(old.id.clone()) {
                self.list.push(plain("stop", service.name.as_str()));
            }
        }
    }

    /// Where the order is not as docker compose has it: networks and volumes before containers, a dependency's start before
    /// its dependant's, and a dependant that restarts with its dependency ends before it.
    pub fn disorder(&self) -> Vec<String> {
        let at = |what: &str| self.list.iter().position(|request| request.what == what);
        let mut found = Vec::new();
        let is_resource =
            |request: &Request| request.what.starts_with("network ") || request.what.starts_with("volume ");
        let first = self.list.iter().position(|request| request.what.starts_with("container "));
        let last = self.list.iter().rposition(is_resource);
        if let (Some(first), Some(last)) = (first, last)
            && first < last
        {
            found.push("order: a container is made before its networks and volumes".to_owned());
        }
        let mut before = |earlier: String, later: String| {
            if let (Some(a), Some(b)) = (at(&earlier), at(&later))
                && a > b
            {
                found.push(format!("order: {later} before {earlier}"));
            }
        };
        for (dependant, dependency, restarts) in &self.needs {
            before(format!("container {dependency}"), format!("start {dependant}"));
            before(format!("start {dependency}"), format!("start {dependant}"));
            if *restarts {
                before(format!("stop {dependant}"), format!("stop {dependency}"));
            }
        }
        found
    }
}

fn plain(word: &str, service: &str) -> Request {
    Request { what: format!("{word} {service}"), body: None }
}

fn service_of(model: &Model, container: &str) -> String {
    let found = model.containers.iter().find(|other| other.name == container).unwrap();
    found.service().unwrap().to_owned()
}

/// The service with references as container ids. The id of a container that is yet to be made is only known from the
/// recording, where it has to be that of a container of the service that is meant.
fn resolved(
    service: &Service,
    (plan, model): (&ReleasePlan, &Model),
    (what, theirs): (&str, &Requests),
) -> Service {
    let recorded = theirs.list.iter().find(|request| request.what == *what);
    let host = recorded.and_then(|request| request.body.as_ref()).map(|body| &body["HostConfig"]);
    let id = |target: &str| {
        let kept = plan.service(target).and_then(|planned| planned.kept.first());
        let id = kept.map(|kept| kept.id.clone());
        id.or_else(|| {
            let host = host?;
            let modes = ["NetworkMode", "IpcMode", "PidMode"].map(|mode| host[mode].as_str());
            let id = modes.into_iter().flatten().find_map(|mode| mode.strip_prefix("container:"))?;
            let is_old = model.containers.iter().any(|container| container.id == id);
            (!is_old).then(|| id.to_owned())
        })
    };
    let known: BTreeMap<String, String> = references::services(service)
        .into_iter()
        .filter_map(|name| Some((name.clone(), id(&name)?)))
        .collect();
    hash::resolved(service, &|name| known.get(name).cloned())
}

/// Without what differs for every container, and what differs by intent.
fn container_body(mut body: Value, (name, replaces): (&str, bool)) -> Value {
    let own = body["Labels"].as_object_mut().unwrap();
    for (label, _) in NOT_COMPARED {
        if *label != labels::CONTAINER_NUMBER || replaces {
            own.remove(*label);
        }
    }
    if let Some(needed) = own.get(labels::DEPENDS_ON).and_then(Value::as_str).map(str::to_owned) {
        let mut needed: Vec<&str> = needed.split(',').collect();
        needed.sort_unstable();
        own.insert(labels::DEPENDS_ON.to_owned(), json!(needed.join(",")));
    }
    // Containers go by their service: the name under which one is made stands in its aliases.
    let name = name.split_once('_').filter(|(id, _)| id.len() == 12).map_or(name, |(_, name)| name);
    let number = name.rsplit('-').next().filter(|number| number.parse::<u32>().is_ok());
    let stem = number.map_or(name, |number| name.strip_suffix(number).unwrap_or(name));
    for (_, endpoint) in body["NetworkingConfig"]["EndpointsConfig"].as_object_mut().into_iter().flatten() {
        for alias in endpoint["Aliases"].as_array_mut().into_iter().flatten() {
            if alias.as_str().is_some_and(|alias| alias.contains(stem)) {
                *alias = json!(format!("{stem}N"));
            }
        }
    }
    canonical(body)
}

/// Without what means nothing to the engine: null, zero, false, empty. Lists whose order is random are sorted.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut kept = serde_json::Map::new();
            for (key, value) in map {
                let mut value = canonical(value);
                let by = match key.as_str() {
                    "Env" | "Binds" => Some(""),
                    "Mounts" => Some("Target"),
                    "Ulimits" => Some("Name"),
                    _ => None,
                };
                if let (Some(by), Value::Array(list)) = (by, &mut value) {
                    list.sort_by_key(|entry| entry.get(by).unwrap_or(entry).to_string());
                }
                // docker compose says what Docker takes anyway, and asks it to look out for a second one of the name.
                let is_default = key == "CheckDuplicate" || (key == "Driver" && value == json!("local"));
                let is_kept = key.starts_with("com.docker") || key.contains('/') || !is_empty(&value);
                if is_kept && !is_default {
                    kept.insert(key, value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(list) => Value::Array(list.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// Paths of what differs, with both values.
pub fn differences(path: &str, (own, their): (&Value, &Value)) -> Vec<String> {
    let (Value::Object(a), Value::Object(b)) = (own, their) else {
        return vec![format!("{path}: ours {own} theirs {their}")];
    };
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let none = Value::Null;
    let side = |map: &serde_json::Map<String, Value>, key: &String| map.get(key).unwrap_or(&none).clone();
    let differing = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    differing.flat_map(|key| differences(&format!("{path}/{key}"), (&side(a, key), &side(b, key)))).collect()
}
