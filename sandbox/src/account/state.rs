//! Everything the account is, as one value. It is what `account.json` holds; rules stand in [`crate::domain`].

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::machine::MachineSpec;

/// The version of the layout below. A file of another version is refused, never guessed at.
pub const LAYOUT_VERSION: u32 = 1;

/// The account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// [`LAYOUT_VERSION`].
    pub version: u32,
    /// Who the account is.
    pub owner: Owner,
    /// Lags and limits.
    pub settings: Settings,
    /// Counters behind the ids.
    pub counters: Counters,
    /// Public ssh keys by id.
    pub keys: BTreeMap<u64, SshKey>,
    /// Virtual networks by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// Tags by folded name.
    pub tags: BTreeMap<String, Tag>,
    /// Firewalls by id.
    pub firewalls: BTreeMap<String, Firewall>,
    /// Droplets by id, those being destroyed included.
    pub droplets: BTreeMap<u64, Droplet>,
    /// Actions by id, for ever.
    pub actions: BTreeMap<u64, Action>,
}

/// Who the account is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The account's UUID, without hyphens as the API shows it.
    pub uuid: String,
    /// The team's UUID.
    pub team_uuid: String,
    /// E-mail address.
    pub email: String,
}

/// Ids only ever rise; these are the last ones given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Droplets.
    pub droplet: u64,
    /// Actions.
    pub action: u64,
    /// Ssh keys.
    pub key: u64,
    /// Mixed into every UUID, so that a repeated seed repeats none.
    pub serial: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self { droplet: 520_000_000, action: 2_400_000_000, key: 46_000_000, serial: 0 }
    }
}

/// A public ssh key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshKey {
    /// Its id.
    pub id: u64,
    /// Its name; not unique.
    pub name: String,
    /// The key in OpenSSH format, as it was given.
    pub public_key: String,
    /// MD5 of the key, in pairs of hexadecimal digits.
    pub fingerprint: String,
}

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vpc {
    /// Its UUID.
    pub id: String,
    /// Its name, unique.
    pub name: String,
    /// A free text.
    pub description: String,
    /// The region's slug.
    pub region: String,
    /// Its range.
    pub ip_range: crate::domain::cidr::Cidr,
    /// Whether droplets of the region join it unless they say otherwise.
    pub default: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// The first spelling ever used.
    pub name: String,
    /// The droplet it was last put on.
    pub last_droplet: Option<u64>,
}

/// A cloud firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// Its UUID.
    pub id: String,
    /// Its name, unique.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Droplets named one by one.
    pub droplet_ids: Vec<u64>,
    /// Tags whose droplets it applies to.
    pub tags: Vec<String>,
    /// What may come in.
    pub inbound_rules: Vec<InboundRule>,
    /// What may go out.
    pub outbound_rules: Vec<OutboundRule>,
    /// Changes of membership that may still be pending.
    pub changes: Vec<FirewallChange>,
    /// When its last change of rules or members was asked for.
    pub changed_at: Timestamp,
}

/// A droplet that joins or leaves a firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirewallChange {
    /// The droplet.
    pub droplet_id: u64,
    /// Whether it leaves.
    pub removing: bool,
    /// When that was asked for.
    pub at: Timestamp,
}

/// A rule for traffic that comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundRule {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: String,
    /// A port, a range, or `0` for all.
    pub ports: String,
    /// Where from.
    pub sources: RuleTarget,
}

/// A rule for traffic that goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundRule {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: String,
    /// A port, a range, or `0` for all.
    pub ports: String,
    /// Where to.
    pub destinations: RuleTarget,
}

/// The other side of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleTarget {
    /// Addresses and ranges.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Droplets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub droplet_ids: Vec<u64>,
    /// Load balancers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_balancer_uids: Vec<String>,
    /// Kubernetes clusters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubernetes_ids: Vec<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A droplet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Droplet {
    /// What the driver makes it from; holds id, size, addresses and user data. Its host name stays when the droplet is
    /// renamed, as on the real droplet.
    pub machine: MachineSpec,
    /// Its name in the API.
    pub name: String,
    /// The size's slug.
    pub size: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Features asked for.
    pub features: Vec<String>,
    /// Tags, in the spelling of [`State::tags`].
    pub tags: Vec<String>,
    /// Whether the machine runs, as far as the account knows.
    pub power: Power,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How long it hides after that: [`Settings`]'s lag, or a fault's.
    #[serde(default)]
    pub hidden: Hidden,
    /// When its machine first ran.
    pub running_since: Option<Timestamp>,
    /// When its deletion was asked for.
    pub deleted_at: Option<Timestamp>,
    /// Whether its machine and disk are gone.
    pub destroyed: bool,
}

/// How long a new droplet hides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// 404 on its own path.
    pub not_found: Duration,
    /// Missing from lists.
    pub not_listed: Duration,
}

/// Whether a droplet's machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It never ran.
    New,
    /// It runs.
    Active,
    /// It is off.
    Off,
}

/// Something that takes time, done to a droplet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Its id.
    pub id: u64,
    /// What is done.
    pub kind: ActionKind,
    /// How it stands.
    pub status: ActionStatus,
    /// The droplet.
    pub droplet_id: u64,
    /// The droplet's region.
    pub region: String,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Why it failed; not shown by the API, which has no field for it.
    pub failure: Option<String>,
    /// A fault holds it: it is never worked on.
    #[serde(default)]
    pub stuck: bool,
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Makes the machine.
    Create,
    /// Removes it.
    Destroy,
    /// Asks the system to reboot.
    Reboot,
    /// Pulls the plug and starts again.
    PowerCycle,
    /// Pulls the plug.
    PowerOff,
    /// Starts it.
    PowerOn,
    /// Presses the power button.
    Shutdown,
    /// Changes the name.
    Rename,
}

/// How an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionStatus {
    /// Not done yet.
    InProgress,
    /// Done.
    Completed,
    /// Failed.
    Errored,
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
