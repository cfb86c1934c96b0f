//! One look at the droplet and its apps.
//!
//! Owns the looking: what is asked of whom, side by side, each with a deadline, so that something that hangs makes one value
//! unknown and not all. Must not judge what it sees, nor keep more of it than the counters by which the next look tells what
//! happened since.

mod answers;
mod apps;
mod backups;
mod host;
mod seen;

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

pub use self::seen::{
    Answers, AppSeen, BackupSeen, BackupSize, ClockState, ContainerSeen, Cpu, Disk, HostSeen, Memory,
    Observation, Seen, ServiceSeen, Stands, Undelivered, UnderWay, Unseen,
};
use self::{answers::Counted, backups::Pauses, host::Counters};
use crate::{backup_runs::BackupRuns, release::Engine, systemd::Systemd, trust::Trust};

/// Nothing that is looked at may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells until when the agent's own certificate holds.
pub trait OwnCertificate: Send + Sync {
    /// Until then; or why that is not known.
    fn not_after(&self) -> BoxFuture<'_, Seen<Timestamp>>;
}

impl OwnCertificate for Trust {
    fn not_after(&self) -> BoxFuture<'_, Seen<Timestamp>> {
        Box::pin(async move {
            match self.status().await {
                Ok(Some(status)) => Ok(status.not_after),
                Ok(None) => Err(Unseen("the agent is not enrolled".to_owned())),
                Err(error) => Err(unseen(&error)),
            }
        })
    }
}

/// Tells whom findings cannot be told.
pub trait Deliveries: Send + Sync {
    /// Those who do not take what is sent to them; or why that is not known.
    fn undelivered(&self) -> BoxFuture<'_, Seen<Vec<Undelivered>>>;
}

/// Where the droplet's own things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// Whose disks are looked at; those on one file system are one.
    pub disks: Vec<PathBuf>,
    /// `/proc`
    pub proc: PathBuf,
    /// `/run`, where packages leave word that the droplet wants to be started again.
    pub run: PathBuf,
}

impl Places {
    /// On a droplet whose agent keeps its state there.
    pub fn on_a_droplet(state: PathBuf) -> Self {
        let disks = vec![PathBuf::from("/"), PathBuf::from("/var/lib/docker"), state];
        Self { disks, proc: PathBuf::from("/proc"), run: PathBuf::from("/run") }
    }
}

/// Whom a look asks.
#[derive(Clone)]
pub struct Sources {
    /// Releases, containers and the ingress.
    pub engine: Engine,
    /// Backups.
    pub backups: BackupRuns,
    /// systemd.
    pub systemd: Arc<Systemd>,
    /// The agent's certificate.
    pub certificate: Arc<dyn OwnCertificate>,
    /// Whether whoever is told of findings can be reached.
    pub deliveries: Arc<dyn Deliveries>,
    /// The rest of the droplet.
    pub places: Places,
}

/// What a look leaves for the next one.
#[derive(Debug, Default)]
pub struct Before {
    at: Option<Timestamp>,
    counters: Option<Counters>,
    counted: Counted,
    pauses: Pauses,
}

/// Looks at everything once.
pub async fn look(sources: &Sources, before: &mut Before, now: Timestamp) -> Observation {
    // What happened before the first look is nothing to it.
    let since = before.at.replace(now).unwrap_or_else(|| minute_before(now)).min(now);
    let Before { counters, counted, pauses, .. } = before;
    let (host, apps) =
        tokio::join!(host::look(sources, counters), apps::look(sources, (counted, pauses), (since, now)));
    let (docker, apps) = apps;
    Observation { at: now, host: HostSeen { docker, ..host }, apps }
}

fn minute_before(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_mins(1)).unwrap_or(now)
}

/// Waits, but not for ever.
async fn within<T, E: std::error::Error + 'static>(call: impl Future<Output = Result<T, E>>) -> Seen<T> {
    match timeout(PATIENCE, call).await {
        Ok(result) => result.map_err(|error| unseen(&error)),
        Err(_) => Err(Unseen(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn unseen(error: &(dyn std::error::Error + 'static)) -> Unseen {
    Unseen(crate::release::chain(error))
}
