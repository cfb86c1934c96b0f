//! What the recording stand-in for the engine has: enough of it for the planner to look at.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tidegate_compose::Project;

use crate::{
    docker::{Container, ContainerState, NetworkFacts, VolumeFacts},
    release::world::{ImageState, World},
};

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub containers: Vec<Container>,
    networks: BTreeMap<String, HashMap<String, String>>,
    volumes: BTreeMap<String, HashMap<String, String>>,
    /// Services whose containers end at once, by exit code.
    ending: BTreeMap<String, i64>,
}

/// The id of an image, as the stand-in makes it up.
pub fn image_id(image: &str) -> String {
    format!("sha256:{}", digest(&format!("image:{image}")))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn labels(value: &Value) -> HashMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

impl Model {
    /// What the scenario tells the engine before a step.
    pub fn told(&mut self, engine: &Value) {
        for (name, own) in engine["nets"].as_object().into_iter().flatten() {
            self.networks.insert(name.clone(), labels(own));
        }
        for (name, own) in engine["vols"].as_object().into_iter().flatten() {
            self.volumes.insert(name.clone(), labels(own));
        }
        for (key, code) in [("done", 0), ("failed", 3)] {
            let services = engine[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            self.ending.extend(services.map(|service| (service.to_owned(), code)));
        }
    }

    pub fn apply(&mut self, operation: &Value) {
        let name = operation["name"].as_str().unwrap();
        let body = &operation["body"];
        match operation["op"].as_str().unwrap() {
            "network" => drop(self.networks.insert(name.to_owned(), labels(&body["Labels"]))),
            "volume" => drop(self.volumes.insert(name.to_owned(), labels(&body["Labels"]))),
            "volume-remove" => drop(self.volumes.remove(name)),
            "network-remove" => {
                self.networks.retain(|own, _| own != name && digest(&format!("network:{own}")) != name);
            }
            "container" => self.containers.push(container(name, body)),
            "start" => {
                let ending = self.ending.clone();
                let found = self.found(name);
                let code = found.service().and_then(|service| ending.get(service)).copied();
                found.state = if code.is_some() { ContainerState::Exited } else { ContainerState::Running };
                found.exit_code = code.unwrap_or(0);
            }
            "stop" => self.found(name).state = ContainerState::Exited,
            "remove" => self.containers.retain(|container| container.name != name),
            "rename" => self.found(name).name = operation["to"].as_str().unwrap().to_owned(),
            "archive" | "kill" => {}
            other => panic!("an operation that the model does not know: {other}"),
        }
    }

    fn found(&mut self, name: &str) -> &mut Container {
        self.containers.iter_mut().find(|container| container.name == name).unwrap()
    }

    pub fn world(&self, project: &Project) -> World {
        let mut world = World { containers: self.containers.clone(), ..World::default() };
        world.containers.retain(|container| container.label("com.docker.compose.project") == Some("case"));
        let network = |(name, labels): (&String, &HashMap<String, String>)| NetworkFacts {
            id: digest(&format!("network:{name}")),
            name: name.clone(),
            labels: labels.clone(),
            ..NetworkFacts::default()
        };
        world.networks = self.networks.iter().map(network).collect();
        let volume = |(name, labels): (&String, &HashMap<String, String>)| VolumeFacts {
            name: name.clone(),
            labels: labels.clone(),
        };
        world.volumes = self.volumes.iter().map(volume).collect();
        for service in project.services.values() {
            let id = Some(image_id(&service.image));
            let state = ImageState { id: id.clone(), named: id, ..ImageState::default() };
            world.images.insert(service.image.clone(), state);
        }
        world
    }
}

fn container(name: &str, body: &Value) -> Container {
    let networks = body["NetworkingConfig"]["EndpointsConfig"].as_object().into_iter().flatten();
    // `name:/target:rw`
    let binds = body["HostConfig"]["Binds"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let binds = binds.filter_map(|bind| {
        let mut parts = bind.split(':');
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    });
    let mounts = body["HostConfig"]["Mounts"].as_array().into_iter().flatten();
    let mounts = mounts.filter_map(|mount| {
        Some((mount["Source"].as_str()?.to_owned(), mount["Target"].as_str()?.to_owned()))
    });
    Container {
        id: digest(&format!("container:{name}")),
        name: name.to_owned(),
        image: body["Image"].as_str().unwrap().to_owned(),
        image_id: image_id(body["Image"].as_str().unwrap()),
        labels: labels(&body["Labels"]),
        addresses: networks.map(|(name, _)| (name.clone(), String::new())).collect(),
        volumes: binds.chain(mounts).map(|(name, target)| (target, name)).collect(),
        ..Container::default()
    }
}
