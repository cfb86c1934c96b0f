//! Bodies against what docker compose 2.40.3 sent, where its recordings are at hand.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tidegate_compose::{FileSource as _, LoadOptions, MemoryFiles, load};

use super::*;
use crate::docker::support;

/// Attributes that keep a recording from being compared: by how their paths end, each with the reason.
const EXCEPT: &[(&str, &str)] = &[
    (".pull_policy", "`pull_policy: build` would build the image on the droplet"),
    (".use_api_socket", "it gives the container Docker's socket"),
    (".models", "they need Docker Desktop's model runner"),
    (".restart", "docker compose hands on a word that the engine then refuses"),
];

#[derive(Default)]
struct Tally {
    compared: u32,
    resources: u32,
    excepted: BTreeMap<&'static str, u32>,
    wrong: Vec<String>,
}

#[test]
fn bodies_are_those_of_docker_compose() {
    #[expect(clippy::disallowed_methods, reason = "where the recordings are is a matter of the machine")]
    let Ok(folder) = std::env::var("TIDEGATE_COMPOSE_CASES") else {
        println!("skipped: TIDEGATE_COMPOSE_CASES does not name the recordings of docker compose");
        return;
    };
    let folder = Path::new(&folder);
    let index: Value = read(&folder.join("index.json"));
    let (mut tally, mut recorded) = (Tally::default(), 0);
    for case in index["cases"].as_array().unwrap() {
        let requests = folder.join("cases").join(case["name"].as_str().unwrap()).join("requests.2.40.json");
        if requests.exists() {
            let requests = read(&requests);
            recorded += requests["containers"].as_object().map_or(0, serde_json::Map::len);
            one(case, (folder, &requests), &mut tally);
        }
    }
    println!("{recorded} recorded, {} compared, {:?} excepted", tally.compared, tally.excepted);
    println!("{} networks and volumes compared", tally.resources);
    assert!(tally.wrong.is_empty(), "{} of {recorded}\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    let excepted: u32 = tally.excepted.values().sum();
    assert_eq!(usize::try_from(tally.compared + excepted).unwrap(), recorded, "each is compared or excepted");
}

fn one(case: &Value, (folder, requests): (&Path, &Value), tally: &mut Tally) {
    let empty = serde_json::Map::new();
    let containers = requests["containers"].as_object().unwrap_or(&empty);
    if containers.is_empty() {
        return;
    }
    let name = case["name"].as_str().unwrap();
    let mut files = MemoryFiles::new();
    add(&mut files, (&folder.join("cases").join(name).join("in"), "/case"));
    let mut project = match load(&files, &options(case)) {
        Ok(loaded) => loaded.project,
        Err(errors) => {
            tally.wrong.push(format!("{name}: not loaded: {errors:?}"));
            return;
        }
    };
    resources(name, (&project, requests), tally);
    let written = project.services.clone();
    for service in project.services.values_mut() {
        service.image = image(&project.name, service);
    }
    let refused = support::unsupported(&project);
    for (container, recorded) in containers {
        let key = recorded["body"]["Labels"][labels::SERVICE].as_str().unwrap();
        let of_service = |found: &&support::Unsupported| found.path.starts_with(&format!("services.{key}."));
        if let Some(found) = refused.iter().find(of_service) {
            match EXCEPT.iter().find(|(attribute, _)| found.path.ends_with(attribute)) {
                Some((_, reason)) => *tally.excepted.entry(reason).or_default() += 1,
                None => tally.wrong.push(format!("{name} {container}: refused for {}", found.path)),
            }
            continue;
        }
        tally.compared += 1;
        let mut own = body(&project, (container, &recorded["body"]), containers, &files);
        // The image that stands in for one that is built is not part of the definition.
        let service = tidegate_compose::hash::resolved(&written[key], &|name| id(containers, name));
        own["Labels"][labels::CONFIG_HASH] =
            json!(tidegate_compose::hash::service(&service, project.compatibility));
        let own = canonical(own);
        let theirs = canonical(recorded["body"].clone());
        if own != theirs {
            tally.wrong.push(format!("{name} {container}: {}", difference("", &own, &theirs)));
        }
    }
}

/// The body as the agent makes it, where docker compose made the recorded one.
fn body(
    project: &Project,
    (name, recorded): (&str, &Value),
    containers: &serde_json::Map<String, Value>,
    files: &MemoryFiles,
) -> Value {
    let labels = &recorded["Labels"];
    let names = |service: &str| names(containers, service);
    let service = &project.services[labels[labels::SERVICE].as_str().unwrap()];
    let service = &tidegate_compose::hash::resolved(service, &|name| id(containers, name));
    let image_id = format!("sha256:{}", hex::encode(Sha256::digest(format!("image:{}", service.image))));
    let number = labels[labels::CONTAINER_NUMBER].as_str().unwrap_or("1").parse().unwrap();
    let profiles = service.seccomp_profiles().map(|path| {
        let content = files.read(&tidegate_compose::names::join_path("/case", path)).unwrap();
        (path.to_owned(), compact(&content).unwrap())
    });
    let spec = ContainerSpec {
        project,
        service,
        instance: Instance::Replica(number),
        name,
        image_id: Some(&image_id),
        release: "x/1",
        alias: ServiceAlias::Given,
        restart: RestartNow::AsWritten,
        ports: HostPorts::Published,
        api: (1, 51),
        inherited: &[],
        links: &links(&project.name, (service, number), names),
        profiles: &profiles.collect(),
    };
    let mut own = serde_json::to_value(super::container(&spec)).unwrap();
    own["Labels"].as_object_mut().unwrap().remove(RELEASE_LABEL);
    own
}

/// The names of a service's recorded containers.
fn names(containers: &serde_json::Map<String, Value>, service: &str) -> Vec<String> {
    let of = |body: &Value| body["body"]["Labels"][labels::SERVICE] == service;
    containers.iter().filter(|(_, body)| of(body)).map(|(name, _)| name.clone()).collect()
}

/// The id that the recording's engine gave the first of them.
fn id(containers: &serde_json::Map<String, Value>, service: &str) -> Option<String> {
    let name = names(containers, service).into_iter().next()?;
    Some(hex::encode(Sha256::digest(format!("container:{name}"))))
}

/// Networks and volumes, of which only those are recorded that docker compose made.
fn resources(case: &str, (project, requests): (&Project, &Value), tally: &mut Tally) {
    let networks = project.networks.iter().map(|(key, network)| {
        ("networks", &network.name, serde_json::to_value(super::network(project, key, network)).unwrap())
    });
    let volumes = project.volumes.iter().map(|(key, volume)| {
        ("volumes", &volume.name, serde_json::to_value(super::volume(project, key, volume)).unwrap())
    });
    for (kind, name, own) in networks.chain(volumes) {
        let Some(recorded) = requests[kind].get(name) else { continue };
        tally.resources += 1;
        let (own, theirs) = (canonical(own), canonical(recorded.clone()));
        if own != theirs {
            tally.wrong.push(format!("{case} {kind} {name}: {}", difference("", &own, &theirs)));
        }
    }
}

fn image(project: &str, service: &Service) -> String {
    if service.image.is_empty() {
        tidegate_compose::names::built_image(project, &service.name)
    } else {
        service.image.clone()
    }
}

fn options(case: &Value) -> LoadOptions {
    let mut options = LoadOptions {
        working_directory: "/case".to_owned(),
        home: Some("/home/user".to_owned()),
        environment: case["env"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
            .collect(),
        ..LoadOptions::default()
    };
    let mut args = case["args"].as_array().unwrap().iter().filter_map(Value::as_str);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap().to_owned();
        match arg {
            "-f" | "--file" => options.compose_files.push(value()),
            "--env-file" => options.env_files.push(value()),
            "--profile" => options.profiles.push(value()),
            "-p" | "--project-name" => options.project_name = Some(value()),
            "--project-directory" => options.project_directory = Some(value()),
            other => panic!("{other} in {}", case["name"]),
        }
    }
    options
}

fn add(files: &mut MemoryFiles, (folder, path): (&Path, &str)) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let below = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            add(files, (&entry.path(), &below));
        } else {
            files.insert(&below, fs_err::read(entry.path()).unwrap());
        }
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

/// Without what means nothing to the engine: null, zero, false, empty. Lists whose order is random are sorted.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut kept: BTreeMap<String, Value> = BTreeMap::new();
            for (key, value) in map {
                let mut value = canonical(value);
                if let (true, Value::Array(list)) =
                    (matches!(key.as_str(), "Env" | "Binds" | "Mounts" | "Ulimits"), &mut value)
                {
                    list.sort_by_key(Value::to_string);
                }
                let is_label = key.starts_with("com.docker");
                // The target of a port, of a tmpfs and an empty endpoint are there by their key alone.
                if is_label
                    || !is_empty(&value)
                    || key.contains('/')
                    || key == "BindOptions"
                    || key == "VolumeOptions"
                {
                    kept.insert(key, value);
                }
            }
            let drop_empty = |key: &str| !matches!(key, "BindOptions" | "VolumeOptions");
            kept.retain(|key, value| drop_empty(key) || !is_empty(value));
            Value::Object(kept.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// What the engine takes for an attribute that is not set.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty() || list.iter().all(is_empty),
        Value::Object(map) => map.is_empty(),
    }
}

fn difference(path: &str, own: &Value, theirs: &Value) -> String {
    match (own, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            let differing = keys.into_iter().filter(|key| left.get(*key) != right.get(*key));
            let null = Value::Null;
            differing
                .map(|key| {
                    difference(
                        &format!("{path}/{key}"),
                        left.get(key).unwrap_or(&null),
                        right.get(key).unwrap_or(&null),
                    )
                })
                .collect::<Vec<_>>()
                .join("; ")
        }
        _ => format!("{path}: own {own}, theirs {theirs}"),
    }
}
