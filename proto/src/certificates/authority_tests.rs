use super::*;
use crate::{
    certificates::{
        PeerCertificate, UserLife,
        fixtures::{Authorities, NOW, admin, domain, grants, issuer_below, later, serial},
    },
    grants::Role,
};

fn ci(life: Duration) -> Subject {
    Subject::User {
        name: "ci-7".parse().unwrap(),
        grants: grants("production", Role::Deployer),
        life: UserLife::Ci(life),
    }
}

fn life(subject: &Subject) -> Duration {
    let (chain, _) = Authorities::new("production").leaf(subject, 9);
    let leaf = PeerCertificate::parse(&chain.leaf).unwrap();
    assert_eq!(leaf.not_before, NOW.checked_sub(BACKDATED).unwrap());
    leaf.not_after.duration_since(NOW).unsigned_abs()
}

#[test]
fn lives_are_as_the_design_says() {
    assert_eq!(life(&Subject::Agent("7".parse().unwrap())), DAY * 730);
    assert_eq!(life(&admin("jane")), DAY * 90);
    assert_eq!(life(&ci(HOUR)), HOUR);
    assert_eq!(life(&ci(DAY)), DAY);
    let issuer = Authorities::new("production").issuer;
    assert_eq!(issuer.signs_until(), later(DAY * 365));
    assert_eq!(issuer.not_after, later(DAY * 1095));
}

#[test]
fn a_ci_certificate_lives_no_longer_than_a_day() {
    let authorities = Authorities::new("production");
    let request = CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap();
    for life in [DAY + Duration::from_secs(1), DAY * 90, Duration::ZERO, Duration::MAX] {
        let refused = authorities.issuer.issue(&request, &ci(life), &serial(9), NOW);
        assert!(matches!(refused, Err(IssueError::CiLife)), "{life:?}");
    }
}

#[test]
fn names_come_from_the_signer_alone() {
    // A request that asks to be somebody: admin of everything, and an authority on top.
    let key = PrivateKey::generate().unwrap();
    let mut wish = CertificateParams::default();
    wish.subject_alt_names = vec![uri("spiffe://shop.production/user/root").unwrap()];
    wish.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let value = grants::encode(&grants("production", Role::Admin)).unwrap();
    wish.custom_extensions = vec![CustomExtension::from_oid_content(GRANTS_OID, value)];
    let der = wish.serialize_request(&key.pair().unwrap()).unwrap();
    let request = CertificateRequest::from_der(der.der()).unwrap();
    let authorities = Authorities::new("production");
    let chain = authorities.issuer.issue(&request, &ci(HOUR), &serial(9), NOW).unwrap();
    let leaf = PeerCertificate::parse(&chain.leaf).unwrap();
    assert_eq!(leaf.identity, domain("production").user("ci-7".parse().unwrap()));
    assert_eq!(leaf.grants, grants("production", Role::Deployer));
    assert_eq!(leaf.spki, key.spki_digest());
    assert_eq!(leaf.serial, serial(9));
}

#[test]
fn an_agent_has_no_grants() {
    let (chain, _) = Authorities::new("production").leaf(&Subject::Agent("7".parse().unwrap()), 9);
    assert!(PeerCertificate::parse(&chain.leaf).unwrap().grants.is_empty());
}

#[test]
fn an_issuer_signs_for_a_year_and_never_beyond_its_own_end() {
    let authorities = Authorities::new("production");
    let request = CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap();
    let agent = Subject::Agent("7".parse().unwrap());
    let issue = |at| authorities.issuer.issue(&request, &agent, &serial(9), at);
    assert!(issue(later(ISSUER_SIGNS_FOR)).is_ok());
    assert!(matches!(issue(later(ISSUER_SIGNS_FOR + DAY)), Err(IssueError::Retired { .. })));
    let late = later(DAY * 3550);
    let issuer = Issuer::make(
        &authorities.root,
        &domain("production"),
        PrivateKey::generate().unwrap(),
        &serial(3),
        late,
    );
    assert!(matches!(issuer, Err(IssueError::Outlives { .. })));
}

#[test]
fn stored_authorities_are_taken_with_their_own_key_only() {
    let authorities = Authorities::new("production");
    let (root, issuer) = (&authorities.root, &authorities.issuer);
    assert!(Root::new(root.certificate().clone(), root.key().clone()).is_ok());
    let again = Issuer::new(issuer.certificate().clone(), issuer.key().clone()).unwrap();
    assert_eq!(again.domain(), &domain("production"));
    assert_eq!(again.signs_until(), issuer.signs_until());
    let swapped = Issuer::new(issuer.certificate().clone(), root.key().clone());
    assert!(matches!(swapped, Err(IssueError::Mismatch)));
    assert!(matches!(Root::new(root.certificate().clone(), issuer.key().clone()), Err(IssueError::Mismatch)));
    // A root names no environment; a leaf is no authority.
    assert!(Issuer::new(root.certificate().clone(), root.key().clone()).is_err());
    let (chain, key) = authorities.leaf(&admin("jane"), 9);
    assert!(matches!(Issuer::new(chain.leaf, key), Err(IssueError::Authority(ParseError::Authority))));
}

#[test]
fn a_time_beyond_x509_is_refused() {
    let fleet = "shop".parse().unwrap();
    assert!(Root::make(&fleet, PrivateKey::generate().unwrap(), &serial(1), Timestamp::MAX).is_err());
    // 2050 is where X.509 changes its way to write years.
    let at: Timestamp = "2049-12-31T12:00:00Z".parse().unwrap();
    let root = Root::make(&fleet, PrivateKey::generate().unwrap(), &serial(1), at).unwrap();
    assert_eq!(root.not_after, at.checked_add(ROOT_LIFE).unwrap());
}

#[test]
fn issuers_of_one_root_differ() {
    let authorities = Authorities::new("production");
    let staging = issuer_below(&authorities.root, "staging");
    assert_eq!(staging.domain(), &domain("staging"));
    assert_ne!(staging.key().spki_digest(), authorities.issuer.key().spki_digest());
}
