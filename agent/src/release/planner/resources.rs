//! Images, networks and volumes: what is there, what is made, what stands in the way.

use std::collections::BTreeSet;

use bollard::models::EndpointSettings;
use tidegate_compose::{hash, labels};

use super::Wanted;
use crate::apps::AppName;
use crate::docker::NetworkFacts;
use crate::release::{
    Failure, Interrupt,
    plan::{FormerNetwork, ImageAction, PlannedImage, PlannedResource, ResourceAction, ResourceKind},
    world::World,
};

/// The images of all services, and those that are mounted into them.
pub(super) fn images(wanted: Wanted<'_>, world: &World) -> Vec<PlannedImage> {
    let services = wanted.project.services.values();
    let mounts = services.clone().flat_map(|service| &service.volumes);
    let mounted = mounts.filter(|mount| mount.kind == "image").map(|mount| mount.source.as_str());
    let names: BTreeSet<&str> = services.map(|service| service.image.as_str()).chain(mounted).collect();
    let planned = |reference: &str| {
        let state = world.images.get(reference).cloned().unwrap_or_default();
        let action = match (&state.id, &state.named) {
            (None, _) => ImageAction::Pull,
            (Some(id), Some(named)) if id == named => ImageAction::Keep,
            (Some(_), _) => ImageAction::Tag,
        };
        PlannedImage {
            reference: reference.to_owned(),
            digest: state.digest,
            id: state.id,
            former: state.named,
            action,
        }
    };
    names.into_iter().map(planned).collect()
}

/// The project's networks and volumes.
pub(super) fn plan(wanted: Wanted<'_>, world: &World) -> (Vec<PlannedResource>, Vec<Failure>) {
    let project = wanted.project;
    let (mut planned, mut refused) = (Vec::new(), Vec::new());
    for (key, network) in &project.networks {
        let there = world.networks.iter().find(|facts| facts.name == network.name).map(|facts| Found {
            key: facts.labels.get(labels::NETWORK).cloned(),
            project: facts.labels.get(labels::PROJECT).cloned(),
            hash: facts.labels.get(labels::CONFIG_HASH).cloned(),
            former: Some(former(world, facts)),
        });
        let users = project.services.values().filter(|service| service.networks.contains_key(key));
        let asked = Asked {
            users: users.map(|service| service.name.as_str()).collect(),
            interrupt: wanted.interrupt,
            kind: ResourceKind::Network,
            key,
            name: &network.name,
            is_external: network.external,
            is_shared: wanted.shared.contains(&format!("network:{}", network.name)),
            app: wanted.app,
            hash: hash::network(network),
        };
        one(&asked, there, (&mut planned, &mut refused));
    }
    for (key, volume) in &project.volumes {
        let there = world.volumes.iter().find(|facts| facts.name == volume.name).map(|facts| Found {
            // docker compose uses a volume that is there, whoever made it.
            key: Some(key.clone()),
            project: facts.labels.get(labels::PROJECT).cloned(),
            hash: facts.labels.get(labels::CONFIG_HASH).cloned(),
            former: None,
        });
        let asked = Asked {
            users: Vec::new(),
            interrupt: wanted.interrupt,
            kind: ResourceKind::Volume,
            key,
            name: &volume.name,
            is_external: volume.external,
            is_shared: wanted.shared.contains(&format!("volume:{}", volume.name)),
            app: wanted.app,
            hash: hash::volume(volume),
        };
        one(&asked, there, (&mut planned, &mut refused));
    }
    (planned, refused)
}

/// A network as it is, and how the app's containers stand on it.
fn former(world: &World, facts: &NetworkFacts) -> FormerNetwork {
    let on_it = world.containers.iter().filter_map(|container| {
        let endpoint = container.endpoints.get(&facts.name)?;
        // Docker adds the short id by itself.
        let is_id = |alias: &String| container.id.starts_with(alias.as_str());
        let aliases = endpoint.aliases.iter().flatten().filter(|alias| !is_id(alias));
        let settings = EndpointSettings {
            ipam_config: endpoint.ipam_config.clone(),
            links: endpoint.links.clone(),
            aliases: Some(aliases.cloned().collect()),
            driver_opts: endpoint.driver_opts.clone(),
            gw_priority: endpoint.gw_priority,
            mac_address: endpoint.mac_address.clone().filter(|address| !address.is_empty()),
            ..EndpointSettings::default()
        };
        Some((container.id.clone(), settings))
    });
    FormerNetwork { definition: facts.definition.clone(), endpoints: on_it.collect() }
}

struct Found {
    key: Option<String>,
    project: Option<String>,
    hash: Option<String>,
    former: Option<FormerNetwork>,
}

struct Asked<'a> {
    kind: ResourceKind,
    key: &'a str,
    name: &'a str,
    is_external: bool,
    /// Whether an admin allowed it, should it be another app's.
    is_shared: bool,
    app: &'a AppName,
    hash: String,
    /// Services on it, of a network.
    users: Vec<&'a str>,
    interrupt: Interrupt,
}

fn one(
    asked: &Asked<'_>,
    there: Option<Found>,
    (planned, refused): (&mut Vec<PlannedResource>, &mut Vec<Failure>),
) {
    let (word, plural) = match asked.kind {
        ResourceKind::Network => ("network", "networks"),
        ResourceKind::Volume => ("volume", "volumes"),
    };
    let place = format!("{plural}.{}", asked.key);
    let name = asked.name;
    let (mut note, mut former) = (String::new(), None);
    let action = match there {
        None if asked.is_external => {
            let failure = Failure::new(
                format!("there is no {word} {name}"),
                "it is declared `external`, so it has to exist",
            );
            refused.push(
                failure.at(place).hint(format!("make it on the droplet first: docker {word} create {name}")),
            );
            return;
        }
        None => ResourceAction::Create,
        Some(found)
            if !asked.is_shared
                && found.project.as_ref().is_some_and(|other| other != asked.app.as_str()) =>
        {
            refused.push(foreign(asked, (word, &found.project.unwrap_or_default())).at(place));
            return;
        }
        Some(_) if asked.is_external => ResourceAction::Keep,
        Some(found) if found.key.as_deref() != Some(asked.key) => {
            let failure = Failure::new(
                format!("the {word} {name} belongs to somebody else"),
                "its label says that it was not made for this key of this project",
            );
            refused.push(failure.at(place).hint(format!(
                "give it another `name`, or declare it `external` to use the {word} as it is"
            )));
            return;
        }
        // One without a hash was made by an older tool: it is used as it is.
        Some(found) if found.hash.as_ref().is_some_and(|hash| *hash != asked.hash) => {
            match changed(asked, found) {
                Ok((action, text, before)) => {
                    (note, former) = (text, before);
                    action
                }
                Err(failure) => {
                    refused.push(failure.at(place));
                    return;
                }
            }
        }
        Some(_) => ResourceAction::Keep,
    };
    planned.push(PlannedResource {
        kind: asked.kind,
        key: asked.key.to_owned(),
        name: name.to_owned(),
        action,
        note,
        former,
    });
}

/// What becomes of one whose definition is another one now, with a note, and what brings it back.
fn changed(
    asked: &Asked<'_>,
    found: Found,
) -> Result<(ResourceAction, String, Option<Box<FormerNetwork>>), Failure> {
    let is_own = found.project.as_deref() == Some(asked.app.as_str());
    match (asked.kind, asked.interrupt) {
        (ResourceKind::Volume, _) => Ok((ResourceAction::Keep, VOLUME_CHANGED.to_owned(), None)),
        (ResourceKind::Network, Interrupt::Allowed) if is_own => {
            let note = format!("its definition changed; {} stop together for it", asked.users.join(", "));
            Ok((ResourceAction::Recreate, note, found.former.map(Box::new)))
        }
        (ResourceKind::Network, _) => {
            let hint = if is_own { agree(asked) } else { not_alone() };
            Err(changed_network(asked).hint(hint))
        }
    }
}

/// Data is never dropped because a file changed.
const VOLUME_CHANGED: &str = "its definition changed, but a volume that is there is not changed: it is used as it is, with its \
     data; for the new definition give it a new `name`, or remove it yourself";

fn changed_network(asked: &Asked<'_>) -> Failure {
    let (name, users) = (asked.name, asked.users.join(", "));
    let why = format!(
        "a network cannot be changed while it is there: it has to be removed, and every container on it with it ({users})"
    );
    Failure::new(format!("the definition of network {name} changed"), why)
}

/// The way around it.
const OTHER: &str =
    "undo the change, or give the network a new `name`, to which its services then move one by one";

fn agree(asked: &Asked<'_>) -> String {
    let users = asked.users.join(", ");
    format!("`--interrupt` agrees that {users} stop together and come back on the new network; else {OTHER}")
}

fn not_alone() -> String {
    format!("the network is not this app's alone, so it stays; {OTHER}")
}

fn foreign(asked: &Asked<'_>, (word, other): (&str, &str)) -> Failure {
    let (name, app) = (asked.name, asked.app);
    Failure::new(
        format!("the {word} {name} is another app's"),
        format!("it belongs to {other}, whose data and services {app} could reach through it"),
    )
    .hint(format!(
        "give it a name of its own, or have an admin allow it on the droplet in /etc/tidegate/policy.toml: \
         [[allow]] app = \"{app}\", service = \"...\", rights = [\"{word}:{name}\"]"
    ))
}
