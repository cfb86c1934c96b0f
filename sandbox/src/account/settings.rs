//! What can be tuned about the account: how long things take to show, and its limits. Part of the account's state;
//! `PUT /sandbox/settings` replaces it. Times are milliseconds on the wire and on disk, [`Duration`]s in the program.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Lags and limits of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long things take to show.
    pub lags: Lags,
    /// How many droplets the account may have.
    pub droplet_limit: u32,
    /// Requests per token and hour.
    pub hourly_limit: u32,
    /// Requests per token and minute.
    pub burst_limit: u32,
    /// Reads of `/v2/account/keys` per token and minute.
    pub key_list_limit: u32,
    /// Whether a droplet with an unfinished action may be deleted.
    pub delete_while_pending: WhilePending,
    /// Origin put into links (`https://api.digitalocean.com`); without one, links name the host that was asked.
    pub link_origin: Option<String>,
}

/// What happens to a request for a droplet that has an unfinished action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhilePending {
    /// It is refused (422).
    Refuse,
    /// It is done.
    Allow,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lags: Lags::measured(),
            droplet_limit: 25,
            hourly_limit: 5000,
            burst_limit: 250,
            key_list_limit: 10,
            delete_while_pending: WhilePending::Refuse,
            link_origin: None,
        }
    }
}

/// How long things take to show, on top of what the machine itself takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lags {
    /// A new droplet answers 404 for so long.
    #[serde(with = "millis")]
    pub create_not_found: Duration,
    /// A new droplet is missing from lists for so long.
    #[serde(with = "millis")]
    pub create_not_listed: Duration,
    /// A new droplet stays `new` at least so long.
    #[serde(with = "millis")]
    pub provision: Duration,
    /// A droplet is `active` for so long before it shows an address.
    #[serde(with = "millis")]
    pub address: Duration,
    /// Any other droplet action stays in progress at least so long.
    #[serde(with = "millis")]
    pub action: Duration,
    /// A deleted droplet is still seen for so long.
    #[serde(with = "millis")]
    pub delete_visible: Duration,
    /// A deleted droplet is still a member of its VPC for so long.
    #[serde(with = "millis")]
    pub member: Duration,
    /// A firewall's change is pending for so long.
    #[serde(with = "millis")]
    pub firewall: Duration,
}

impl Lags {
    /// What was seen of the real API: the default.
    pub fn measured() -> Self {
        Self {
            create_not_found: Duration::from_secs(1),
            create_not_listed: Duration::from_secs(2),
            provision: Duration::from_secs(2),
            address: Duration::from_millis(500),
            action: Duration::from_secs(1),
            delete_visible: Duration::from_secs(3),
            member: Duration::from_secs(5),
            firewall: Duration::from_secs(2),
        }
    }

    /// No lag at all: for tests of something else.
    pub fn none() -> Self {
        Self {
            create_not_found: Duration::ZERO,
            create_not_listed: Duration::ZERO,
            provision: Duration::ZERO,
            address: Duration::ZERO,
            action: Duration::ZERO,
            delete_visible: Duration::ZERO,
            member: Duration::ZERO,
            firewall: Duration::ZERO,
        }
    }
}

impl Default for Lags {
    fn default() -> Self {
        Self::measured()
    }
}

/// A [`Duration`] as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
