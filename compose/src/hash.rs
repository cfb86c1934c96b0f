//! The config-hash: SHA-256 of the JSON that a named docker compose version makes of a definition.
//!
//! Owns which fields a version leaves out; field order and forms are the model's and [`crate::compat`]'s.

use sha2::{Digest as _, Sha256};

use crate::compat::Compatibility;
use crate::json::Json;
use crate::model::{Field as _, Network, Service, Volume};

/// Attributes of a service that a version does not hash.
fn unhashed(compat: Compatibility) -> &'static [&'static str] {
    match compat {
        Compatibility::V2_40 => &["build", "pull_policy", "scale", "depends_on", "profiles"],
        Compatibility::V2_26 => &["build", "pull_policy", "scale", "label_file"],
    }
}

/// The bytes that are hashed for a service.
pub fn service_json(service: &Service, compat: Compatibility) -> String {
    let mut json = service.encode(compat);
    if let Json::Object(fields) = &mut json {
        fields.retain(|(key, _)| !unhashed(compat).contains(&key.as_str()));
        for (key, value) in fields {
            if let ("deploy", Json::Object(parts)) = (key.as_str(), value) {
                parts.retain(|(key, _)| key != "replicas");
            }
        }
    }
    json.to_compact()
}

/// A service with its references to other services replaced by container ids, as docker compose does before it hashes
/// and creates. `id_of` gives the id of a service's first container; references it does not know stay.
pub fn resolved(service: &Service, id_of: &dyn Fn(&str) -> Option<String>) -> Service {
    let mut service = service.clone();
    for mode in [&mut service.network_mode, &mut service.ipc, &mut service.pid] {
        if let Some(id) = mode.strip_prefix("service:").and_then(id_of) {
            *mode = format!("container:{id}");
        }
    }
    for entry in &mut service.volumes_from {
        let mut parts = entry.split(':');
        let id = match (parts.next(), parts.next()) {
            (Some("container"), Some(id)) => Some(id.to_owned()),
            (Some(name), _) => id_of(name),
            (None, _) => None,
        };
        *entry = id.unwrap_or_else(|| std::mem::take(entry));
    }
    service
}

/// The config-hash of a service: the label's value after `service:` references were resolved to container ids.
pub fn service(service: &Service, compat: Compatibility) -> String {
    digest(&service_json(service, compat))
}

/// What `docker compose config --hash` prints: the hash of the service without its env files read. For a service with
/// `env_file` it is not the label's value.
pub fn printed(service: &Service, compat: Compatibility) -> String {
    let mut service = service.clone();
    service.label_file.clear();
    if let Some(declared) = service.declared.0.take() {
        service.environment = declared.environment;
        service.env_file = declared.env_file;
    }
    self::service(&service, compat)
}

/// The config-hash of a network (docker compose writes it from 2.31 on).
pub fn network(network: &Network) -> String {
    digest(&network.encode(Compatibility::V2_40).to_compact())
}

/// The config-hash of a volume (docker compose writes it from 2.32 on).
pub fn volume(volume: &Volume) -> String {
    let mut volume = volume.clone();
    if volume.driver.is_empty() {
        "local".clone_into(&mut volume.driver);
    }
    digest(&volume.encode(Compatibility::V2_40).to_compact())
}

/// Lower-case hex SHA-256 of a text.
pub(crate) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
