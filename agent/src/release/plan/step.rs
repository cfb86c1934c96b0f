//! The steps of a release, and the names that journal, events and users see.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::JobName;
use crate::apps::ServiceName;

/// A step of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Images.
    Pull,
    /// The project's files, networks and volumes.
    Prepare,
    /// The timers of its backups.
    Timers,
    /// A backup of a service's data, before anything changes it.
    Backup(ServiceName),
    /// Visitors are told to wait, and what uses the databases stops.
    Quiesce,
    /// A copy of a service's databases, which comes back when the release is taken back.
    Copy(ServiceName),
    /// A backup takes the place of a service's databases, which are kept beside it.
    Restore(ServiceName),
    /// What served before a restore is kept for some days.
    Retain(ServiceName),
    /// A service that stood still and stays starts again.
    Revive(ServiceName),
    /// Visitors are served again.
    Open,
    /// The copy of a service's databases goes.
    Discard(ServiceName),
    /// Networks that are made anew: the containers on them stop first.
    Networks,
    /// All new containers, not yet started.
    Create,
    /// A service's first or blue-green containers: start and gate.
    Gate(ServiceName),
    /// A service's replicas, one after the other.
    Roll(ServiceName),
    /// A service's containers: stop the old, start and gate the new.
    Replace(ServiceName),
    /// A command that is run once.
    Job(JobName),
    /// The migration.
    Migrate,
    /// Another droplet of the release has migrated for this one too.
    AwaitMigration,
    /// The ingress and the services' names lead to the new containers.
    Switch,
    /// The old containers behind the ingress end their requests and stop.
    Drain,
    /// Nothing bad happens for a while.
    Watch,
    /// All droplets of the release are ready.
    Agree,
    /// It serves on all of them: from here on there is no way back.
    Finish,
    /// The release counts.
    Commit,
    /// What it replaced goes.
    Prune,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull => f.write_str("pull"),
            Self::Prepare => f.write_str("prepare"),
            Self::Timers => f.write_str("timers"),
            Self::Backup(service) => write!(f, "backup {service}"),
            Self::Quiesce => f.write_str("quiesce"),
            Self::Copy(service) => write!(f, "copy {service}"),
            Self::Restore(service) => write!(f, "restore {service}"),
            Self::Retain(service) => write!(f, "retain {service}"),
            Self::Revive(service) => write!(f, "revive {service}"),
            Self::Open => f.write_str("open"),
            Self::Discard(service) => write!(f, "discard {service}"),
            Self::Networks => f.write_str("networks"),
            Self::Create => f.write_str("create"),
            Self::Gate(service) => write!(f, "gate {service}"),
            Self::Roll(service) => write!(f, "roll {service}"),
            Self::Replace(service) => write!(f, "replace {service}"),
            Self::Job(job) => write!(f, "job {job}"),
            Self::Migrate => f.write_str("migrate"),
            Self::AwaitMigration => f.write_str("await migration"),
            Self::Switch => f.write_str("switch"),
            Self::Drain => f.write_str("drain"),
            Self::Watch => f.write_str("watch"),
            Self::Agree => f.write_str("agree"),
            Self::Finish => f.write_str("finish"),
            Self::Commit => f.write_str("commit"),
            Self::Prune => f.write_str("prune"),
        }
    }
}
