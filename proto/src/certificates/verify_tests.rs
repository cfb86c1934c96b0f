use rcgen::{BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, SanType};

use super::*;
use crate::{
    certificates::{
        AGENT_LIFE, BACKDATED, Chain, ISSUER_SIGNS_FOR, PrivateKey, Revoked, Subject, USER_LIFE,
        fixtures::{Authorities, NOW, admin, domain, forge, grants, issuer_below, later, serial},
        self_signed,
    },
    grants::{self, GRANTS_OID, Role},
};

const JANE: &str = "spiffe://shop.production/user/jane";
type Change<'a> = &'a dyn Fn(&mut rcgen::CertificateParams);

const SECOND: Duration = Duration::from_secs(1);

fn judge(
    fleet: &Authorities,
    chain: &Chain,
    usage: Usage,
    now: Timestamp,
) -> Result<PeerCertificate, VerifyError> {
    fleet.verifier().verify(&chain.to_certificates(), usage, None, now)
}

#[test]
fn a_user_is_believed_as_client_and_an_agent_as_server() {
    let fleet = Authorities::new("production");
    let (user, _) = fleet.leaf(&admin("jane"), 9);
    let peer = judge(&fleet, &user, Usage::Client, NOW).unwrap();
    assert_eq!(peer.identity.to_string(), JANE);
    assert_eq!(peer.grants, grants("production", Role::Admin));
    let (agent, _) = fleet.leaf(&Subject::Agent("7".parse().unwrap()), 10);
    assert!(judge(&fleet, &agent, Usage::Server, NOW).is_ok());
}

#[test]
fn a_user_is_no_server() {
    let fleet = Authorities::new("production");
    let (user, _) = fleet.leaf(&admin("jane"), 9);
    assert!(matches!(judge(&fleet, &user, Usage::Server, NOW), Err(VerifyError::Untrusted(_))));
    let (nothing, _) = forge(&fleet.issuer, JANE, |leaf| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    });
    assert!(matches!(judge(&fleet, &nothing, Usage::Client, NOW), Err(VerifyError::Untrusted(_))));
}

#[test]
fn the_dates_hold_to_the_second() {
    let fleet = Authorities::new("production");
    let (user, _) = fleet.leaf(&admin("jane"), 9);
    let begin = NOW.checked_sub(BACKDATED).unwrap();
    assert!(judge(&fleet, &user, Usage::Client, begin).is_ok());
    assert!(judge(&fleet, &user, Usage::Client, later(USER_LIFE)).is_ok());
    let early = judge(&fleet, &user, Usage::Client, begin.checked_sub(SECOND).unwrap());
    assert!(matches!(early, Err(VerifyError::NotYetValid { .. })));
    let late = judge(&fleet, &user, Usage::Client, later(USER_LIFE + SECOND));
    assert!(matches!(late, Err(VerifyError::Expired { .. })));
}

#[test]
fn a_leaf_of_an_issuers_last_day_is_good_to_its_own_end() {
    let fleet = Authorities::new("production");
    let signed = later(ISSUER_SIGNS_FOR);
    let (agent, _) = fleet.leaf_at(&Subject::Agent("7".parse().unwrap()), 9, signed);
    let end = signed.checked_add(AGENT_LIFE).unwrap();
    assert!(judge(&fleet, &agent, Usage::Server, end).is_ok());
}

#[test]
fn another_fleets_root_is_not_trusted() {
    let (fleet, other) = (Authorities::new("production"), Authorities::new("production"));
    let (stranger, _) = other.leaf(&admin("jane"), 9);
    assert!(matches!(judge(&fleet, &stranger, Usage::Client, NOW), Err(VerifyError::Untrusted(_))));
    // Their leaf with our issuer beside it.
    let mixed = Chain { leaf: stranger.leaf, issuer: fleet.issuer.certificate().clone() };
    assert!(matches!(judge(&fleet, &mixed, Usage::Client, NOW), Err(VerifyError::Untrusted(_))));
    let key = PrivateKey::generate().unwrap();
    let own = self_signed(&key, &serial(1), NOW).unwrap();
    let alone = Chain { leaf: own, issuer: fleet.issuer.certificate().clone() };
    assert!(judge(&fleet, &alone, Usage::Server, NOW).is_err());
}

#[test]
fn an_issuer_signs_for_its_own_environment_alone() {
    let fleet = Authorities::new("production");
    let staging = issuer_below(&fleet.root, "staging");
    let (crossed, _) = forge(&staging, JANE, |_| {});
    let refused = judge(&fleet, &crossed, Usage::Client, NOW);
    assert!(
        matches!(refused, Err(VerifyError::OtherIssuer { ref issuer, .. }) if *issuer == domain("staging"))
    );
    // The same with production's issuer shown in place of the real one.
    let posed = Chain { leaf: crossed.leaf, issuer: fleet.issuer.certificate().clone() };
    assert!(judge(&fleet, &posed, Usage::Client, NOW).is_err());
}

#[test]
fn a_leaf_right_below_the_root_needs_the_shown_issuer_all_the_same() {
    let fleet = Authorities::new("production");
    let key = PrivateKey::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(JANE.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let signer = crate::certificates::authority::signer(fleet.root.certificate(), fleet.root.key()).unwrap();
    let leaf = params.signed_by(&key.pair().unwrap(), &signer).unwrap().der().clone();
    let chain = Chain { leaf, issuer: fleet.issuer.certificate().clone() };
    assert!(matches!(judge(&fleet, &chain, Usage::Client, NOW), Err(VerifyError::Signature)));
}

#[test]
fn a_chain_has_exactly_two() {
    let fleet = Authorities::new("production");
    let (user, _) = fleet.leaf(&admin("jane"), 9);
    let (leaf, issuer, root) = (user.leaf, user.issuer, fleet.root.certificate().clone());
    for chain in [vec![], vec![leaf.clone()], vec![leaf.clone(), issuer.clone(), root], vec![issuer, leaf]] {
        assert!(fleet.verifier().verify(&chain, Usage::Client, None, NOW).is_err(), "{}", chain.len());
    }
}

#[test]
fn odd_leaves_are_refused() {
    let fleet = Authorities::new("production");
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    let twice = grants::encode(&grants("production", Role::Admin)).unwrap();
    let grant = |value: &[u8]| CustomExtension::from_oid_content(GRANTS_OID, value.to_vec());
    let changes: [(&str, Change<'_>); 9] = [
        ("two identities", &|leaf| {
            leaf.subject_alt_names.push(uri("spiffe://shop.production/user/bob"));
        }),
        ("a host name beside", &|leaf| {
            leaf.subject_alt_names.push(SanType::DnsName("shop.example".try_into().unwrap()));
        }),
        ("no name", &|leaf| leaf.subject_alt_names.clear()),
        ("another name", &|leaf| {
            leaf.subject_alt_names = vec![uri("https://shop.production/user/jane")];
        }),
        ("an odd name", &|leaf| {
            leaf.subject_alt_names = vec![uri("spiffe://shop.production/user/jane/")];
        }),
        ("an authority", &|leaf| {
            leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }),
        ("grants twice", &|leaf| {
            leaf.custom_extensions = vec![grant(&twice), grant(&twice)];
        }),
        ("damaged grants", &|leaf| {
            leaf.custom_extensions = vec![grant(b"x")];
        }),
        ("an unknown critical extension", &|leaf| {
            let mut unknown = CustomExtension::from_oid_content(&[2, 25, 1], vec![5, 0]);
            unknown.set_criticality(true);
            leaf.custom_extensions = vec![unknown];
        }),
    ];
    assert!(judge(&fleet, &forge(&fleet.issuer, JANE, |_| {}).0, Usage::Client, NOW).is_ok());
    for (what, change) in changes {
        let (chain, _) = forge(&fleet.issuer, JANE, |leaf| change(leaf));
        assert!(judge(&fleet, &chain, Usage::Client, NOW).is_err(), "{what}");
    }
}

#[test]
fn a_leaf_signs_nothing() {
    // A user who makes up an "issuer" from the own certificate.
    let fleet = Authorities::new("production");
    let (user, key) = fleet.leaf(&admin("jane"), 9);
    let pair = key.pair().unwrap();
    let signer = rcgen::Issuer::from_ca_cert_der(&user.leaf, pair).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI("spiffe://shop.production/agent/7".try_into().unwrap())];
    let leaf =
        params.signed_by(&PrivateKey::generate().unwrap().pair().unwrap(), &signer).unwrap().der().clone();
    let chain = Chain { leaf, issuer: user.leaf };
    assert!(judge(&fleet, &chain, Usage::Server, NOW).is_err());
}

#[test]
fn the_revoked_are_refused_and_only_they() {
    let fleet = Authorities::new("production");
    let revoked = [Revoked { serial: serial(9), at: NOW }];
    let list = RevocationList::issue(&fleet.issuer, 1, &revoked, NOW).unwrap();
    let judge = |n| {
        let (chain, _) = fleet.leaf(&admin("jane"), n);
        fleet.verifier().verify(&chain.to_certificates(), Usage::Client, Some(&list), NOW)
    };
    assert!(matches!(judge(9), Err(VerifyError::Revoked { .. })));
    assert!(judge(10).is_ok());
}

#[test]
fn an_issued_chain_is_for_this_agent_and_this_key() {
    let fleet = Authorities::new("production");
    let agent = |droplet: &str| domain("production").agent(droplet.parse().unwrap());
    let (chain, key) = fleet.leaf(&Subject::Agent("7".parse().unwrap()), 9);
    let judge = |identity, key| fleet.verifier().verify_issued(&chain, &identity, key, NOW);
    assert!(judge(agent("7"), key.spki_digest()).is_ok());
    assert!(matches!(judge(agent("8"), key.spki_digest()), Err(VerifyError::OtherIdentity { .. })));
    let other = PrivateKey::generate().unwrap().spki_digest();
    assert!(matches!(judge(agent("7"), other), Err(VerifyError::OtherKey)));
    let stranger = Authorities::new("production").verifier();
    assert!(stranger.verify_issued(&chain, &agent("7"), key.spki_digest(), NOW).is_err());
}

#[test]
fn any_byte_changed_is_no_other_identity() {
    let fleet = Authorities::new("production");
    let (chain, _) = fleet.leaf(&admin("jane"), 9);
    let verifier = fleet.verifier();
    for position in 0..chain.leaf.len() {
        let mut leaf = chain.leaf.to_vec();
        leaf[position] ^= 0x01;
        let changed = [CertificateDer::from(leaf), chain.issuer.clone()];
        assert!(verifier.verify(&changed, Usage::Client, None, NOW).is_err(), "byte {position}");
    }
}
