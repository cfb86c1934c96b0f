//! What stands in a leaf certificate, read strictly. That it may be believed is for [`super::verify`] to say.

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    der_parser::oid,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer,
    x509::SubjectPublicKeyInfo,
};

use super::{
    key::{Serial, SerialError, SpkiDigest},
    timestamp,
};
use crate::{
    grants::{self, Grant, GrantsError},
    identity::{Identity, IdentityError},
    limits::MAX_CERTIFICATE_BYTES,
};

/// A certificate is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// No X.509 certificate.
    #[error("the certificate is not X.509, DER, of at most {MAX_CERTIFICATE_BYTES} bytes")]
    Syntax,
    /// A date outside what can be told.
    #[error("the certificate's dates cannot be read")]
    Time,
    /// No valid serial number.
    #[error("the certificate's serial number is refused")]
    Serial(#[source] SerialError),
    /// Another key than ECDSA P-256.
    #[error("the certificate holds another key than ECDSA P-256, the only kind tidegate makes")]
    Kind,
    /// Not exactly one URI as alternative name.
    #[error("the certificate does not carry exactly one URI as its name; it was not made by tidegate")]
    Names,
    /// The URI is no identity.
    #[error("the certificate's name is refused")]
    Identity(#[source] IdentityError),
    /// The grants are refused.
    #[error("the certificate's grants are refused")]
    Grants(#[source] GrantsError),
    /// The grants stand there twice.
    #[error("the certificate carries its grants twice")]
    GrantsTwice,
    /// An authority where a leaf is expected, or the other way round.
    #[error(
        "the certificate is of the wrong kind: an authority's where an agent's or user's is expected, or the other way round"
    )]
    Authority,
}

/// What the leaf of a chain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Who.
    pub identity: Identity,
    /// What they may do.
    pub grants: Vec<Grant>,
    /// From when on.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The leaf's serial number.
    pub serial: Serial,
    /// Names the leaf's key.
    pub spki: SpkiDigest,
}

impl PeerCertificate {
    /// Reads a leaf certificate. Checks nothing about who signed it.
    ///
    /// # Errors
    /// It is not of the kind that tidegate makes.
    pub fn parse(der: &CertificateDer<'_>) -> Result<Self, ParseError> {
        let certificate = x509(der)?;
        if certificate.is_ca() {
            return Err(ParseError::Authority);
        }
        if !is_p256(certificate.public_key()) {
            return Err(ParseError::Kind);
        }
        let validity = certificate.validity();
        Ok(Self {
            identity: only_uri(&certificate)?.parse().map_err(ParseError::Identity)?,
            grants: grants_of(&certificate)?,
            not_before: timestamp(validity.not_before).ok_or(ParseError::Time)?,
            not_after: timestamp(validity.not_after).ok_or(ParseError::Time)?,
            serial: Serial::from_der(certificate.raw_serial()).map_err(ParseError::Serial)?,
            spki: SpkiDigest::of(certificate.public_key().raw),
        })
    }
}

/// Names the key of any certificate: what a TLS session was seen with.
///
/// # Errors
/// It is no X.509 certificate.
pub fn spki_digest(der: &CertificateDer<'_>) -> Result<SpkiDigest, ParseError> {
    Ok(SpkiDigest::of(x509(der)?.public_key().raw))
}

pub(super) fn x509<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, ParseError> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(ParseError::Syntax);
    }
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(ParseError::Syntax),
    }
}

/// The one URI in the alternative names; there may be nothing else among them.
pub(super) fn only_uri<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, ParseError> {
    let names =
        certificate.subject_alternative_name().map_err(|_| ParseError::Names)?.ok_or(ParseError::Names)?;
    match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => Ok(uri),
        _ => Err(ParseError::Names),
    }
}

pub(super) fn is_p256(spki: &SubjectPublicKeyInfo<'_>) -> bool {
    let curve = spki.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    spki.algorithm.algorithm == oid!(1.2.840.10045.2.1) && curve == Some(oid!(1.2.840.10045.3.1.7))
}

fn grants_of(certificate: &X509Certificate<'_>) -> Result<Vec<Grant>, ParseError> {
    let oid = grants::grants_oid();
    let mut found = certificate.iter_extensions().filter(|extension| extension.oid == oid);
    let Some(extension) = found.next() else {
        return Ok(Vec::new());
    };
    if found.next().is_some() {
        return Err(ParseError::GrantsTwice);
    }
    match extension.parsed_extension() {
        ParsedExtension::UnsupportedExtension { .. } => {
            grants::decode(extension.value).map_err(ParseError::Grants)
        }
        _ => Err(ParseError::Syntax),
    }
}
