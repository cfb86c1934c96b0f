//! What stands still for a breaking migration, or for the way back over one, and comes back with its data when the release is
//! taken back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Change, ChangeKind, OldContainer};
use crate::apps::ServiceName;

/// The app stands still from before its databases are copied until the release counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStandstill {
    /// The services whose databases are backed up and copied first: the copies come back when the release is taken back.
    pub databases: Vec<ServiceName>,
    /// The running containers that use them, each before those that it depends on.
    pub stopped: Vec<StoppedContainer>,
    /// The services of those of them that stay: they are started again on the new schema.
    pub revived: Vec<ServiceName>,
    /// What visitors see meanwhile.
    pub visitors: Visitors,
    /// The backups that take the place of the databases; none for a migration, whose databases are copied.
    #[serde(default)]
    pub returning: Vec<ReturningBackup>,
}

/// A backup that takes the place of a service's databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturningBackup {
    /// The service.
    pub service: ServiceName,
    /// The backup's id, as whoever keeps backups knows it.
    pub backup: String,
    /// The moment whose data comes back.
    pub taken_at: Timestamp,
}

/// A container that is stopped before the migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedContainer {
    /// Its service.
    pub service: ServiceName,
    /// The container.
    pub container: OldContainer,
}

/// What the app's visitors see while it stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visitors {
    /// The maintenance page, from the beginning to the end.
    ToldToWait,
    /// What they see anyway: nothing is behind the ingress, or they are told already.
    AsBefore,
}

impl PlannedStandstill {
    /// Whether a container is stopped by the standstill, and by nothing that a service's own step undoes.
    pub fn stops(&self, container: &OldContainer) -> bool {
        self.stopped.iter().any(|stopped| stopped.container.id == container.id)
    }

    /// Lines of the plan.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        let line = |object: String, reason: String| Change {
            kind: ChangeKind::Run,
            object,
            reason,
            strategy: String::new(),
        };
        let names = || {
            let names: Vec<&str> = self.stopped.iter().map(|one| one.container.name.as_str()).collect();
            names.join(", ")
        };
        let page = match self.visitors {
            Visitors::ToldToWait => "visitors see the maintenance page until the release counts",
            Visitors::AsBefore => "until the release counts",
        };
        let still = if self.stopped.is_empty() {
            line("standstill".to_owned(), page.to_owned())
        } else {
            line(format!("standstill of {}", names()), page.to_owned())
        };
        let copied = if self.returning.is_empty() { self.databases.as_slice() } else { &[] };
        let copies = copied.iter().map(move |service| {
            let why = "it comes back when the release is taken back, with no write lost";
            line(format!("copy of the databases of {service}"), why.to_owned())
        });
        let restores = self.returning.iter().map(move |returning| {
            let ReturningBackup { service, backup, taken_at } = returning;
            line(
                format!("restore of {service}"),
                format!(
                    "backup {backup}, taken at {taken_at}: what was written since is lost from what serves"
                ),
            )
        });
        [still].into_iter().chain(copies).chain(restores)
    }
}
