//! Keys and certificates as pure functions: a root per fleet, an issuer per environment, leaves for agents and users, the
//! bundle of trusted roots and the revocation list. Keys are ECDSA P-256; every leaf stands right below an issuer, every
//! issuer right below a root, so a chain on the wire is always exactly two certificates: leaf, issuer.
//!
//! Names come from the signer alone: of a request only the key is taken. An issuer carries its environment as the URI
//! `spiffe://<fleet>.<environment>`, and a leaf counts only below an issuer of its own environment; so an issuer's key
//! that leaks from one environment is worth nothing in another.
//!
//! It must not keep anything, read a clock, or open a connection.

mod authority;
mod chain;
mod issue_error;
mod key;
mod parse;
mod pem;
mod request;
mod revocation;
mod roots;
mod subject;
mod verify;

pub use authority::{BACKDATED, ISSUER_LIFE, ISSUER_SIGNS_FOR, Issuer, ROOT_LIFE, Root, self_signed};
pub use chain::{Chain, ChainError};
pub use issue_error::IssueError;
pub use key::{KeyError, PrivateKey, Serial, SerialError, SpkiDigest};
pub use parse::{ParseError, PeerCertificate, spki_digest};
pub use pem::{PemError, certificate_from_pem, certificate_to_pem, certificates_from_pem};
pub use request::{CertificateRequest, RequestError};
pub use revocation::{RevocationError, RevocationList, Revoked};
pub use roots::{RootBundle, RootsError};
pub use rustls_pki_types::CertificateDer;
pub use subject::{AGENT_LIFE, CI_LIFE_MAX, Subject, USER_LIFE, UserLife};
pub use verify::{ChainVerifier, Usage, VerifyError};

use jiff::Timestamp;
use rcgen::{DistinguishedName, DnType};
use x509_parser::time::ASN1Time;

use crate::names::FleetName;

/// The subject of what we make: the fleet as organisation, a common name, and the environment as unit where there is one.
fn distinguished_name(fleet: &FleetName, unit: Option<&str>, common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, fleet.as_str());
    if let Some(unit) = unit {
        name.push(DnType::OrganizationalUnitName, unit);
    }
    name.push(DnType::CommonName, common_name);
    name
}

/// X.509 keeps whole seconds. `None` outside the years X.509 can say.
fn asn1_time(at: Timestamp) -> Option<ASN1Time> {
    ASN1Time::from_timestamp(at.as_second()).ok()
}

fn timestamp(at: ASN1Time) -> Option<Timestamp> {
    Timestamp::from_second(at.timestamp()).ok()
}

#[cfg(test)]
#[path = "fixtures_tests.rs"]
pub(crate) mod fixtures;
