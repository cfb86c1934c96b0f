use super::*;
use crate::certificates::fixtures::{Authorities, NOW, admin, domain, issuer_below, later, serial};

fn revoked(numbers: &[u8]) -> Vec<Revoked> {
    numbers.iter().map(|n| Revoked { serial: serial(*n), at: NOW }).collect()
}

fn verify(
    fleet: &Authorities,
    der: &[u8],
    issuers: &[&CertificateDer<'_>],
) -> Result<RevocationList, RevocationError> {
    RevocationList::verify(der, issuers, &fleet.verifier(), &domain("production"))
}

#[test]
fn a_list_says_what_was_put_in() {
    let fleet = Authorities::new("production");
    for numbers in [[].as_slice(), &[9], &[9, 10, 11]] {
        let list = RevocationList::issue(&fleet.issuer, 7, &revoked(numbers), NOW).unwrap();
        let again = verify(&fleet, list.der(), &[fleet.issuer.certificate()]).unwrap();
        assert_eq!(again, list);
        assert_eq!(again.number(), 7);
        assert!(numbers.iter().all(|n| again.contains(&serial(*n))));
        assert!(!again.contains(&serial(12)));
    }
    assert!(
        RevocationList::issue(&fleet.issuer, u64::MAX, &[], NOW).is_ok_and(|list| list.number() == u64::MAX)
    );
}

#[test]
fn the_issuer_after_next_signs_as_well() {
    // A list outlives the issuer that signed what is on it.
    let fleet = Authorities::new("production");
    let next = issuer_below(&fleet.root, "production");
    let list = RevocationList::issue(&next, 2, &revoked(&[9]), later(authority::ISSUER_SIGNS_FOR)).unwrap();
    let issuers = [fleet.issuer.certificate(), next.certificate()];
    assert!(verify(&fleet, list.der(), &issuers).unwrap().contains(&serial(9)));
}

#[test]
fn who_is_not_the_environments_issuer_signs_no_list() {
    let (fleet, other) = (Authorities::new("production"), Authorities::new("production"));
    let issuer = fleet.issuer.certificate();
    let stranger = RevocationList::issue(&other.issuer, 7, &[], NOW).unwrap();
    assert!(matches!(verify(&fleet, stranger.der(), &[issuer]), Err(RevocationError::Signature { .. })));
    let shown = verify(&fleet, stranger.der(), &[other.issuer.certificate()]);
    assert!(matches!(shown, Err(RevocationError::Signer(VerifyError::Signature))));
    let staging = issuer_below(&fleet.root, "staging");
    let theirs = RevocationList::issue(&staging, 7, &[], NOW).unwrap();
    let crossed = verify(&fleet, theirs.der(), &[issuer, staging.certificate()]);
    assert!(matches!(crossed, Err(RevocationError::Signer(VerifyError::OtherIssuer { .. }))));
    let (chain, _) = fleet.leaf(&admin("jane"), 9);
    assert!(verify(&fleet, stranger.der(), &[&chain.leaf]).is_err());
    assert!(verify(&fleet, stranger.der(), &[]).is_err());
}

#[test]
fn a_changed_list_is_refused() {
    let fleet = Authorities::new("production");
    let list = RevocationList::issue(&fleet.issuer, 7, &revoked(&[9]), NOW).unwrap();
    for position in 0..list.der().len() {
        let mut der = list.der().to_vec();
        der[position] ^= 0x01;
        // Bytes outside of what is signed may differ; what the list says may not.
        if let Ok(changed) = verify(&fleet, &der, &[fleet.issuer.certificate()]) {
            assert_eq!((changed.number, changed.serials), (7, list.serials.clone()), "byte {position}");
        }
    }
    let mut longer = list.der().to_vec();
    longer.push(0);
    assert!(matches!(RevocationList::from_own_der(&longer), Err(RevocationError::Syntax)));
    assert!(RevocationList::from_own_der(&vec![0x30; MAX_REVOCATION_LIST_BYTES + 1]).is_err());
}

#[test]
fn numbers_only_rise() {
    let fleet = Authorities::new("production");
    let list = |number, on: &[u8]| RevocationList::issue(&fleet.issuer, number, &revoked(on), NOW).unwrap();
    let present = list(7, &[9]);
    assert!(list(1, &[]).check_replaces(None).is_ok());
    assert!(list(8, &[]).check_replaces(Some(&present)).is_ok());
    assert!(present.check_replaces(Some(&present)).is_ok());
    for refused in [list(6, &[9]), list(7, &[])] {
        assert!(matches!(
            refused.check_replaces(Some(&present)),
            Err(RevocationError::Number { present: 7, .. })
        ));
    }
}

#[test]
fn twenty_thousand_fit_into_the_bound() {
    let fleet = Authorities::new("production");
    let many: Vec<Revoked> = (0..20_000_u32)
        .map(|n| {
            let mut bytes = [0; 16];
            bytes[12..].copy_from_slice(&n.to_be_bytes());
            Revoked { serial: Serial::from_random(bytes), at: NOW }
        })
        .collect();
    let list = RevocationList::issue(&fleet.issuer, 7, &many, NOW).unwrap();
    assert_eq!(list.serials.len(), 20_000);
}
