//! Whom a leaf is for, and for how long.

use std::time::Duration;

use rcgen::ExtendedKeyUsagePurpose;

use super::issue_error::IssueError;
use crate::{
    grants::Grant,
    identity::TrustDomain,
    names::{DropletId, UserName},
};

/// An agent's certificate.
pub const AGENT_LIFE: Duration = Duration::from_hours(2 * 365 * 24);
/// A person's certificate.
pub const USER_LIFE: Duration = Duration::from_hours(90 * 24);
/// The longest life of a CI job's certificate.
pub const CI_LIFE_MAX: Duration = Duration::from_hours(24);

/// Whom a leaf is for.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A droplet's agent. Server and client usage: between agents it is a client, and which calls an agent may make is
    /// decided by its identity, not by its certificate's usage.
    Agent(DropletId),
    /// A user. Client usage alone, so that nobody can pose as an agent's server with it.
    User {
        /// The name.
        name: UserName,
        /// What they may do.
        grants: Vec<Grant>,
        /// For how long.
        life: UserLife,
    },
}

/// How long a user's certificate lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserLife {
    /// 90 days.
    Person,
    /// At most a day.
    Ci(Duration),
}

impl Subject {
    pub(super) fn life(&self) -> Result<Duration, IssueError> {
        match self {
            Self::Agent(_) => Ok(AGENT_LIFE),
            Self::User { life: UserLife::Person, .. } => Ok(USER_LIFE),
            Self::User { life: UserLife::Ci(life), .. } if *life <= CI_LIFE_MAX && !life.is_zero() => {
                Ok(*life)
            }
            Self::User { life: UserLife::Ci(_), .. } => Err(IssueError::CiLife),
        }
    }

    pub(super) fn names(&self, domain: &TrustDomain) -> (String, String) {
        match self {
            Self::Agent(droplet) => (domain.agent(*droplet).to_string(), format!("agent {droplet}")),
            Self::User { name, .. } => (domain.user(name.clone()).to_string(), name.to_string()),
        }
    }

    pub(super) fn usages(&self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Agent(_) => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Self::User { .. } => vec![ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}
