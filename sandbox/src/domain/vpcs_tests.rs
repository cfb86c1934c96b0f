//! Tests of [`super`].

use std::time::Duration;

use super::*;
use crate::domain::fixture::{self, with_env};

fn request(name: &str, region: &str, range: Option<&str>) -> VpcRequest {
    VpcRequest {
        name: Some(name.to_owned()),
        region: Some(region.to_owned()),
        ip_range: range.map(str::to_owned),
        ..VpcRequest::default()
    }
}

#[test]
fn overlap_is_refused_in_the_words_of_the_real_api() {
    let mut state = fixture::state();
    with_env(|env| create(&mut state, env, request("a", "fra1", Some("10.20.0.0/20")))).unwrap();
    let again =
        with_env(|env| create(&mut state, env, request("b", "nyc1", Some("10.20.8.0/24")))).unwrap_err();
    assert_eq!(again.to_string(), "This range/size overlaps with another VPC network in your account");
    with_env(|env| create(&mut state, env, request("b", "nyc1", Some("10.20.16.0/20")))).unwrap();
}

#[test]
fn names_are_unique_and_plain() {
    let mut state = fixture::state();
    with_env(|env| create(&mut state, env, request("a", "fra1", None))).unwrap();
    for name in ["a", "", "a b", "a_b"] {
        with_env(|env| create(&mut state, env, request(name, "fra1", None))).unwrap_err();
    }
}

#[test]
fn ranges_outside_the_rules_are_refused() {
    let mut state = fixture::state();
    for range in ["10.0.0.0/15", "10.0.0.0/29", "8.8.0.0/16", "10.0.0.1/20", "fd00::/64"] {
        with_env(|env| create(&mut state, env, request("a", "fra1", Some(range)))).unwrap_err();
    }
}

#[test]
fn the_first_of_a_region_is_its_default_and_stays() {
    let mut state = fixture::empty();
    let first = with_env(|env| create(&mut state, env, request("a", "FRA1", None))).unwrap();
    assert!(first.default);
    let refused = delete(&mut state, &first.id, fixture::now()).unwrap_err();
    assert!(matches!(refused, Refusal::Forbidden(_)));
    let second = with_env(|env| create(&mut state, env, request("b", "fra1", None))).unwrap();
    assert!(!second.default);
    let moved = VpcRequest { default: Some(true), ..VpcRequest::default() };
    update(&mut state, &second.id, moved, Update::Amend).unwrap();
    assert_eq!(default_of(&state, "fra1").unwrap().id, second.id);
    delete(&mut state, &first.id, fixture::now()).unwrap();
}

#[test]
fn members_keep_it_alive_even_after_their_deletion() {
    let mut state = fixture::state();
    let vpc = with_env(|env| create(&mut state, env, request("a", "fra1", None))).unwrap();
    let droplet = fixture::droplet(&mut state, "web-1", &[]);
    state.droplets.get_mut(&droplet).unwrap().vpc_id.clone_from(&vpc.id);
    let refused = delete(&mut state, &vpc.id, fixture::now()).unwrap_err();
    assert_eq!(refused.to_string(), "Can not delete VPC with members");
    state.droplets.get_mut(&droplet).unwrap().deleted_at = Some(fixture::now());
    delete(&mut state, &vpc.id, fixture::now()).unwrap_err();
    let later = fixture::now() + state.settings.lags.member + Duration::from_millis(1);
    delete(&mut state, &vpc.id, later).unwrap();
}

#[test]
fn put_resets_what_patch_leaves() {
    let mut state = fixture::state();
    let described = VpcRequest { description: Some("x".to_owned()), ..request("a", "fra1", None) };
    let vpc = with_env(|env| create(&mut state, env, described)).unwrap();
    let rename = |name: &str| VpcRequest { name: Some(name.to_owned()), ..VpcRequest::default() };
    assert_eq!(update(&mut state, &vpc.id, rename("b"), Update::Amend).unwrap().description, "x");
    assert_eq!(update(&mut state, &vpc.id, rename("c"), Update::Replace).unwrap().description, "");
    update(&mut state, &vpc.id, VpcRequest::default(), Update::Replace).unwrap_err();
}
