//! The plan's shape. It is journaled as it stands, so it holds nothing secret and leaves no choice to whoever carries it out.

use serde::{Deserialize, Serialize};

use crate::cloud::firewalls::FirewallSpec;

/// Everything that has to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// `shop/production`.
    pub scope: String,
    /// Slug.
    pub region: String,
    /// Whose account.
    pub account: String,
    /// Droplets the account has.
    pub droplets_used: usize,
    /// Droplets it may have.
    pub droplet_limit: u32,
    /// In the order in which they are carried out.
    pub changes: Vec<Change>,
    /// What a month costs now, USD.
    pub monthly_before: f64,
    /// What it will cost.
    pub monthly_after: f64,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Made anew.
    Create,
    /// Changed in place.
    Change,
    /// Deleted and made anew.
    Replace,
    /// Deleted.
    Delete,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// Name in the cloud.
    pub name: String,
    /// Why.
    pub reason: String,
    /// To what.
    pub resource: Resource,
    /// USD a month; 0 for what is free.
    pub monthly: f64,
}

/// To what it happens, with all that is needed to do it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resource {
    /// The fleet's ssh key.
    SshKey {
        /// `ssh-ed25519 AAAA...`
        public_key: String,
    },
    /// The private network.
    Vpc,
    /// A firewall.
    Firewall {
        /// The one to change or delete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What it was before, to go back to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<FirewallSpec>,
        /// The whole of it.
        spec: FirewallSpec,
    },
    /// A droplet.
    Droplet {
        /// The one to replace or delete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// The whole of it.
        spec: DropletSpec,
    },
}

/// What a droplet is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropletSpec {
    /// Role.
    pub role: String,
    /// Slug.
    pub size: String,
    /// Slug or number.
    pub image: String,
    /// All but the intent, which is drawn when the plan is carried out.
    pub tags: Vec<String>,
}

impl Resource {
    /// `droplet`
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SshKey { .. } => "ssh key",
            Self::Vpc => "vpc",
            Self::Firewall { .. } => "firewall",
            Self::Droplet { .. } => "droplet",
        }
    }
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes of a kind there are.
    pub fn count(&self, actions: &[Action]) -> usize {
        self.changes.iter().filter(|change| actions.contains(&change.action)).count()
    }

    /// Whether anything that exists would go.
    pub fn destroys(&self) -> bool {
        self.count(&[Action::Delete, Action::Replace]) > 0
    }
}
