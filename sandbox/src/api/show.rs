//! Resources as the API shows them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    account::state::{Action, ActionKind, ActionStatus, Droplet, Firewall, Power, SshKey, State, Tag, Vpc},
    catalog::{self, Image, Region, Size},
    domain::{actions, droplets, firewalls},
};

/// A time, to the second, as the API writes it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn region(region: &Region) -> Value {
    let sizes: Vec<&str> = catalog::sizes()
        .iter()
        .filter(|size| size.is_offered_in(region.slug))
        .map(|size| size.slug)
        .collect();
    json!({
        "name": region.name,
        "slug": region.slug,
        "features": catalog::REGION_FEATURES,
        "available": true,
        "sizes": sizes,
    })
}

fn region_by_slug(slug: &str) -> Value {
    catalog::region_by_slug(slug).map_or(Value::Null, region)
}

fn disk_info(gib: u32) -> Value {
    json!([{"type": "local", "size": {"amount": gib, "unit": "gib"}}])
}

pub(super) fn size(size: &Size) -> Value {
    let regions: Vec<&str> =
        catalog::regions().iter().map(|region| region.slug).filter(|slug| size.is_offered_in(slug)).collect();
    json!({
        "slug": size.slug,
        "memory": size.memory_mib,
        "vcpus": size.vcpus,
        "disk": size.disk_gib,
        "transfer": size.transfer_tib,
        "price_monthly": size.price_monthly,
        "price_hourly": size.price_hourly,
        "regions": regions,
        "available": true,
        "description": size.description,
        "disk_info": disk_info(size.disk_gib),
    })
}

pub(super) fn image(image: &Image) -> Value {
    let regions: Vec<&str> = catalog::regions().iter().map(|region| region.slug).collect();
    json!({
        "id": image.id,
        "name": image.name,
        "distribution": image.distribution,
        "slug": image.slug,
        "public": true,
        "regions": regions,
        "created_at": image.created_at,
        "min_disk_size": image.min_disk_gib,
        "type": match image.kind {
            catalog::ImageKind::Distribution => "base",
            catalog::ImageKind::Application => "snapshot",
        },
        "size_gigabytes": image.size_gib,
        "description": format!("{} {}", image.distribution, image.name),
        "tags": [],
        "status": "available",
        "error_message": "",
    })
}

pub(super) fn key(key: &SshKey) -> Value {
    json!({"id": key.id, "public_key": key.public_key, "name": key.name, "fingerprint": key.fingerprint})
}

pub(super) fn vpc(vpc: &Vpc) -> Value {
    json!({
        "id": vpc.id,
        "urn": format!("do:vpc:{}", vpc.id),
        "name": vpc.name,
        "description": vpc.description,
        "region": vpc.region,
        "ip_range": vpc.ip_range,
        "created_at": time(vpc.created_at),
        "default": vpc.default,
    })
}

pub(super) fn vpc_member(droplet: &Droplet) -> Value {
    json!({
        "urn": format!("do:droplet:{}", droplet.machine.droplet_id),
        "name": droplet.name,
        "created_at": time(droplet.created_at),
    })
}

/// A tag with what carries it; only droplets can, here.
pub(super) fn tag(state: &State, tag: &Tag, origin: &str) -> Value {
    let carriers = |droplet: &&Droplet| droplet.tags.contains(&tag.name);
    let count = droplets::alive(state).filter(carriers).count();
    let mut droplets = Map::from_iter([("count".to_owned(), json!(count))]);
    let last = tag.last_droplet.and_then(|id| state.droplets.get(&id)).filter(carriers);
    if let Some(droplet) = last {
        let uri = format!("{origin}/v2/droplets/{}", droplet.machine.droplet_id);
        droplets.insert("last_tagged_uri".to_owned(), uri.into());
    }
    let mut resources = droplets.clone();
    resources.insert("droplets".to_owned(), droplets.into());
    for kind in ["images", "volumes", "volume_snapshots", "databases"] {
        resources.insert(kind.to_owned(), json!({"count": 0}));
    }
    json!({"name": tag.name, "resources": resources})
}

pub(super) fn firewall(state: &State, firewall: &Firewall, now: Timestamp) -> Value {
    let settled = firewalls::is_settled(state, firewall, now);
    let changes: Vec<Value> = firewalls::pending(state, firewall, now)
        .map(|change| json!({"droplet_id": change.droplet_id, "removing": change.removing, "status": "waiting"}))
        .collect();
    json!({
        "id": firewall.id,
        "name": firewall.name,
        "status": if settled { "succeeded" } else { "waiting" },
        "inbound_rules": firewall.inbound_rules,
        "outbound_rules": firewall.outbound_rules,
        "created_at": time(firewall.created_at),
        "droplet_ids": firewall.droplet_ids,
        "tags": firewall.tags,
        "pending_changes": changes,
    })
}

pub(super) fn droplet(state: &State, droplet: &Droplet, now: Timestamp) -> Value {
    let machine = &droplet.machine;
    let locked = droplet.deleted_at.is_some() || actions::pending(state, machine.droplet_id).is_some();
    json!({
        "id": machine.droplet_id,
        "name": droplet.name,
        "memory": machine.memory_mib,
        "vcpus": machine.vcpus,
        "disk": machine.disk_gib,
        "disk_info": disk_info(machine.disk_gib),
        "locked": locked,
        "status": match droplet.power {
            Power::New => "new",
            Power::Active => "active",
            Power::Off => "off",
        },
        "kernel": null,
        "created_at": time(droplet.created_at),
        "features": droplet.features,
        "backup_ids": [],
        "next_backup_window": null,
        "snapshot_ids": [],
        "image": catalog::image_by_slug(&machine.image).map_or(Value::Null, image),
        "volume_ids": [],
        "size": catalog::size_by_slug(&droplet.size).map_or(Value::Null, size),
        "size_slug": droplet.size,
        "networks": networks(state, droplet, now),
        "region": region_by_slug(&machine.region),
        "tags": droplet.tags,
        "vpc_uuid": droplet.vpc_id,
    })
}

/// Addresses show some time after the machine first ran: an active droplet may have none yet.
fn networks(state: &State, droplet: &Droplet, now: Timestamp) -> Value {
    if !droplets::shows_address(state, droplet, now) {
        return json!({"v4": [], "v6": []});
    }
    let mut v4 = Vec::new();
    if let Some(vpc) = state.vpcs.get(&droplet.vpc_id)
        && let Some(attachment) = &droplet.machine.vpc
    {
        v4.push(json!({
            "ip_address": attachment.address,
            "netmask": vpc.ip_range.netmask(),
            "gateway": vpc.ip_range.nth(1),
            "type": "private",
        }));
    }
    let [a, b, c, _] = droplet.machine.address.octets();
    v4.push(json!({
        "ip_address": droplet.machine.address,
        "netmask": "255.255.255.0",
        "gateway": format!("{a}.{b}.{c}.1"),
        "type": "public",
    }));
    json!({"v4": v4, "v6": []})
}

pub(super) fn action(action: &Action) -> Value {
    json!({
        "id": action.id,
        "status": match action.status {
            ActionStatus::InProgress => "in-progress",
            ActionStatus::Completed => "completed",
            ActionStatus::Errored => "errored",
        },
        "type": match action.kind {
            ActionKind::Create => "create",
            ActionKind::Destroy => "destroy",
            ActionKind::Reboot => "reboot",
            ActionKind::PowerCycle => "power_cycle",
            ActionKind::PowerOff => "power_off",
            ActionKind::PowerOn => "power_on",
            ActionKind::Shutdown => "shutdown",
            ActionKind::Rename => "rename",
        },
        "started_at": time(action.started_at),
        "completed_at": action.completed_at.map(time),
        "resource_id": action.droplet_id,
        "resource_type": "droplet",
        "region": region_by_slug(&action.region),
        "region_slug": action.region,
    })
}

/// The link from a droplet that is made to its action.
pub(super) fn action_link(action: &Action, origin: &str) -> Value {
    json!({"id": action.id, "rel": "create", "href": format!("{origin}/v2/actions/{}", action.id)})
}
