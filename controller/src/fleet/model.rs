//! The fleet file for one environment, checked as far as the file alone can be.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, path::PathBuf, time::Duration};

use serde::Serialize;
use url::Url;

use super::{addresses::Source, alert::Alert, bucket::Bucket, problem::Place};
use crate::names::{Name, Scope};

/// A value and where it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// One environment of a fleet.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Which fleet and environment.
    pub scope: Scope,
    /// Directory of the file; relative paths start there.
    pub directory: PathBuf,
    /// Slug.
    pub region: Located<String>,
    /// Roles by name.
    pub roles: BTreeMap<Name, Role>,
    /// Firewalls by name.
    pub firewalls: BTreeMap<Name, Firewall>,
    /// Buckets by name.
    pub buckets: BTreeMap<Name, Bucket>,
    /// Whom droplets tell what is not well.
    pub alert: Option<Alert>,
    /// Apps by name.
    pub apps: BTreeMap<Name, App>,
    /// Where droplets get the agent.
    pub agent: Option<AgentSource>,
    /// Who gets in by ssh.
    pub ssh: Ssh,
    /// How long a fresh droplet's token is good.
    pub enrol_within: Duration,
}

/// `[droplet.ROLE]`: `count` droplets of one kind.
#[derive(Debug, Clone)]
pub struct Role {
    /// Slug.
    pub size: Located<String>,
    /// Slug, or the number of an own image.
    pub image: Located<String>,
    /// How many.
    pub count: u32,
    /// Names of firewalls.
    pub firewalls: Vec<Name>,
    /// Where the role stands.
    pub place: Place,
}

/// `[firewall.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// What may come in.
    pub inbound: Vec<Inbound>,
}

/// One inbound rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// Protocol; tcp when not said.
    pub protocol: Protocol,
    /// Ports; all of them when empty.
    pub ports: Vec<Ports>,
    /// From where, in the file's order.
    pub from: Vec<Source>,
}

/// A transport protocol of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP; has no ports.
    Icmp,
}

impl Protocol {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// One port or a range, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// First.
    pub first: u16,
    /// Last.
    pub last: u16,
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// `[app.NAME]`.
#[derive(Debug, Clone)]
pub struct App {
    /// Compose files in order, relative to the fleet file.
    pub compose: Vec<Located<String>>,
    /// Roles it runs on.
    pub droplets: Vec<Name>,
    /// Files with variables, relative to the fleet file.
    pub env_files: Vec<Located<String>>,
    /// Compose profiles.
    pub profiles: Vec<String>,
    /// How its droplets come to a release.
    pub rollout: Rollout,
}

/// How the droplets of an app come to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollout {
    /// So many at a time; the first that fails ends it.
    Rolling {
        /// How many droplets at a time, at least one.
        max_unavailable: NonZeroU32,
    },
    /// All of them with it, or none.
    Together,
}

impl Default for Rollout {
    fn default() -> Self {
        Self::Rolling { max_unavailable: NonZeroU32::MIN }
    }
}

/// `[agent]`: where droplets download the agent, pinned by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSource {
    /// Address as the droplet sees it.
    pub url: Url,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// `[ssh]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ssh {
    /// Public keys besides the fleet's own.
    pub authorized_keys: Vec<String>,
}
