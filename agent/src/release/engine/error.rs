//! What the engine says when it does not do what it was asked.

use jiff::Timestamp;

use crate::{
    apps::{AppName, ReleaseNumber},
    docker::DockerError,
    ingress::IngressError,
    release::Failure,
    store::DatabaseError,
};

/// Why the engine did not do what it was asked. Nothing was changed, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// What was asked for cannot be released; never empty.
    #[error("the release was refused")]
    Refused(Vec<Failure>),
    /// Something is under way for the app.
    #[error(
        "{what} of {app} is under way, begun by {actor} at {since}; wait for it, follow it with `tidegate deploy --attach`, or have it taken back with `tidegate deploy --cancel`"
    )]
    Busy {
        /// The app.
        app: AppName,
        /// "a release", "the removal".
        what: &'static str,
        /// Who began it.
        actor: String,
        /// When.
        since: Timestamp,
    },
    /// The release under way waits for droplets that cannot be asked.
    #[error(
        "release {release} of {app} is in doubt: droplets that have a say in it do not answer; `tidegate status` names them"
    )]
    InDoubt {
        /// The app.
        app: AppName,
        /// The release.
        release: ReleaseNumber,
    },
    /// The last release could not be undone.
    #[error("release {release} of {app} is stuck: its undo failed")]
    Stuck {
        /// The app.
        app: AppName,
        /// The release.
        release: ReleaseNumber,
    },
    /// Nothing to resolve.
    #[error("no release of {app} is in doubt on this droplet: `tidegate status` shows what is under way")]
    NotInDoubt {
        /// The app.
        app: AppName,
    },
    /// No such app.
    #[error("there is no app {0} on this droplet; `tidegate status` lists those that are")]
    NoApp(AppName),
    /// No such service.
    #[error("app {app} has no service {service}; it has {known}")]
    NoService {
        /// The app.
        app: AppName,
        /// What was asked for.
        service: String,
        /// Those that there are, comma-joined.
        known: String,
    },
    /// No such release.
    #[error("app {app} has no release {release}")]
    NoRelease {
        /// The app.
        app: AppName,
        /// The release.
        release: ReleaseNumber,
    },
    /// Docker.
    #[error("Docker did not do its part")]
    Docker(#[source] DockerError),
    /// A release that cannot be gone back to.
    #[error("{app} cannot go back: {why}")]
    NoWayBack {
        /// The app.
        app: AppName,
        /// Why.
        why: String,
    },
    /// The ingress.
    #[error("the ingress did not do its part")]
    Ingress(#[source] IngressError),
    /// The database.
    #[error("the agent's database did not do its part")]
    Database(#[source] DatabaseError),
    /// A step that belongs to no release failed.
    #[error("{}", .0.what)]
    Failed(#[source] Failure),
}
