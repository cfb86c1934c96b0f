//! Bodies against what docker compose 2.40.3 sent, where its recordings are at hand.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tidegate_compose::{LoadOptions, MemoryFiles, load};

use super::*;
use crate::docker::support;

/// Cases whose attributes are refused by `support`, or that need what a recording cannot tell.
#[derive(Default)]
struct Tally {
    compared: u32,
    unsupported: u32,
    rejected: u32,
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
    let mut tally = Tally::default();
    for case in index["cases"].as_array().unwrap() {
        let requests = folder.join("cases").join(case["name"].as_str().unwrap()).join("requests.2.40.json");
        if requests.exists() {
            one(case, (folder, &read(&requests)), &mut tally);
        }
    }
    println!("{} compared, {} unsupported, {} rejected", tally.compared, tally.unsupported, tally.rejected);
    assert!(tally.compared > 300, "{} are too few", tally.compared);
    assert!(
        tally.wrong.is_empty(),
        "{} of {}\n{}",
        tally.wrong.len(),
        tally.compared,
        tally.wrong.join("\n")
    );
}

fn one(case: &Value, (folder, requests): (&Path, &Value), tally: &mut Tally) {
    let name = case["name"].as_str().unwrap();
    let sources = folder.join("cases").join(name).join("in");
    let mut files = MemoryFiles::new();
    add(&mut files, (&sources, "/case"));
    let Some(options) = options(case) else {
        tally.rejected += 1;
        return;
    };
    let Ok(loaded) = load(&files, &options) else {
        tally.rejected += 1;
        return;
    };
    let project = &loaded.project;
    if !support::unsupported(project).is_empty() {
        tally.unsupported += 1;
        return;
    }
    let Some(containers) = requests["containers"].as_object() else { return };
    for (container, recorded) in containers {
        let labels = &recorded["body"]["Labels"];
        let service = labels[labels::SERVICE].as_str().unwrap_or_default();
        let Some(service) = project.services.get(service) else { continue };
        let shares =
            [&service.network_mode, &service.ipc, &service.pid].iter().any(|m| m.starts_with("service:"));
        if shares {
            continue;
        }
        let image_id =
            format!("sha256:{}", hex::encode(Sha256::digest(format!("image:{}", image(project, service)))));
        let number = labels[labels::CONTAINER_NUMBER].as_str().unwrap_or("1").parse().unwrap();
        let spec = ContainerSpec {
            project,
            service: &Service { image: image(project, service), ..service.clone() },
            instance: Instance::Replica(number),
            name: container,
            image_id: Some(&image_id),
            release: "x/1",
            alias: ServiceAlias::Given,
            restart: RestartNow::AsWritten,
            ports: HostPorts::Published,
            api: (1, 51),
            inherited: &[],
        };
        let mut own = serde_json::to_value(super::container(&spec)).unwrap();
        own["Labels"].as_object_mut().unwrap().remove(RELEASE_LABEL);
        // The hash covers the whole definition and has its own tests.
        own["Labels"][labels::CONFIG_HASH] = json!("");
        let mut theirs = recorded["body"].clone();
        theirs["Labels"][labels::CONFIG_HASH] = json!("");
        tally.compared += 1;
        let (own, theirs) = (canonical(own), canonical(theirs));
        if own != theirs {
            tally.wrong.push(format!("{name} {container}: {}", difference("", &own, &theirs)));
        }
    }
}

fn image(project: &Project, service: &Service) -> String {
    if service.image.is_empty() {
        tidegate_compose::names::built_image(&project.name, &service.name)
    } else {
        service.image.clone()
    }
}

fn options(case: &Value) -> Option<LoadOptions> {
    let mut options = LoadOptions {
        working_directory: "/case".to_owned(),
        home: Some("/home/user".to_owned()),
        environment: case["env"]
            .as_object()?
            .iter()
            .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
            .collect(),
        ..LoadOptions::default()
    };
    let mut args = case["args"].as_array()?.iter().filter_map(Value::as_str);
    while let Some(arg) = args.next() {
        let value = args.next()?.to_owned();
        match arg {
            "-f" | "--file" => options.compose_files.push(value),
            "--env-file" => options.env_files.push(value),
            "--profile" => options.profiles.push(value),
            "-p" | "--project-name" => options.project_name = Some(value),
            "--project-directory" => options.project_directory = Some(value),
            _ => return None,
        }
    }
    Some(options)
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

fn is_empty(value: &Value) -> bool {
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
