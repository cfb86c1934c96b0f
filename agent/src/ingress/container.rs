//! The request that makes the ingress's container. Pure.

use std::{collections::HashMap, path::Path};

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum};
use sha2::{Digest as _, Sha256};

use super::{LABEL, NETWORK, config};

/// Label with a digest of everything the container was made from.
pub(super) const SPEC_LABEL: &str = "tidegate.ingress.spec";

/// The body, with the digest of itself as a label.
pub(super) fn body(folder: &Path, image: &str, image_id: &str) -> ContainerCreateBody {
    let bind = |from: &str, to: &str, access: &str| format!("{}:{to}:{access}", folder.join(from).display());
    let port = |number: &str| {
        let binding = PortBinding { host_ip: Some(String::new()), host_port: Some(number.to_owned()) };
        (format!("{number}/tcp"), Some(vec![binding]))
    };
    let host = HostConfig {
        binds: Some(vec![
            bind("etc", config::ETC, "ro"),
            bind("etc/hosts", "/etc/hosts", "ro"),
            bind("run", "/run/tidegate", "rw"),
            bind("data", "/data", "rw"),
            bind("log", config::LOG, "rw"),
        ]),
        network_mode: Some(NETWORK.to_owned()),
        port_bindings: Some(HashMap::from([port("80"), port("443")])),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::ALWAYS),
            maximum_retry_count: None,
        }),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(vec!["NET_BIND_SERVICE".to_owned()]),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([
            ("/tmp".to_owned(), "size=16m".to_owned()),
            ("/config".to_owned(), "size=16m".to_owned()),
        ])),
        log_config: Some(bollard::models::HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ])),
        }),
        ..HostConfig::default()
    };
    let mut body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["caddy".to_owned()]),
        cmd: Some(["run", "--config", "/etc/tidegate/caddy.json"].map(str::to_owned).to_vec()),
        exposed_ports: Some(vec!["80/tcp".to_owned(), "443/tcp".to_owned()]),
        user: Some("0:0".to_owned()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let mut json = serde_json::to_value(&body).unwrap_or_default();
    // Hash maps have another order in every process.
    json.sort_all_objects();
    let digest = hex::encode(Sha256::digest(format!("{json}{image_id}")));
    let labels = [(LABEL.to_owned(), String::new()), (SPEC_LABEL.to_owned(), digest)];
    body.labels = Some(HashMap::from(labels));
    body
}

/// The digest that a body carries.
pub(super) fn digest(body: &ContainerCreateBody) -> Option<&str> {
    body.labels.as_ref()?.get(SPEC_LABEL).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_stable_and_follows_the_image() {
        let digest_of = |id: &str| digest(&body(Path::new("/x"), "caddy:2", id)).unwrap().to_owned();
        assert_eq!(digest_of("sha256:a"), digest_of("sha256:a"));
        assert_ne!(digest_of("sha256:a"), digest_of("sha256:b"));
    }
}
