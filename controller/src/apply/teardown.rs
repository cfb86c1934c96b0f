//! Deleting: by id, after looking whose it is, with patience for what clings to it. Safe to repeat; what is gone is done.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::work::Work;
use crate::{
    cloud::{
        CloudError, Deleted,
        droplets::{self, Droplet},
        firewalls, ssh_keys, tags, vpcs,
    },
    names::{INTENT_TAG, same_tag},
    plan::{is_our_firewall, is_our_vpc},
    state::Inventory,
};

/// What `down` will delete, all of it provably ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Ours {
    /// Droplets with the scope's tag: id and name.
    pub droplets: Vec<(u64, String)>,
    /// Firewalls: id and name.
    pub firewalls: Vec<(String, String)>,
    /// Our ssh key: id and name.
    pub ssh_keys: Vec<(u64, String)>,
    /// Our VPC: id and name.
    pub vpcs: Vec<(String, String)>,
    /// Tags that only we make.
    pub tags: Vec<String>,
    /// Tags shared by all fleets; deleted only when nothing carries them.
    pub shared_tags: Vec<String>,
}

impl Ours {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.droplets.is_empty()
            && self.firewalls.is_empty()
            && self.ssh_keys.is_empty()
            && self.vpcs.is_empty()
            && self.tags.is_empty()
    }

    /// Looks for all that is ours. `ssh_key` is the public key in the state directory.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub async fn find(work: &Work, inventory: &Inventory, ssh_key: Option<&str>) -> Result<Self, CloudError> {
        let client = &work.client;
        let scope_tag = work.scope.tag();
        let (droplets, firewalls, keys, vpcs, tags) = futures::try_join!(
            droplets::list_tagged(client, &scope_tag),
            firewalls::list(client),
            ssh_keys::list(client),
            vpcs::list(client),
            tags::list(client),
        )?;
        let droplets: Vec<Droplet> = droplets.into_iter().filter(|own| own.has_tag(&scope_tag)).collect();
        let base = work.scope.base();
        let our_firewall = |own: &firewalls::Firewall| {
            let named = work.scope.firewall_of(&own.spec.name);
            named.is_some_and(|name| is_our_firewall(own, inventory, &work.scope.firewall_tag(&name)))
        };
        let our_key = |key: &ssh_keys::SshKey| {
            let known = inventory.ssh_key == Some(key.id);
            key.name == base && (known || ssh_key.is_some_and(|own| ssh_keys::same_key(own, &key.public_key)))
        };
        let our_vpc = |vpc: &vpcs::Vpc| vpc.name == base && is_our_vpc(vpc, inventory, &scope_tag);
        Ok(Self {
            firewalls: firewalls
                .into_iter()
                .filter(our_firewall)
                .map(|own| (own.id, own.spec.name))
                .collect(),
            ssh_keys: keys.into_iter().filter(our_key).map(|key| (key.id, key.name)).collect(),
            vpcs: vpcs.into_iter().filter(our_vpc).map(|vpc| (vpc.id, vpc.name)).collect(),
            tags: our_tags(work, inventory, &droplets, &tags),
            shared_tags: shared_tags(&droplets),
            droplets: droplets.into_iter().map(|own| (own.id, own.name)).collect(),
        })
    }

    /// Deletes all of it, droplets first.
    ///
    /// # Errors
    /// When something cannot be deleted in time; run it again then.
    pub async fn delete(&self, work: &Work) -> Result<(), CloudError> {
        let droplets = self.droplets.iter().map(|(id, name)| async move {
            let step = work.printer.step(format!("droplet {name}"));
            delete_droplet(work, *id).await?;
            wait_gone(work, *id).await?;
            step.done("deleted");
            Ok::<(), CloudError>(())
        });
        futures::future::try_join_all(droplets).await?;
        for (id, name) in &self.firewalls {
            let step = work.printer.step(format!("firewall {name}"));
            firewalls::delete(&work.client, id).await?;
            step.done("deleted");
        }
        for (id, name) in &self.ssh_keys {
            let step = work.printer.step(format!("ssh key {name}"));
            ssh_keys::delete(&work.client, *id).await?;
            step.done("deleted");
        }
        for (id, name) in &self.vpcs {
            let step = work.printer.step(format!("vpc {name}"));
            delete_vpc(work, id).await?;
            step.done("deleted");
        }
        for tag in &self.tags {
            tags::delete(&work.client, tag).await?;
        }
        if !self.shared_tags.is_empty() {
            let now = tags::list(&work.client).await?;
            let bare = |tag: &&tags::Tag| {
                tag.resources.count == 0 && self.shared_tags.iter().any(|own| same_tag(own, &tag.name))
            };
            for tag in now.iter().filter(bare) {
                tags::delete(&work.client, &tag.name).await?;
            }
        }
        Ok(())
    }
}

/// Tags that nobody else can have made: the scope's, its firewalls', its apps' releases', and the intents of its droplets.
fn our_tags(work: &Work, inventory: &Inventory, droplets: &[Droplet], tags: &[tags::Tag]) -> Vec<String> {
    let scope_tag = work.scope.tag();
    let prefixes = [work.scope.firewall_tag_prefix(), work.scope.release_tag_prefix()];
    let carried = |name: &str| droplets.iter().any(|own| own.has_tag(name));
    let intended = |name: &str| inventory.droplets.values().any(|own| same_tag(&own.intent.tag(), name));
    let ours = |name: &str| {
        same_tag(name, &scope_tag)
            || prefixes.iter().any(|prefix| name.to_lowercase().starts_with(prefix))
            || (name.starts_with(INTENT_TAG) && (carried(name) || intended(name)))
    };
    tags.iter().map(|tag| tag.name.clone()).filter(|name| ours(name)).collect()
}

/// Tags of our droplets that other fleets may use too.
fn shared_tags(droplets: &[Droplet]) -> Vec<String> {
    let roles = droplets.iter().flat_map(|own| &own.tags).filter(|tag| tag.starts_with("tidegate-role:"));
    roles.cloned().collect::<BTreeSet<String>>().into_iter().collect()
}

/// Deletes a droplet, waiting while an event is pending.
pub(super) async fn delete_droplet(work: &Work, id: u64) -> Result<Deleted, CloudError> {
    let until = Instant::now() + work.timing.gone;
    loop {
        match droplets::delete(&work.client, id).await {
            Err(error) if error.is_busy() && Instant::now() < until => {
                work.waits.sleep(work.timing.poll).await;
            }
            other => return other,
        }
    }
}

/// Waits until a deleted droplet no longer shows; after the time it is left to the cloud.
pub(super) async fn wait_gone(work: &Work, id: u64) -> Result<(), CloudError> {
    let until = Instant::now() + work.timing.gone;
    while droplets::get(&work.client, id).await?.is_some() && Instant::now() < until {
        work.waits.sleep(work.timing.poll).await;
    }
    Ok(())
}

/// Deletes a VPC, waiting while members linger.
pub(super) async fn delete_vpc(work: &Work, id: &str) -> Result<Deleted, CloudError> {
    let until = Instant::now() + work.timing.gone;
    loop {
        match vpcs::delete(&work.client, id).await {
            Err(error) if error.is_busy() && Instant::now() < until => {
                work.waits.sleep(work.timing.poll).await;
            }
            other => return other,
        }
    }
}
