//! The fleet's certificate authority on this workstation: root (encrypted with a passphrase), issuer per environment,
//! users' certificates. It owns how keys lie in the state directory; what stands in certificates is the contract's.

mod load;
mod make;
mod passphrase;

pub use load::{Authority, User, UserKeys};
pub use make::{NewEnvironment, NewFleet, new_environment, new_fleet};
pub use passphrase::{PassphraseError, decrypt_root, encrypt_root};

use tidegate_proto::{
    certificates::{IssueError, KeyError, PemError, RequestError, RootsError, Serial},
    enrolment::TokenError,
    identity::{IdentityError, TrustDomain},
    names::NameError,
};

use crate::{names::Scope, state::StateError};

/// The authority cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A key cannot be made or read.
    #[error("a private key cannot be used")]
    Key(#[source] KeyError),
    /// A certificate cannot be made.
    #[error("a certificate cannot be signed")]
    Issue(#[source] IssueError),
    /// A certificate cannot be read.
    #[error("a certificate in the state directory cannot be read")]
    Pem(#[source] PemError),
    /// A chain cannot be read.
    #[error("a user's certificate in the state directory cannot be read")]
    Chain(#[source] tidegate_proto::certificates::ChainError),
    /// A request cannot be made.
    #[error("a certificate request cannot be made")]
    Request(#[source] RequestError),
    /// The roots do not make a bundle.
    #[error("the root certificates cannot be used")]
    Roots(#[source] RootsError),
    /// The enrolment secret is damaged.
    #[error("the enrolment secret cannot be used")]
    Secret(#[source] TokenError),
    /// A name is not one.
    #[error("a name cannot stand in a certificate")]
    Name(#[source] NameError),
    /// A domain is not one.
    #[error("fleet and environment cannot stand in a certificate")]
    Domain(#[source] IdentityError),
    /// The ssh key cannot be made.
    #[error("the ssh key cannot be made")]
    Ssh(#[source] ssh_key::Error),
    /// The passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// This machine has the certificate of no user, or of several and none is chosen.
    #[error("this machine has no certificate of user `{0}`")]
    NoUser(String),
}

/// The trust domain of a scope.
///
/// # Errors
/// When a name is refused by the contract.
pub fn domain(scope: &Scope) -> Result<TrustDomain, AuthorityError> {
    format!("{}.{}", scope.fleet, scope.environment).parse().map_err(AuthorityError::Domain)
}

pub(crate) fn serial() -> Serial {
    Serial::from_random(rand::random())
}
