//! Why a certificate cannot be made.

use jiff::Timestamp;

use super::{key::KeyError, parse::ParseError};
use crate::{
    grants::GrantsError,
    identity::{IdentityError, TrustDomain},
};

/// A certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The key cannot be used.
    #[error("the signing key cannot be used")]
    Key(#[source] KeyError),
    /// rcgen refused.
    #[error("the certificate cannot be made")]
    Make(#[source] rcgen::Error),
    /// The authority's own certificate is wrong.
    #[error("the signer's certificate cannot be used")]
    Authority(#[source] ParseError),
    /// The authority's certificate is for another key.
    #[error("the signer's certificate and private key do not belong together; restore both from one backup")]
    Mismatch,
    /// The issuer's certificate names no environment.
    #[error("the issuer's certificate names no fleet and environment")]
    Domain(#[source] IdentityError),
    /// Grants that cannot be written.
    #[error("the grants cannot be written into the certificate")]
    Grants(#[source] GrantsError),
    /// The issuer signs no more.
    #[error("the issuer of {domain} signed until {until}; make a new issuer with the fleet's root")]
    Retired {
        /// Whose issuer.
        domain: TrustDomain,
        /// The end of its year.
        until: Timestamp,
    },
    /// The new certificate would outlive its signer.
    #[error(
        "the certificate would be valid until {wanted}, longer than its signer's ({limit}); renew the signer first"
    )]
    Outlives {
        /// The new certificate's end.
        wanted: Timestamp,
        /// The signer's end.
        limit: Timestamp,
    },
    /// A CI certificate for more than a day, or for no time.
    #[error("a CI certificate lives at most a day, and longer than no time at all")]
    CiLife,
    /// A time X.509 cannot say.
    #[error("the time is outside of what a certificate can say")]
    Time,
}
