//! Making certificates: the fleet's root, an environment's issuer, leaves.
//!
//! An issuer signs for one year; its certificate lives three, because the leaves it signed in its last week live two and
//! a chain is valid only as long as all of it is.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;

use super::{
    asn1_time,
    chain::Chain,
    distinguished_name,
    issue_error::IssueError,
    key::{PrivateKey, Serial},
    parse::{self, ParseError},
    request::CertificateRequest,
    subject::Subject,
    timestamp,
};
use crate::{
    grants::{self, GRANTS_OID},
    identity::TrustDomain,
    names::FleetName,
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = HOUR.saturating_mul(24);

/// Certificates begin to be valid this long before they were made, for clocks that are behind.
pub const BACKDATED: Duration = HOUR;
/// A root.
pub const ROOT_LIFE: Duration = DAY.saturating_mul(3650);
/// An issuer's certificate.
pub const ISSUER_LIFE: Duration = DAY.saturating_mul(3 * 365);
/// How long an issuer signs; afterwards the root makes the next one.
pub const ISSUER_SIGNS_FOR: Duration = DAY.saturating_mul(365);

/// The fleet's root with its key: made by `init`, seldom used.
#[derive(Debug, Clone)]
pub struct Root {
    certificate: CertificateDer<'static>,
    key: PrivateKey,
    not_after: Timestamp,
}

impl Root {
    /// Makes a root.
    ///
    /// # Errors
    /// The key cannot be used, or the time is out of range.
    pub fn make(
        fleet: &FleetName,
        key: PrivateKey,
        serial: &Serial,
        now: Timestamp,
    ) -> Result<Self, IssueError> {
        let mut params = params(serial, now, ROOT_LIFE)?;
        params.distinguished_name = distinguished_name(fleet, None, "tidegate root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key.pair().map_err(IssueError::Key)?).map_err(IssueError::Make)?;
        Self::new(made.der().clone(), key)
    }

    /// Takes a stored root.
    ///
    /// # Errors
    /// Certificate and key do not belong together, or it is no authority's certificate.
    pub fn new(certificate: CertificateDer<'static>, key: PrivateKey) -> Result<Self, IssueError> {
        let (not_after, _) = authority(&certificate, &key)?;
        Ok(Self { certificate, key, not_after })
    }

    /// The public part.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The secret part.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }
}

/// An environment's issuer with its key.
#[derive(Debug, Clone)]
pub struct Issuer {
    certificate: CertificateDer<'static>,
    key: PrivateKey,
    domain: TrustDomain,
    signs_until: Timestamp,
    not_after: Timestamp,
}

impl Issuer {
    /// Makes an issuer below a root.
    ///
    /// # Errors
    /// The root would not outlive it, or a key cannot be used.
    pub fn make(
        root: &Root,
        domain: &TrustDomain,
        key: PrivateKey,
        serial: &Serial,
        now: Timestamp,
    ) -> Result<Self, IssueError> {
        let mut params = params(serial, now, ISSUER_LIFE)?;
        within(now, ISSUER_LIFE, root.not_after)?;
        params.distinguished_name =
            distinguished_name(&domain.fleet, Some(domain.environment.as_str()), "tidegate issuer");
        params.subject_alt_names = vec![uri(&domain.uri())?];
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        let signer = signer(&root.certificate, &root.key)?;
        let made =
            params.signed_by(&key.pair().map_err(IssueError::Key)?, &signer).map_err(IssueError::Make)?;
        Self::new(made.der().clone(), key)
    }

    /// Takes a stored issuer.
    ///
    /// # Errors
    /// Certificate and key do not belong together, or it is no issuer's certificate.
    pub fn new(certificate: CertificateDer<'static>, key: PrivateKey) -> Result<Self, IssueError> {
        let (not_after, not_before) = authority(&certificate, &key)?;
        let domain = {
            let parsed = parse::x509(&certificate).map_err(IssueError::Authority)?;
            let uri = parse::only_uri(&parsed).map_err(IssueError::Authority)?;
            TrustDomain::from_uri(uri).map_err(IssueError::Domain)?
        };
        let signs_until = after(not_before, BACKDATED + ISSUER_SIGNS_FOR)?;
        Ok(Self { certificate, key, domain, signs_until, not_after })
    }

    /// The public part.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The secret part.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Whose leaves it signs.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// The end of its year; a new one is to be made before.
    pub fn signs_until(&self) -> Timestamp {
        self.signs_until
    }

    /// Signs a leaf: the key of the request, the names of the subject.
    ///
    /// # Errors
    /// The issuer is retired or would be outlived, the life or the grants are refused.
    pub fn issue(
        &self,
        request: &CertificateRequest,
        subject: &Subject,
        serial: &Serial,
        now: Timestamp,
    ) -> Result<Chain, IssueError> {
        if now > self.signs_until {
            return Err(IssueError::Retired { domain: self.domain.clone(), until: self.signs_until });
        }
        let life = subject.life()?;
        within(now, life, self.not_after)?;
        let mut params = params(serial, now, life)?;
        let (identity, common_name) = subject.names(&self.domain);
        params.distinguished_name =
            distinguished_name(&self.domain.fleet, Some(self.domain.environment.as_str()), &common_name);
        params.subject_alt_names = vec![uri(&identity)?];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = subject.usages();
        params.use_authority_key_identifier_extension = true;
        if let Subject::User { grants, .. } = subject {
            let value = grants::encode(grants).map_err(IssueError::Grants)?;
            params.custom_extensions = vec![CustomExtension::from_oid_content(GRANTS_OID, value)];
        }
        let signer = signer(&self.certificate, &self.key)?;
        let public_key = request.public_key().map_err(IssueError::Make)?;
        let made = params.signed_by(&public_key, &signer).map_err(IssueError::Make)?;
        Ok(Chain { leaf: made.der().clone(), issuer: self.certificate.clone() })
    }
}

/// The certificate an agent serves until it is enrolled. It proves nothing; the enrolment proof covers its key.
///
/// # Errors
/// The key cannot be used, or the time is out of range.
pub fn self_signed(
    key: &PrivateKey,
    serial: &Serial,
    now: Timestamp,
) -> Result<CertificateDer<'static>, IssueError> {
    let mut params = params(serial, now, ISSUER_SIGNS_FOR)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "tidegate agent, not enrolled");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let made = params.self_signed(&key.pair().map_err(IssueError::Key)?).map_err(IssueError::Make)?;
    Ok(made.der().clone())
}

fn params(serial: &Serial, now: Timestamp, life: Duration) -> Result<CertificateParams, IssueError> {
    let not_before = now.checked_sub(BACKDATED).map_err(|_| IssueError::Time)?;
    let mut params = CertificateParams::default();
    params.serial_number = Some(serial.to_rcgen());
    params.not_before = asn1_time(not_before).ok_or(IssueError::Time)?.to_datetime();
    params.not_after = asn1_time(after(now, life)?).ok_or(IssueError::Time)?.to_datetime();
    Ok(params)
}

fn uri(text: &str) -> Result<SanType, IssueError> {
    text.try_into().map(SanType::URI).map_err(IssueError::Make)
}

fn after(start: Timestamp, duration: Duration) -> Result<Timestamp, IssueError> {
    start.checked_add(duration).map_err(|_| IssueError::Time)
}

fn within(now: Timestamp, life: Duration, limit: Timestamp) -> Result<(), IssueError> {
    let wanted = after(now, life)?;
    if wanted > limit { Err(IssueError::Outlives { wanted, limit }) } else { Ok(()) }
}

/// Checks that an authority's certificate and key belong together; tells its end and beginning.
fn authority(
    certificate: &CertificateDer<'_>,
    key: &PrivateKey,
) -> Result<(Timestamp, Timestamp), IssueError> {
    let parsed = parse::x509(certificate).map_err(IssueError::Authority)?;
    if !parsed.is_ca() {
        return Err(IssueError::Authority(ParseError::Authority));
    }
    if parse::spki_digest(certificate).map_err(IssueError::Authority)? != key.spki_digest() {
        return Err(IssueError::Mismatch);
    }
    let not_after = timestamp(parsed.validity().not_after).ok_or(IssueError::Time)?;
    let not_before = timestamp(parsed.validity().not_before).ok_or(IssueError::Time)?;
    Ok((not_after, not_before))
}

pub(super) fn signer(
    certificate: &CertificateDer<'_>,
    key: &PrivateKey,
) -> Result<rcgen::Issuer<'static, super::key::Pair>, IssueError> {
    let pair = key.pair().map_err(IssueError::Key)?;
    rcgen::Issuer::from_ca_cert_der(certificate, pair).map_err(IssueError::Make)
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
