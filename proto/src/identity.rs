//! Who somebody is: one SPIFFE-style URI, `spiffe://<fleet>.<environment>/agent/<droplet id>` or `.../user/<name>`.
//! It owns the text form (there is exactly one per identity; everything else is refused). What an identity may do stands
//! in its grants, not here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::names::{DropletId, EnvironmentName, FleetName, NameError, UserName};

/// Refused text of an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The text lacks the form.
    #[error(
        "{text:?} is no identity: it has to read spiffe://<fleet>.<environment>/agent/<droplet id> or .../user/<name>"
    )]
    Form {
        /// The beginning of the text.
        text: String,
    },
    /// The form is there, a name in it is wrong.
    #[error("a name in the identity is wrong")]
    Name(#[source] NameError),
}

/// What identities of one environment share: issuer certificates carry it as `spiffe://<fleet>.<environment>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain {
    /// The fleet.
    pub fleet: FleetName,
    /// The environment.
    pub environment: EnvironmentName,
}

impl TrustDomain {
    /// The URI that stands in an issuer's certificate.
    pub fn uri(&self) -> String {
        format!("spiffe://{self}")
    }

    /// Reads the URI of an issuer's certificate.
    ///
    /// # Errors
    /// It is anything else than `spiffe://<fleet>.<environment>`.
    pub fn from_uri(text: &str) -> Result<Self, IdentityError> {
        text.strip_prefix("spiffe://").ok_or_else(|| form(text))?.parse()
    }

    /// The identity of an agent in this domain.
    pub fn agent(&self, droplet: DropletId) -> Identity {
        Identity::Agent { domain: self.clone(), droplet }
    }

    /// The identity of a user in this domain.
    pub fn user(&self, name: UserName) -> Identity {
        Identity::User { domain: self.clone(), name }
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.fleet, self.environment)
    }
}

impl FromStr for TrustDomain {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (fleet, environment) = text.split_once('.').ok_or_else(|| form(text))?;
        Ok(Self {
            fleet: fleet.parse().map_err(IdentityError::Name)?,
            environment: environment.parse().map_err(IdentityError::Name)?,
        })
    }
}

/// The holder of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Identity {
    /// The agent of a droplet.
    Agent {
        /// Fleet and environment.
        domain: TrustDomain,
        /// The droplet.
        droplet: DropletId,
    },
    /// A person or a CI job.
    User {
        /// Fleet and environment.
        domain: TrustDomain,
        /// The name.
        name: UserName,
    },
}

impl Identity {
    /// Fleet and environment.
    pub fn domain(&self) -> &TrustDomain {
        match self {
            Self::Agent { domain, .. } | Self::User { domain, .. } => domain,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent { domain, droplet } => write!(f, "spiffe://{domain}/agent/{droplet}"),
            Self::User { domain, name } => write!(f, "spiffe://{domain}/user/{name}"),
        }
    }
}

impl FromStr for Identity {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let mut parts = text.strip_prefix("spiffe://").ok_or_else(|| form(text))?.split('/');
        let (Some(domain), Some(kind), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form(text));
        };
        let domain: TrustDomain = domain.parse()?;
        match kind {
            "agent" => Ok(domain.agent(name.parse().map_err(IdentityError::Name)?)),
            "user" => Ok(domain.user(name.parse().map_err(IdentityError::Name)?)),
            _ => Err(form(text)),
        }
    }
}

impl TryFrom<String> for Identity {
    type Error = IdentityError;
    fn try_from(text: String) -> Result<Self, IdentityError> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> String {
        identity.to_string()
    }
}

fn form(text: &str) -> IdentityError {
    IdentityError::Form { text: text.chars().take(200).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn identities_survive_their_text(
            fleet in "[a-z][a-z0-9-]{0,30}",
            environment in "[a-z][a-z0-9-]{0,30}",
            name in "[a-z0-9][a-z0-9._-]{0,62}",
            droplet in 1_u64..,
        ) {
            let domain: TrustDomain = format!("{fleet}.{environment}").parse().unwrap();
            for identity in [domain.user(name.parse().unwrap()), domain.agent(DropletId::new(droplet).unwrap())] {
                prop_assert_eq!(identity.to_string().parse::<Identity>().unwrap(), identity);
            }
            prop_assert_eq!(TrustDomain::from_uri(&domain.uri()).unwrap(), domain);
        }

        #[test]
        fn what_is_accepted_has_one_spelling(text in "(spiffe://)?[a-zA-Z.:/%0-9-]{0,40}") {
            if let Ok(identity) = text.parse::<Identity>() {
                prop_assert_eq!(identity.to_string(), text);
            }
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".*") {
            prop_assert!(text.parse::<Identity>().is_err());
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "spiffe://shop.production",
            "spiffe://shop.production/",
            "spiffe://shop.production/user",
            "spiffe://shop.production/user/",
            "spiffe://shop.production/user/jane/",
            "spiffe://shop.production/user/jane/x",
            "spiffe://shop.production/user/jane?x",
            "spiffe://shop.production/user/jane#x",
            "spiffe://shop.production/user/Jane",
            "spiffe://shop.production/user/%6aane",
            "spiffe://shop.production/admin/jane",
            "spiffe://shop.production/agent/007",
            "spiffe://shop.production/agent/0",
            "spiffe://shop.production:443/agent/7",
            "spiffe://x@shop.production/agent/7",
            "spiffe://shop.pro.duction/agent/7",
            "spiffe://shop/agent/7",
            "SPIFFE://shop.production/agent/7",
            "https://shop.production/agent/7",
            " spiffe://shop.production/agent/7",
            "spiffe://shop.production/agent/7\n",
        ] {
            assert!(bad.parse::<Identity>().is_err(), "{bad:?}");
        }
    }
}
