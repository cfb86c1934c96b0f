//! Compares what the file wants with what the account has.

use jiff::Timestamp;

use super::{
    model::{Action, Change, DropletSpec, Plan, Resource},
    snapshot::Snapshot,
};
use crate::{
    agents::AGENT_PORT,
    cloud::{
        droplets::Droplet,
        firewalls::{Addresses, Firewall, FirewallSpec, InboundRule, OutboundRule},
        ssh_keys::same_key,
    },
    fleet::{self, Fleet, Inbound, Role, Rollout},
    names::{Name, role_tag},
    state::Inventory,
};

/// The plan for a checked fleet. `at` decides whose one-time token ran out.
pub fn make(fleet: &Fleet, inventory: &Inventory, ssh_key: &str, now: &Snapshot, at: Timestamp) -> Plan {
    let mut changes = Vec::new();
    let mut notes = Vec::new();
    changes.extend(ssh_key_change(fleet, ssh_key, now));
    changes.extend(vpc_change(fleet, now));
    changes.extend(firewall_changes(fleet, now));
    changes.extend(droplet_changes(fleet, inventory, now, at, &mut notes));
    let price =
        |slug: &str| now.sizes.iter().find(|size| size.slug == slug).map_or(0.0, |size| size.price_monthly);
    let ours = now.droplets.iter().filter(|own| own.has_tag(&fleet.scope.tag()));
    // Starts at zero: an empty sum of floats is minus zero, and would be printed so.
    let before = ours.map(|own| price(&own.size_slug)).fold(0.0, |sum, one| sum + one);
    let delta = |change: &Change| match change.action {
        Action::Create => change.monthly,
        Action::Delete => -change.monthly,
        Action::Change | Action::Replace => 0.0,
    };
    let after = before + changes.iter().map(delta).sum::<f64>();
    Plan {
        scope: fleet.scope.to_string(),
        region: fleet.region.value.clone(),
        account: now.account.email.clone(),
        droplets_used: now.droplets.len(),
        droplet_limit: now.account.droplet_limit,
        changes,
        monthly_before: before,
        monthly_after: after,
        notes,
    }
}

fn free(action: Action, name: String, reason: &str, resource: Resource) -> Change {
    Change { action, name, reason: reason.to_owned(), resource, monthly: 0.0 }
}

fn ssh_key_change(fleet: &Fleet, ssh_key: &str, now: &Snapshot) -> Option<Change> {
    let there = now.ssh_keys.iter().any(|key| same_key(&key.public_key, ssh_key));
    let resource = Resource::SshKey { public_key: ssh_key.to_owned() };
    (!there).then(|| free(Action::Create, fleet.scope.base(), "", resource))
}

fn vpc_change(fleet: &Fleet, now: &Snapshot) -> Option<Change> {
    let there = now.vpcs.iter().any(|vpc| vpc.name == fleet.scope.base());
    (!there).then(|| free(Action::Create, fleet.scope.base(), "", Resource::Vpc))
}

fn firewall_changes(fleet: &Fleet, now: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, wanted) in &fleet.firewalls {
        let spec = firewall_spec(fleet, name, wanted);
        let full = spec.name.clone();
        match now.firewalls.iter().find(|own| own.spec.name == full) {
            None => changes.push(free(
                Action::Create,
                full,
                "",
                Resource::Firewall { id: None, before: None, spec },
            )),
            Some(own) if own.spec.canonical() != spec.canonical() => {
                let resource =
                    Resource::Firewall { id: Some(own.id.clone()), before: Some(own.spec.clone()), spec };
                changes.push(free(Action::Change, full, "its rules differ from the file", resource));
            }
            Some(_) => {}
        }
    }
    let gone = now.firewalls.iter().filter(|own| is_left_over(fleet, own));
    changes.extend(gone.map(|own| {
        let resource = Resource::Firewall { id: Some(own.id.clone()), before: None, spec: own.spec.clone() };
        free(Action::Delete, own.spec.name.clone(), "no longer in the file", resource)
    }));
    changes
}

/// Ours by its tag, and not in the file any more.
fn is_left_over(fleet: &Fleet, own: &Firewall) -> bool {
    let Some(name) = fleet.scope.firewall_of(&own.spec.name) else { return false };
    let tag = fleet.scope.firewall_tag(&name);
    own.spec.tags.iter().any(|t| crate::names::same_tag(t, &tag)) && !fleet.firewalls.contains_key(&name)
}

/// The firewall as the API takes it. Everything may go out: a droplet has to fetch packages and images.
pub(super) fn firewall_spec(fleet: &Fleet, name: &Name, wanted: &fleet::Firewall) -> FirewallSpec {
    let everywhere =
        || Addresses { addresses: vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()], tags: Vec::new() };
    let outbound = ["tcp", "udp", "icmp"].map(|protocol| OutboundRule {
        protocol: protocol.to_owned(),
        ports: "0".to_owned(),
        destinations: everywhere(),
    });
    FirewallSpec {
        name: fleet.scope.firewall(name),
        inbound_rules: wanted
            .inbound
            .iter()
            .flat_map(inbound_rules)
            .chain(agents_rule(fleet, name))
            .collect(),
        outbound_rules: outbound.into(),
        tags: vec![fleet.scope.firewall_tag(name)],
        droplet_ids: Vec::new(),
    }
}

/// The agents of an app that is released together ask each other how it goes: from the fleet's own droplets their port is
/// open, whatever else the file says about it.
fn agents_rule(fleet: &Fleet, name: &Name) -> Option<InboundRule> {
    let protects = |app: &fleet::App| {
        let roles = fleet.roles_of(app);
        let of = |role: &Name| fleet.roles.get(role).is_some_and(|role| role.firewalls.contains(name));
        app.rollout == Rollout::Together && roles.iter().any(of)
    };
    fleet.apps.values().any(protects).then(|| InboundRule {
        protocol: "tcp".to_owned(),
        ports: AGENT_PORT.to_string(),
        sources: Addresses { addresses: Vec::new(), tags: vec![fleet.scope.tag()] },
    })
}

fn inbound_rules(rule: &Inbound) -> Vec<InboundRule> {
    let addresses: Vec<String> = rule.from.iter().flat_map(fleet::Source::cidrs).collect();
    let one = |ports: String| InboundRule {
        protocol: rule.protocol.as_str().to_owned(),
        ports,
        sources: Addresses { addresses: addresses.clone(), tags: Vec::new() },
    };
    if addresses.is_empty() {
        // A group without addresses lets nobody in, and the API refuses a rule without sources.
        Vec::new()
    } else if rule.ports.is_empty() {
        vec![one("0".to_owned())]
    } else {
        rule.ports.iter().map(|ports| one(ports.to_string())).collect()
    }
}

fn droplet_changes(
    fleet: &Fleet,
    inventory: &Inventory,
    now: &Snapshot,
    at: Timestamp,
    notes: &mut Vec<String>,
) -> Vec<Change> {
    let scope = &fleet.scope;
    let price =
        |slug: &str| now.sizes.iter().find(|size| size.slug == slug).map_or(0.0, |size| size.price_monthly);
    let ours: Vec<&Droplet> = now.droplets.iter().filter(|own| own.has_tag(&scope.tag())).collect();
    let mut changes = Vec::new();
    let mut wanted_names = Vec::new();
    for (role, wanted) in &fleet.roles {
        let spec = droplet_spec(fleet, role, wanted);
        for number in 1..=wanted.count {
            let name = scope.droplet(role, number);
            let monthly = price(&spec.size);
            let found = ours.iter().find(|own| own.name.eq_ignore_ascii_case(&name));
            wanted_names.push(name.clone());
            let change = |action, reason: String, id| {
                let resource = Resource::Droplet { id, spec: spec.clone() };
                Change { action, name: name.clone(), reason, resource, monthly }
            };
            match found {
                None => changes.push(change(Action::Create, String::new(), None)),
                Some(own) if never_enrolled(own, inventory, at) => {
                    let reason = "it did not enrol in time, so its one-time token is void".to_owned();
                    changes.push(change(Action::Replace, reason, Some(own.id)));
                }
                Some(own) => notes.extend(differences(own, &spec)),
            }
        }
    }
    for own in ours.iter().filter(|own| !wanted_names.iter().any(|name| own.name.eq_ignore_ascii_case(name)))
    {
        let spec = DropletSpec {
            role: String::new(),
            size: own.size_slug.clone(),
            image: own.image.slug.clone().unwrap_or_else(|| own.image.id.to_string()),
            tags: own.tags.clone(),
        };
        changes.push(Change {
            action: Action::Delete,
            name: own.name.clone(),
            reason: "no longer in the file".to_owned(),
            monthly: price(&spec.size),
            resource: Resource::Droplet { id: Some(own.id), spec },
        });
    }
    changes
}

/// Only what our own record says: made with an intent of ours, not enrolled, token run out.
fn never_enrolled(own: &Droplet, inventory: &Inventory, at: Timestamp) -> bool {
    inventory.droplets.get(&own.name).is_some_and(|record| {
        own.has_tag(&record.intent.tag()) && !record.enrolled && record.token_expires_at <= at
    })
}

pub(super) fn droplet_spec(fleet: &Fleet, role: &Name, wanted: &Role) -> DropletSpec {
    let mut tags = vec![fleet.scope.tag(), role_tag(role)];
    tags.extend(wanted.firewalls.iter().map(|name| fleet.scope.firewall_tag(name)));
    DropletSpec {
        role: role.to_string(),
        size: wanted.size.value.clone(),
        image: wanted.image.value.clone(),
        tags,
    }
}

/// What this version sees and does not change.
fn differences(own: &Droplet, spec: &DropletSpec) -> Vec<String> {
    let mut notes = Vec::new();
    if own.size_slug != spec.size {
        notes.push(format!(
            "{} is {}, the file says {}: this version does not resize droplets",
            own.name, own.size_slug, spec.size
        ));
    }
    let image = own.image.slug.clone().unwrap_or_else(|| own.image.id.to_string());
    if image != spec.image && own.image.id.to_string() != spec.image && own.image.slug.is_some() {
        notes.push(format!(
            "{} was made from {image}, the file says {}: it stays as it is",
            own.name, spec.image
        ));
    }
    for tag in spec.tags.iter().filter(|tag| !own.has_tag(tag)) {
        notes
            .push(format!("{} lacks the tag {tag}: this version does not change tags of droplets", own.name));
    }
    notes
}
