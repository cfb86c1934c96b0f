//! A fleet with two environments, for tests of this crate.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType};

use super::*;
use crate::{
    grants::{AppScope, Grant, Role},
    identity::TrustDomain,
};

pub(crate) const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

pub(crate) fn later(by: Duration) -> Timestamp {
    NOW.checked_add(by).unwrap()
}

pub(crate) fn serial(n: u8) -> Serial {
    Serial::from_random([n; 16])
}

pub(crate) fn domain(environment: &str) -> TrustDomain {
    format!("shop.{environment}").parse().unwrap()
}

pub(crate) fn grants(environment: &str, role: Role) -> Vec<Grant> {
    vec![Grant { environment: environment.parse().unwrap(), apps: AppScope::All, role }]
}

pub(crate) fn admin(name: &str) -> Subject {
    user(name, Role::Admin)
}

pub(crate) fn user(name: &str, role: Role) -> Subject {
    Subject::User { name: name.parse().unwrap(), grants: grants("production", role), life: UserLife::Person }
}

/// A leaf that no issuer of ours would sign, and its key.
pub(crate) fn forge(
    issuer: &Issuer,
    uri: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> (Chain, PrivateKey) {
    let key = PrivateKey::generate().unwrap();
    let mut params = CertificateParams::default();
    params.not_before = asn1_time(NOW).unwrap().to_datetime();
    params.not_after = asn1_time(later(USER_LIFE)).unwrap().to_datetime();
    params.serial_number = Some(serial(99).to_rcgen());
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let signer = authority::signer(issuer.certificate(), issuer.key()).unwrap();
    let leaf = params.signed_by(&key.pair().unwrap(), &signer).unwrap().der().clone();
    (Chain { leaf, issuer: issuer.certificate().clone() }, key)
}

/// A root and one issuer below it.
pub(crate) struct Authorities {
    pub(crate) root: Root,
    pub(crate) issuer: Issuer,
}

impl Authorities {
    pub(crate) fn new(environment: &str) -> Self {
        Self::at(environment, NOW)
    }

    /// All made at one time.
    pub(crate) fn at(environment: &str, when: Timestamp) -> Self {
        let key = PrivateKey::generate().unwrap();
        let root = Root::make(&"shop".parse().unwrap(), key, &serial(1), when).unwrap();
        let issuer = issuer_below_at(&root, environment, when);
        Self { root, issuer }
    }

    /// The same fleet with the issuer that follows.
    pub(crate) fn with_issuer_of(&self, when: Timestamp) -> Self {
        let issuer = issuer_below_at(&self.root, self.issuer.domain().environment.as_str(), when);
        Self { root: self.root.clone(), issuer }
    }

    pub(crate) fn roots(&self) -> RootBundle {
        RootBundle::new(1, vec![self.root.certificate().clone()]).unwrap()
    }

    pub(crate) fn verifier(&self) -> ChainVerifier {
        ChainVerifier::new(&self.roots()).unwrap()
    }

    pub(crate) fn leaf(&self, subject: &Subject, n: u8) -> (Chain, PrivateKey) {
        self.leaf_at(subject, n, NOW)
    }

    pub(crate) fn leaf_at(&self, subject: &Subject, n: u8, now: Timestamp) -> (Chain, PrivateKey) {
        let key = PrivateKey::generate().unwrap();
        let request = CertificateRequest::new(&key).unwrap();
        (self.issuer.issue(&request, subject, &serial(n), now).unwrap(), key)
    }
}

pub(crate) fn issuer_below(root: &Root, environment: &str) -> Issuer {
    issuer_below_at(root, environment, NOW)
}

fn issuer_below_at(root: &Root, environment: &str, when: Timestamp) -> Issuer {
    Issuer::make(root, &domain(environment), PrivateKey::generate().unwrap(), &serial(2), when).unwrap()
}
