//! Names of what tidegate makes in the cloud, and the tags that say whose it is. One place, because `down` deletes by
//! them. It must not know the API.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// A fleet's, environment's, role's, firewall's or app's name: `[a-z][a-z0-9-]{0,30}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// A text that cannot be a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a name: lower-case letters, digits and dashes, a letter first, at most 31 characters"
)]
pub struct NameError {
    text: String,
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if first && rest && text.len() <= 31 && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError { text: text.to_owned() })
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One environment of one fleet: the unit that `up` makes and `down` takes away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// The fleet.
    pub fleet: Name,
    /// The environment; `production` is the base of the fleet file.
    pub environment: Name,
}

impl Scope {
    /// `shop-production`: the VPC and the ssh key.
    pub fn base(&self) -> String {
        format!("{}-{}", self.fleet, self.environment)
    }

    /// `shop-production-public-web`.
    pub fn firewall(&self, name: &Name) -> String {
        format!("{}-{name}", self.base())
    }

    /// `shop-production-web-1`.
    pub fn droplet(&self, role: &Name, number: u32) -> String {
        format!("{}-{role}-{number}", self.base())
    }

    /// `tidegate:shop:production`, on everything that carries tags.
    pub fn tag(&self) -> String {
        format!("tidegate:{}:{}", self.fleet, self.environment)
    }

    /// `tidegate-firewall:shop:production:public-web`: the firewall protects droplets with this tag from their first
    /// second on; it also proves that the firewall is ours. With colons: `shop-production-eu-web` could be firewall
    /// `web` of environment `production-eu`, or firewall `eu-web` of `production`.
    pub fn firewall_tag(&self, name: &Name) -> String {
        format!("{}{name}", self.firewall_tag_prefix())
    }

    /// The name in the file of a firewall that is called so in the cloud, if it can be one of this environment.
    pub fn firewall_of(&self, full: &str) -> Option<Name> {
        full.strip_prefix(&format!("{}-", self.base()))?.parse().ok()
    }

    /// `tidegate-release:shop:production:web:r41`, on the droplets where that release of the app serves. Numbers count per
    /// app and droplet.
    pub fn release_tag(&self, app: &Name, release: u64) -> String {
        format!("{}{app}:r{release}", self.release_tag_prefix())
    }

    /// What all release tags of the environment begin with.
    pub fn release_tag_prefix(&self) -> String {
        format!("tidegate-release:{}:{}:", self.fleet, self.environment)
    }

    /// What all firewall tags of the environment begin with.
    pub fn firewall_tag_prefix(&self) -> String {
        format!("tidegate-firewall:{}:{}:", self.fleet, self.environment)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.fleet, self.environment)
    }
}

/// `tidegate-role:web`. Shared by all fleets of an account, so it proves nothing.
pub fn role_tag(role: &Name) -> String {
    format!("tidegate-role:{role}")
}

/// What stands before the intent id in a droplet's tag.
pub const INTENT_TAG: &str = "tidegate-intent:";

/// The random id of one wanted droplet; written to the state directory before the create call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct IntentId(String);

impl IntentId {
    /// From random bytes.
    pub fn from_random(bytes: [u8; 12]) -> Self {
        Self(hex::encode(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `tidegate-intent:<id>`.
    pub fn tag(&self) -> String {
        format!("{INTENT_TAG}{}", self.0)
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tags keep the spelling of their first use, so they are compared folded.
pub fn same_tag(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hostname_parts() {
        for good in ["a", "shop", "web-2", &"a".repeat(31)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "Shop", "2web", "-a", "a-", "a_b", "a.b", "ä", &"a".repeat(32)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_in_the_cloud_are_those_of_the_architecture() {
        let scope = Scope { fleet: "shop".parse().unwrap(), environment: "production".parse().unwrap() };
        assert_eq!(scope.base(), "shop-production");
        assert_eq!(scope.tag(), "tidegate:shop:production");
        assert_eq!(scope.droplet(&"web".parse().unwrap(), 1), "shop-production-web-1");
        assert_eq!(
            scope.firewall_tag(&"public".parse().unwrap()),
            "tidegate-firewall:shop:production:public"
        );
        assert!(same_tag("Tidegate:Shop:Production", &scope.tag()));
        let app = "web".parse().unwrap();
        assert_eq!(scope.release_tag(&app, 41), "tidegate-release:shop:production:web:r41");
        let longest = "a".repeat(31).parse::<Name>().unwrap();
        let scope = Scope { fleet: longest.clone(), environment: longest.clone() };
        let tag = scope.release_tag(&longest, u64::MAX);
        assert!(tag.len() <= 255, "{tag}");
        assert!(tag.chars().all(|c| c.is_ascii_alphanumeric() || "_-:".contains(c)), "{tag}");
    }
}
