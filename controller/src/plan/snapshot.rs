//! What the account looks like, read once before planning. All reads go at the same time.

use std::collections::BTreeMap;

use crate::{
    cloud,
    cloud::{
        Client, CloudError, account::Account, droplets::Droplet, firewalls::Firewall, images::Image,
        regions::Region, sizes::Size, ssh_keys::SshKey, vpcs::Vpc,
    },
    fleet::Fleet,
};

/// One look at the account.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The account.
    pub account: Account,
    /// All regions.
    pub regions: Vec<Region>,
    /// All sizes.
    pub sizes: Vec<Size>,
    /// Distributions.
    pub images: Vec<Image>,
    /// What the images of the file are; `None` where there is none.
    pub chosen: BTreeMap<String, Option<Image>>,
    /// All ssh keys.
    pub ssh_keys: Vec<SshKey>,
    /// All VPCs.
    pub vpcs: Vec<Vpc>,
    /// All firewalls.
    pub firewalls: Vec<Firewall>,
    /// All droplets of the account, ours and others.
    pub droplets: Vec<Droplet>,
}

impl Snapshot {
    /// Reads the account as far as the fleet needs it.
    ///
    /// # Errors
    /// When any read fails.
    pub async fn take(client: &Client, fleet: &Fleet) -> Result<Self, CloudError> {
        // First and alone: a wrong token is told once, not by whichever read is quickest.
        let account = cloud::account::get(client).await?;
        let (regions, sizes, images, ssh_keys, vpcs, firewalls, droplets) = futures::try_join!(
            cloud::regions::list(client),
            cloud::sizes::list(client),
            cloud::images::distributions(client),
            cloud::ssh_keys::list(client),
            cloud::vpcs::list(client),
            cloud::firewalls::list(client),
            cloud::droplets::list(client),
        )?;
        let mut chosen = BTreeMap::new();
        for role in fleet.roles.values() {
            let wanted = &role.image.value;
            if chosen.contains_key(wanted) {
                continue;
            }
            let listed = images.iter().find(|image| image.slug.as_deref() == Some(wanted)).cloned();
            let plain = wanted.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                && !wanted.starts_with('.');
            let image = match listed {
                None if plain && !wanted.is_empty() => cloud::images::get(client, wanted).await?,
                listed => listed,
            };
            chosen.insert(wanted.clone(), image);
        }
        Ok(Self { account, regions, sizes, images, chosen, ssh_keys, vpcs, firewalls, droplets })
    }
}
