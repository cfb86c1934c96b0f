//! What is mounted into a container: binds, volumes, tmpfs, secrets and configs that are files.

use std::collections::HashMap;

use bollard::models::{
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountImageOptions, MountTmpfsOptions,
    MountType, MountVolumeOptions,
};
use tidegate_compose::{
    Compatibility, Project, Service,
    model::{BindOptions, FileReference, VolumeMount},
};

use super::{ContainerSpec, map};

/// Binds and mounts, as docker compose 2.40 divides them.
pub(super) fn of(spec: &ContainerSpec<'_>) -> (Vec<String>, Vec<Mount>) {
    let (mut binds, mut mounts) = (Vec::new(), Vec::new());
    for volume in &spec.service.volumes {
        match bind_text(spec.project, volume) {
            Some(bind) => binds.push(bind),
            None => mounts.push(mount(spec.project, volume)),
        }
    }
    mounts.extend(file_mounts(spec));
    for (destination, name) in spec.inherited {
        let named = |volume: &VolumeMount| volume.target == *destination && !volume.source.is_empty();
        if !spec.service.volumes.iter().any(named) {
            mounts.retain(|mount| mount.target.as_ref() != Some(destination));
            mounts.push(Mount {
                typ: Some(MountType::VOLUME),
                source: Some(name.clone()),
                target: Some(destination.clone()),
                ..Mount::default()
            });
        }
    }
    (binds, mounts)
}

/// The service's `tmpfs`: `path[:options]`.
pub(super) fn tmpfs(service: &Service) -> Option<HashMap<String, String>> {
    let entry = |text: &String| match text.split_once(':') {
        Some((path, options)) => (path.to_owned(), options.to_owned()),
        None => (text.clone(), String::new()),
    };
    if service.tmpfs.is_empty() { None } else { Some(service.tmpfs.iter().map(entry).collect()) }
}

/// The short form, where docker compose uses it.
fn bind_text(project: &Project, volume: &VolumeMount) -> Option<String> {
    let access = if volume.read_only { "ro" } else { "rw" };
    match volume.kind.as_str() {
        "bind" => {
            let plain = BindOptions { create_host_path: true, ..BindOptions::default() };
            let options = volume.bind.as_ref().unwrap_or(&plain);
            let short =
                options.create_host_path && options.propagation.is_empty() && options.recursive.is_empty();
            let selinux =
                if options.selinux.is_empty() { String::new() } else { format!(",{}", options.selinux) };
            short.then(|| format!("{}:{}:{access}{selinux}", volume.source, volume.target))
        }
        "volume" if !volume.source.is_empty() => {
            let options = volume.volume.clone().unwrap_or_default();
            // The older docker compose has the long form for all volumes.
            let plain = project.compatibility == Compatibility::V2_40
                && options.labels.is_empty()
                && options.subpath.is_empty()
                && !options.nocopy;
            plain.then(|| format!("{}:{}:{access}", volume_name(project, &volume.source), volume.target))
        }
        _ => None,
    }
}

fn volume_name<'p>(project: &'p Project, key: &'p str) -> &'p str {
    project.volumes.get(key).map_or(key, |volume| volume.name.as_str())
}

fn mount(project: &Project, volume: &VolumeMount) -> Mount {
    let (kind, source) = match volume.kind.as_str() {
        "bind" => (MountType::BIND, volume.source.as_str()),
        "tmpfs" => (MountType::TMPFS, ""),
        "image" => (MountType::IMAGE, volume.source.as_str()),
        _ => (MountType::VOLUME, volume_name(project, &volume.source)),
    };
    Mount {
        typ: Some(kind),
        source: if source.is_empty() { None } else { Some(source.to_owned()) },
        target: Some(volume.target.clone()),
        read_only: Some(volume.read_only).filter(|read_only| *read_only),
        consistency: Some(volume.consistency.clone()).filter(|text| !text.is_empty()),
        bind_options: volume.bind.as_ref().map(bind_options),
        volume_options: volume.volume.as_ref().map(|options| MountVolumeOptions {
            no_copy: Some(options.nocopy).filter(|no_copy| *no_copy),
            labels: map(&options.labels),
            subpath: Some(options.subpath.clone()).filter(|path| !path.is_empty()),
            ..MountVolumeOptions::default()
        }),
        tmpfs_options: volume.tmpfs.as_ref().map(|options| MountTmpfsOptions {
            size_bytes: Some(options.size.0).filter(|bytes| *bytes != 0),
            mode: Some(i64::from(options.mode)).filter(|mode| *mode != 0),
            ..MountTmpfsOptions::default()
        }),
        image_options: volume.image.as_ref().map(|options| MountImageOptions {
            subpath: Some(options.subpath.clone()).filter(|path| !path.is_empty()),
        }),
    }
}

fn bind_options(options: &BindOptions) -> MountBindOptions {
    let propagation = match options.propagation.as_str() {
        "private" => Some(MountBindOptionsPropagationEnum::PRIVATE),
        "rprivate" => Some(MountBindOptionsPropagationEnum::RPRIVATE),
        "shared" => Some(MountBindOptionsPropagationEnum::SHARED),
        "rshared" => Some(MountBindOptionsPropagationEnum::RSHARED),
        "slave" => Some(MountBindOptionsPropagationEnum::SLAVE),
        "rslave" => Some(MountBindOptionsPropagationEnum::RSLAVE),
        _ => None,
    };
    MountBindOptions {
        propagation,
        create_mountpoint: Some(options.create_host_path).filter(|create| *create),
        non_recursive: Some(options.recursive == "disabled").filter(|not| *not),
        read_only_non_recursive: Some(options.recursive == "writable").filter(|non| *non),
        read_only_force_recursive: Some(options.recursive == "readonly").filter(|force| *force),
    }
}

/// Secrets and configs that are files: read-only binds.
fn file_mounts(spec: &ContainerSpec<'_>) -> Vec<Mount> {
    let secrets = spec.service.secrets.iter().filter_map(|reference| {
        let secret = spec.project.secrets.get(&reference.source)?;
        let options = (spec.project.compatibility == Compatibility::V2_40).then(MountBindOptions::default);
        Some((secret.file.as_str(), secret_target(reference), options))
    });
    let configs = spec.service.configs.iter().filter_map(|reference| {
        let config = spec.project.configs.get(&reference.source)?;
        Some((config.file.as_str(), config_target(reference), None))
    });
    let bound = secrets.chain(configs).filter(|(file, ..)| !file.is_empty());
    bound
        .map(|(file, target, bind_options)| Mount {
            typ: Some(MountType::BIND),
            source: Some(file.to_owned()),
            target: Some(target),
            read_only: Some(true),
            bind_options,
            ..Mount::default()
        })
        .collect()
}

/// Where a secret appears in the container.
pub fn secret_target(reference: &FileReference) -> String {
    let target = if reference.target.is_empty() { &reference.source } else { &reference.target };
    if target.starts_with('/') { target.clone() } else { format!("/run/secrets/{target}") }
}

/// Where a config appears in the container.
pub fn config_target(reference: &FileReference) -> String {
    if reference.target.is_empty() { format!("/{}", reference.source) } else { reference.target.clone() }
}
