//! What a look at the droplet and its apps sees. Values only; what could not be seen says why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    docker::Container,
    ingress::{HostCertificate, ResponseCounts},
    release::{Failure, ReleaseEnds, plan::Ends},
};

/// Why something could not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen(pub String);

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not be looked at: {}", self.0)
    }
}

/// What was seen, or why not.
pub type Seen<T> = Result<T, Unseen>;

/// One look at everything.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// The droplet.
    pub host: HostSeen,
    /// Its apps.
    pub apps: Seen<Vec<AppSeen>>,
}

/// The droplet.
#[derive(Clone, Debug)]
pub struct HostSeen {
    /// Processors, since the look before.
    pub cpu: Seen<Cpu>,
    /// Memory and load.
    pub memory: Seen<Memory>,
    /// The disks, by where they are mounted.
    pub disks: Vec<(PathBuf, Seen<Disk>)>,
    /// The clock.
    pub clock: Seen<ClockState>,
    /// Until when the agent's certificate holds.
    pub certificate: Seen<Timestamp>,
    /// Names of units that failed.
    pub failed_units: Seen<Vec<String>>,
    /// The packages for which the droplet wants to be started again; none when it does not.
    pub reboot: Seen<Option<Vec<String>>>,
    /// Whether Docker answers.
    pub docker: Seen<()>,
    /// Who does not take what is told of findings.
    pub undelivered: Seen<Vec<Undelivered>>,
}

/// One who does not take what is told of findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Its name.
    pub receiver: String,
    /// Since when.
    pub since: Timestamp,
    /// Why, as the last try told.
    pub why: String,
}

/// What processors did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpu {
    /// The share of the time in which they were busy, 0 to 1.
    pub busy: f64,
    /// The share that the hypervisor gave to others, part of `busy`.
    pub stolen: f64,
    /// Over how long.
    pub over: Duration,
}

/// Memory, and how many wait for a processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// In bytes.
    pub total: u64,
    /// What programs can have, in bytes.
    pub available: u64,
    /// Load average over one minute.
    pub load: f64,
    /// Processors.
    pub cpus: u32,
}

/// A disk. Sizes are bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// What files take.
    pub used: u64,
    /// What is free for ordinary users.
    pub available: u64,
    /// How many files there may be; none where the file system has no such bound.
    pub files: Option<u64>,
    /// How many more.
    pub files_available: u64,
}

/// What is known of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Whether the kernel says that it is kept in time.
    pub synchronised: bool,
    /// How far it was off when a server was asked last, where that is told.
    pub offset: Option<SignedDuration>,
}

/// An app.
#[derive(Clone, Debug)]
pub struct AppSeen {
    /// Its name.
    pub app: AppName,
    /// The release that serves; none when none ever did.
    pub serving: Option<ReleaseNumber>,
    /// How its releases ended so far.
    pub ends: ReleaseEnds,
    /// A release that has something to do still.
    pub under_way: Option<UnderWay>,
    /// Whether its visitors are told to come back later.
    pub in_maintenance: bool,
    /// Its services as the release that serves has them.
    pub services: Seen<Vec<ServiceSeen>>,
    /// Its hosts at the ingress.
    pub hosts: Vec<HostCertificate>,
    /// Its services that have a route at the ingress.
    pub routed: BTreeSet<ServiceName>,
    /// What its services answered since the look before; a service without requests is not among them.
    pub answers: Seen<BTreeMap<ServiceName, Answers>>,
    /// What they answered since the agent started.
    pub answered: BTreeMap<ServiceName, ResponseCounts>,
    /// Its services that ask for backups.
    pub backups: Seen<Vec<BackupSeen>>,
}

/// A release that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Which.
    pub release: ReleaseNumber,
    /// When it began.
    pub since: Timestamp,
    /// How it stands.
    pub stands: Stands,
}

/// How a release under way stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It goes on.
    Running,
    /// Its undo failed.
    Stuck(Option<Failure>),
    /// It cannot know how it is to end.
    InDoubt(Failure),
}

/// A service.
#[derive(Clone, Debug)]
pub struct ServiceSeen {
    /// Its name.
    pub name: ServiceName,
    /// How many containers it should have.
    pub wanted: usize,
    /// Whether they are meant to end.
    pub ends: Ends,
    /// Those that are there.
    pub containers: Vec<ContainerSeen>,
}

/// A container.
#[derive(Clone, Debug)]
pub struct ContainerSeen {
    /// As Docker tells it.
    pub container: Container,
    /// Whether the kernel ended something in it for want of memory since the look before.
    pub ran_out_of_memory: bool,
    /// What its probes answered; none where it has none or does not run.
    pub probed: Option<Result<(), String>>,
}

/// What a service answered at the ingress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// How many.
    pub total: u64,
    /// How many with status 500 and above.
    pub server_errors: u64,
    /// The time within which 95 of 100 were answered.
    pub p95: Duration,
}

/// A service that asks for backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSeen {
    /// The service.
    pub service: ServiceName,
    /// The longest time between two backups by its schedule; none where it has none.
    pub every: Seen<Option<Duration>>,
    /// The same of verifications.
    pub verified_every: Seen<Option<Duration>>,
    /// Since when it could have been backed up at all.
    pub since: Timestamp,
    /// When the newest backup that is stored was begun.
    pub newest: Option<Timestamp>,
    /// How large it is, and how long it took; none where there is none.
    pub size: Option<BackupSize>,
    /// When the newest verification succeeded.
    pub verified: Option<Timestamp>,
    /// How long that took.
    pub verify_took: Option<Duration>,
    /// Why the latest run failed; none when it did not.
    pub failure: Option<Failure>,
    /// Why the latest restore on trial failed; none when it did not.
    pub verify_failure: Option<Failure>,
}

/// How large a backup is, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSize {
    /// How much data it holds, in bytes.
    pub plain: u64,
    /// How much it takes at each destination, in bytes.
    pub stored: u64,
    /// From its begin until it was stored.
    pub took: Duration,
}
