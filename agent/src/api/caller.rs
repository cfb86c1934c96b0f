//! Who calls, as far as it was proven.
//!
//! Owns the value that the authorisation layer puts into each request. Must not authorise.

use std::net::SocketAddr;

use tidegate_proto::{
    certificates::CertificateDer,
    grants::Grant,
    identity::{Identity, TrustDomain},
    names::AppName,
    roles::{self, Call, Denied},
    tls::PeerInfo,
};
use tonic::{Request, Status};

use super::errors;

/// The caller of an RPC.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Somebody with a verified certificate.
    Certified(Box<Certified>),
    /// Root on this machine, over the unix socket.
    LocalRoot,
}

/// What the certificate of a caller says.
#[derive(Debug, Clone)]
pub struct Certified {
    identity: Identity,
    grants: Vec<Grant>,
    issuer: CertificateDer<'static>,
    remote: Option<SocketAddr>,
}

impl Caller {
    pub(super) fn of(peer: &PeerInfo) -> Self {
        let certificate = peer.certificate();
        Self::Certified(Box::new(Certified {
            identity: certificate.identity.clone(),
            grants: certificate.grants.clone(),
            issuer: peer.chain().issuer.clone(),
            remote: peer.remote(),
        }))
    }

    /// The caller that the layer found.
    ///
    /// # Errors
    /// When the request did not pass the layer: a mistake in the agent.
    pub fn from_request<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get::<Self>().cloned().ok_or_else(errors::no_caller)
    }

    /// For the audit log and the journal: a SPIFFE id or `local:root`.
    pub fn actor(&self) -> String {
        match self {
            Self::Certified(certified) => certified.identity.to_string(),
            Self::LocalRoot => "local:root".to_owned(),
        }
    }

    /// Where the caller is, if not here.
    pub fn remote(&self) -> Option<SocketAddr> {
        match self {
            Self::Certified(certified) => certified.remote,
            Self::LocalRoot => None,
        }
    }

    /// The issuer of the caller's certificate; it may have signed a revocation list.
    pub fn issuer(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Certified(certified) => Some(&certified.issuer),
            Self::LocalRoot => None,
        }
    }

    /// Whether the caller may call `rpc` for `app`. `None` is every app.
    ///
    /// # Errors
    /// Why not.
    pub fn may(&self, domain: &TrustDomain, rpc: &str, app: Option<&AppName>) -> Result<(), Denied> {
        match self {
            Self::LocalRoot => Ok(()),
            Self::Certified(certified) => {
                roles::authorise(&certified.identity, &certified.grants, Call { domain, app, rpc })
            }
        }
    }

    /// Whether there is any app for which the caller may call `rpc`.
    ///
    /// # Errors
    /// Why not.
    pub fn may_for_some_app(&self, domain: &TrustDomain, rpc: &str) -> Result<(), Denied> {
        let Err(denied) = self.may(domain, rpc, None) else {
            return Ok(());
        };
        let Self::Certified(certified) = self else {
            return Err(denied);
        };
        let for_one = certified.grants.iter().any(|grant| match &grant.apps {
            tidegate_proto::grants::AppScope::Only(apps) => {
                apps.iter().any(|app| self.may(domain, rpc, Some(app)).is_ok())
            }
            tidegate_proto::grants::AppScope::All => false,
        });
        if for_one { Ok(()) } else { Err(denied) }
    }
}
