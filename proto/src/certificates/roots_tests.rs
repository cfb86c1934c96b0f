use super::*;
use crate::certificates::fixtures::{Authorities, admin};

fn bundle(number: u64, fleets: &[&Authorities]) -> RootBundle {
    RootBundle::new(number, fleets.iter().map(|fleet| fleet.root.certificate().clone()).collect()).unwrap()
}

#[test]
fn a_bundle_survives_the_wire() {
    let (one, two) = (Authorities::new("production"), Authorities::new("production"));
    let roots = bundle(3, &[&one, &two]);
    assert_eq!(RootBundle::from_proto(Some(roots.to_proto())).unwrap(), roots);
    assert!(matches!(RootBundle::from_proto(None), Err(RootsError::Absent)));
}

#[test]
fn an_old_root_names_the_next_ones() {
    let (old, new) = (Authorities::new("production"), Authorities::new("production"));
    let present = bundle(1, &[&old]);
    let next = bundle(2, &[&old, &new]);
    let signed = next.sign(old.root.key()).unwrap();
    assert_eq!(present.verify_update(signed).unwrap(), next);
    // And the new one alone may go on from there.
    let last = bundle(3, &[&new]);
    assert_eq!(next.verify_update(last.sign(new.root.key()).unwrap()).unwrap(), last);
}

#[test]
fn nobody_else_does() {
    let (old, new) = (Authorities::new("production"), Authorities::new("production"));
    let present = bundle(1, &[&old]);
    let next = bundle(2, &[&new]);
    let by_new = next.sign(new.root.key()).unwrap();
    assert!(matches!(present.verify_update(by_new), Err(RootsError::Signature)));
    let by_issuer = next.sign(old.issuer.key()).unwrap();
    assert!(matches!(present.verify_update(by_issuer), Err(RootsError::Signature)));
    let mut unsigned = next.sign(old.root.key()).unwrap();
    unsigned.signature.clear();
    assert!(matches!(present.verify_update(unsigned), Err(RootsError::Signature)));
}

#[test]
fn a_signed_bundle_cannot_be_changed() {
    let (old, new) = (Authorities::new("production"), Authorities::new("production"));
    let present = bundle(1, &[&old]);
    let good = bundle(2, &[&old]).sign(old.root.key()).unwrap();
    let mut renumbered = good.clone();
    renumbered.bundle.as_mut().unwrap().number = 9;
    assert!(matches!(present.verify_update(renumbered), Err(RootsError::Signature)));
    let mut widened = good;
    widened.bundle.as_mut().unwrap().roots.push(new.root.certificate().to_vec());
    assert!(matches!(present.verify_update(widened), Err(RootsError::Signature)));
}

#[test]
fn numbers_only_rise() {
    let old = Authorities::new("production");
    let present = bundle(5, &[&old]);
    for number in [0, 4, 5] {
        let signed = bundle(number, &[&old]).sign(old.root.key()).unwrap();
        assert!(
            matches!(present.verify_update(signed), Err(RootsError::Number { present: 5, .. })),
            "{number}"
        );
    }
}

#[test]
fn only_authorities_and_not_too_many() {
    let fleet = Authorities::new("production");
    assert!(matches!(RootBundle::new(1, vec![]), Err(RootsError::Count { found: 0 })));
    let many = vec![fleet.root.certificate().clone(); MAX_ROOTS + 1];
    assert!(matches!(RootBundle::new(1, many), Err(RootsError::Count { .. })));
    let (chain, _) = fleet.leaf(&admin("jane"), 9);
    assert!(matches!(RootBundle::new(1, vec![chain.leaf]), Err(RootsError::NoRoot)));
    assert!(matches!(RootBundle::new(1, vec![vec![1, 2, 3].into()]), Err(RootsError::NoRoot)));
}
