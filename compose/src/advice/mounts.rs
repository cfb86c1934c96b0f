//! Paths of this machine that a droplet does not have.

use super::{Look, Rule};
use crate::names::clean_path;

const OUTSIDE: Rule = Rule {
    name: "outside-project",
    why: "only what lies below the project directory is sent to a droplet; there Docker makes an empty directory of it, or refuses",
};

/// Paths that every droplet has, and everything below them.
const EVERYWHERE: &[&str] = &[
    "/dev",
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/machine-id",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/etc/timezone",
    "/lib/modules",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/usr/share/zoneinfo",
    "/var/lib/docker",
    "/var/log",
    "/var/run",
];

pub(super) fn rules(look: &mut Look<'_>) {
    let project = &look.loaded.project;
    let directory = project.working_directory.trim_end_matches('/');
    let missing = |path: &str| {
        let path = clean_path(path);
        let below = |parent: &str| path == parent || path.starts_with(&format!("{parent}/"));
        path != "/" && !below(directory) && !EVERYWHERE.iter().any(|known| below(known))
    };
    let cure = "move it below the project directory, keep it in a volume, or put it on the droplet before";
    for (name, service) in &project.services {
        for (index, mount) in service.volumes.iter().enumerate() {
            if mount.kind == "bind" && !mount.source.is_empty() && missing(&mount.source) {
                let message = format!("{name} mounts {}, which lies outside the project", mount.source);
                look.say(&OUTSIDE, &format!("services.{name}.volumes.{index}"), (message, cure.to_owned()));
            }
        }
    }
    let secrets = project.secrets.iter().map(|(name, secret)| ("secrets", name, &secret.file));
    let configs = project.configs.iter().map(|(name, config)| ("configs", name, &config.file));
    for (kind, name, file) in secrets.chain(configs) {
        if !file.is_empty() && missing(file) {
            let message = format!("{name} is read from {file}, which lies outside the project");
            look.say(&OUTSIDE, &format!("{kind}.{name}.file"), (message, cure.to_owned()));
        }
    }
}
