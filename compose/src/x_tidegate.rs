//! The typed reading of `x-tidegate`, at the top level and in services.
//!
//! Owns the keys that only tidegate knows. Unknown keys are refused with a suggestion; every message has its place.
//! docker compose ignores all of it, and no hash covers it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::LoadErrors;
use crate::files::{FileTable, nearest};
use crate::model::Project;
use crate::node::Position;

mod backup;
mod gate;
pub mod host;
mod ingress;
mod jobs;
mod migrate;
pub mod place;
mod probes;
mod reader;
mod retention;

pub use backup::{
    Backup, Consistency, Databases, Destination, Engine, Keep, OnCalendar, OnCalendarError, Recipient,
    RecipientError, Verify,
};
pub use gate::Gate;
pub use ingress::{CertificateFiles, Ingress, Redirect, Tls};
pub use jobs::{Job, Jobs};
pub use place::Place;
pub use probes::{HttpProbe, Probe, ProbeKind, StatusRange};
use reader::Reader;
pub use retention::{Retention, Tagged};

/// The extension's key.
pub const KEY: &str = "x-tidegate";

/// What `x-tidegate` says at the top level and by service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extension {
    /// The database migration of a release.
    pub migrate: Option<Migrate>,
    /// Commands that a release runs once.
    pub jobs: Jobs,
    /// How long a release is watched after the switch.
    pub watch: Option<Duration>,
    /// How long requests to the old release may take to end.
    pub drain: Option<Duration>,
    /// What stays on a droplet of past releases.
    pub retention: Retention,
    /// What it says in services; every enabled service has an entry.
    pub services: BTreeMap<String, ServiceExtension>,
}

/// The database migration of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrate {
    /// The service whose image and settings it runs with.
    pub service: String,
    /// The command.
    pub command: Vec<String>,
    /// Whether old code works on the new schema.
    pub kind: MigrationKind,
    /// How long it may take.
    pub timeout: Duration,
    /// How many of the app's droplets run it.
    pub place: MigrationPlace,
    /// Where it is written.
    pub at: Position,
}

/// How many of the droplets that a release goes to run its migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MigrationPlace {
    /// The first: they have one database.
    #[default]
    One,
    /// Every one: each has a database of its own.
    All,
}

/// Whether old code works on the new schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationKind {
    /// It does: the old release serves on, and a rollback needs no restore.
    Compatible,
    /// It does not: writers are stopped and a backup is taken first.
    Breaking,
}

/// What `x-tidegate` says in a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceExtension {
    /// How it is reached from outside.
    pub ingress: Option<Ingress>,
    /// When a new container counts as good.
    pub gate: Gate,
    /// On which droplets it runs; none where nothing is written, which means all of them.
    pub place: Option<Place>,
    /// How it is replaced; by default tidegate chooses.
    pub strategy: Option<Strategy>,
    /// How its data is backed up; none where nothing is written.
    pub backup: Option<Backup>,
}

/// How a service is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// New beside old, then the ingress switches.
    BlueGreen,
    /// One replica after the other.
    Rolling,
    /// Old stops, new starts.
    Recreate,
}

impl Extension {
    /// Certificates and keys of the user's own, by service: files of the project, relative to its directory.
    pub fn certificates(&self) -> impl Iterator<Item = (&str, &CertificateFiles)> {
        self.services.iter().filter_map(|(name, service)| match &service.ingress.as_ref()?.tls {
            Tls::Files(files) => Some((name.as_str(), files)),
            Tls::Auto | Tls::Internal | Tls::Off => None,
        })
    }
}

/// Reads what a project says under `x-tidegate`.
///
/// # Errors
/// All unknown keys, wrong values and references to services that do not exist, in one go.
pub fn read(project: &Project, files: &FileTable) -> Result<Extension, LoadErrors> {
    let mut reader = Reader { files, errors: Vec::new() };
    let mut extension = Extension::default();
    if let Some(node) = project.extensions.get(KEY) {
        reader.top(node, &mut extension);
    }
    let named = extension.migrate.iter().map(|migrate| ("migrate", &migrate.service, migrate.at));
    let before = extension.jobs.before.iter().map(|job| ("jobs.before", &job.service, job.at));
    let after = extension.jobs.after.iter().map(|job| ("jobs.after", &job.service, job.at));
    for (key, service, at) in named.chain(before).chain(after) {
        if !project.services.contains_key(service) {
            let names = project.services.keys().map(String::as_str);
            let hint = nearest(service, names).map(|name| format!("did you mean `{name}`?"));
            let message = format!("there is no service `{service}`");
            reader.fail(at, &format!("{KEY}.{key}.service"), (message, hint));
        }
    }
    for (name, service) in &project.services {
        let mut read = ServiceExtension::default();
        if let Some(node) = service.extensions.get(KEY) {
            read = reader.service(node, &format!("services.{name}.{KEY}"), service);
        }
        extension.services.insert(name.clone(), read);
    }
    // Errors show their line of the file, and they end in logs of CI.
    for place in reader.errors.iter_mut().filter_map(|error| error.place.as_mut()) {
        if backup::holds_secret(&place.text) {
            place.text.clear();
        }
    }
    match reader.errors.first() {
        None => Ok(extension),
        Some(first) => Err(LoadErrors::of(first.class, reader.errors)),
    }
}
