use super::*;
use crate::certificates::fixtures::{Authorities, admin};

#[test]
fn a_chain_survives_wire_and_pem() {
    let (chain, _) = Authorities::new("production").leaf(&admin("jane"), 9);
    assert_eq!(Chain::from_ders(chain.to_ders()).unwrap(), chain);
    assert_eq!(Chain::from_pem(&chain.to_pem()).unwrap(), chain);
}

#[test]
fn another_length_is_refused() {
    let (chain, _) = Authorities::new("production").leaf(&admin("jane"), 9);
    let (leaf, issuer) = (chain.leaf.to_vec(), chain.issuer.to_vec());
    for ders in [vec![], vec![leaf.clone()], vec![leaf.clone(), issuer.clone(), issuer]] {
        let found = ders.len();
        assert!(matches!(Chain::from_ders(ders), Err(ChainError::Length { found: told }) if told == found));
    }
    assert!(matches!(Chain::from_ders(vec![leaf, vec![0; 20_000]]), Err(ChainError::TooLong)));
    assert!(Chain::from_pem("").is_err());
}
