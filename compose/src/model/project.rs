//! The whole project.

use std::collections::BTreeMap;

use super::field::Field as _;
use super::{Config, Model, Network, Secret, Service, Volume};
use crate::compat::Compatibility;
use crate::hash::digest;
use crate::json::Json;
use crate::node::Node;

/// Extension attributes (`x-*`) with the places they are written at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extensions(pub BTreeMap<String, Node>);

impl Extensions {
    /// An extension by name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.get(name)
    }

    /// The fields that YAML prints behind a record's own.
    pub(crate) fn to_yaml(&self) -> Vec<(String, Json)> {
        match Json::from_map(&self.0, Node::to_yaml).naturally_sorted() {
            Json::Object(fields) => fields,
            _ => Vec::new(),
        }
    }
}

/// A project after reading, merging, normalising and checking.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// The project directory, absolute, with `/`.
    pub working_directory: String,
    /// The compose files, absolute.
    pub compose_files: Vec<String>,
    /// The env files given on the command line, absolute.
    pub environment_files: Vec<String>,
    /// The enabled services.
    pub services: BTreeMap<String, Service>,
    /// Services that no enabled profile asks for.
    pub disabled_services: BTreeMap<String, Service>,
    /// The networks in use.
    pub networks: BTreeMap<String, Network>,
    /// The volumes in use.
    pub volumes: BTreeMap<String, Volume>,
    /// The secrets in use.
    pub secrets: BTreeMap<String, Secret>,
    /// The configs in use.
    pub configs: BTreeMap<String, Config>,
    /// The models.
    pub models: BTreeMap<String, Model>,
    /// Top-level extensions.
    pub extensions: Extensions,
    /// The variables that interpolation saw.
    pub environment: BTreeMap<String, String>,
    /// The enabled profiles.
    pub profiles: Vec<String>,
    /// The docker compose version that was followed.
    pub compatibility: Compatibility,
}

/// A service as `config` prints it: the label files are merged and no longer named.
fn printed(service: &Service, compat: Compatibility) -> Json {
    let mut json = service.encode(compat);
    if let Json::Object(fields) = &mut json {
        fields.retain(|(key, _)| key != "label_file");
    }
    json
}

impl Project {
    /// What `docker compose config --format json` prints, before `$` is doubled.
    pub fn to_json(&self) -> Json {
        let compat = self.compatibility;
        let mut fields = vec![
            ("name".to_owned(), Json::Str(self.name.clone())),
            ("services".to_owned(), Json::from_map(&self.services, |service| printed(service, compat))),
        ];
        let parts = [
            ("networks", self.networks.encode(compat)),
            ("volumes", self.volumes.encode(compat)),
            ("secrets", self.secrets.encode(compat)),
            ("configs", self.configs.encode(compat)),
        ];
        let filled = parts.into_iter().filter(|(_, value)| *value != Json::Object(Vec::new()));
        fields.extend(filled.map(|(key, value)| (key.to_owned(), value)));
        fields.extend(self.extensions.0.iter().map(|(key, node)| (key.clone(), node.to_json())));
        fields.sort_by(|left, right| left.0.cmp(&right.0));
        Json::Object(fields)
    }

    /// What `docker compose config` prints as YAML, before `$` is doubled, as a tree.
    pub fn to_yaml(&self) -> Json {
        let compat = self.compatibility;
        let mut services = self.services.clone();
        for service in services.values_mut() {
            service.label_file.clear();
        }
        let parts = [
            ("networks", self.networks.to_yaml(compat)),
            ("volumes", self.volumes.to_yaml(compat)),
            ("secrets", self.secrets.to_yaml(compat)),
            ("configs", self.configs.to_yaml(compat)),
            ("models", self.models.to_yaml(compat)),
        ];
        let mut fields = vec![
            ("name".to_owned(), Json::Str(self.name.clone())),
            ("services".to_owned(), services.to_yaml(compat)),
        ];
        let filled = parts.into_iter().filter(|(_, value)| *value != Json::Object(Vec::new()));
        fields.extend(filled.map(|(key, value)| (key.to_owned(), value)));
        fields.extend(self.extensions.to_yaml());
        Json::Object(fields)
    }

    /// A digest of everything the model says: controller and agent compare it to be sure they mean the same.
    pub fn model_digest(&self) -> String {
        let extensions = |services: &BTreeMap<String, Service>| {
            Json::from_map(services, |service| Json::from_map(&service.extensions.0, Node::to_json))
        };
        let secrets = Json::from_map(&self.secrets, |secret| secret.content.encode_digest());
        let configs = Json::from_map(&self.configs, |config| config.resolved.encode_digest());
        let whole = Json::Array(vec![
            Json::Str(self.compatibility.version().to_owned()),
            Json::Str(self.working_directory.clone()),
            self.to_json(),
            self.models.encode(self.compatibility),
            self.disabled_services.encode(self.compatibility),
            extensions(&self.services),
            secrets,
            configs,
        ]);
        digest(&whole.to_compact())
    }
}
