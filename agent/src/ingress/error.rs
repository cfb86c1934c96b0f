//! What the ingress says when it does not do what it should.

use super::AdminError;
use crate::{
    apps::AppName,
    docker::DockerError,
    store::{DatabaseError, ReplaceError},
};

/// Why the ingress does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// Docker.
    #[error("the ingress's container or one of its networks is not as it has to be")]
    Docker(#[source] DockerError),
    /// The database.
    #[error("the ingress's routes could not be stored or read")]
    Database(#[source] DatabaseError),
    /// A file.
    #[error("a file of the ingress could not be written")]
    File(#[source] std::io::Error),
    /// Its configuration.
    #[error("the ingress's configuration could not be written")]
    Replace(#[source] ReplaceError),
    /// Caddy.
    #[error("the ingress did not take its routes")]
    Admin(#[source] AdminError),
    /// Another app has the host.
    #[error("{host} is app {app}'s: an app has its hosts for itself; give this one another, or remove {app}")]
    Taken {
        /// The host, in words.
        host: String,
        /// Whose it is.
        app: AppName,
    },
    /// The app has nothing that could be under maintenance.
    #[error(
        "nothing of app {0} is behind the ingress, so nobody would see the page; give a service an `ingress`"
    )]
    NoRoutes(AppName),
    /// A part of the agent broke.
    #[error("reading the ingress's log broke off")]
    Broken,
    /// No subnet.
    #[error("there is no free subnet for the network {0}; remove networks that nobody uses")]
    NoSubnet(String),
    /// The app's network has another form than expected.
    #[error("the network {0} has no subnet that the ingress can use; remove it and deploy again")]
    BadNetwork(String),
}
