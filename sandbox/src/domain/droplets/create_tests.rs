//! Tests of [`super`].

use serde_json::json;

use super::*;
use crate::{
    account::state::ActionStatus,
    domain::fixture::{self, with_env},
};

fn request(name: &str) -> CreateRequest {
    CreateRequest {
        name: Some(name.to_owned()),
        region: Some("fra1".to_owned()),
        size: Some("s-1vcpu-1gb".to_owned()),
        image: Some(json!("debian-13-x64")),
        ..CreateRequest::default()
    }
}

fn make(state: &mut State, request: CreateRequest) -> Result<Vec<(Droplet, Action)>, Refusal> {
    with_env(|env| create(state, env, request, Mishap::default()))
}

fn refusal(request: CreateRequest) -> String {
    let mut state = fixture::state();
    let before = state.droplets.clone();
    let text = make(&mut state, request).unwrap_err().to_string();
    assert_eq!(state.droplets, before);
    text
}

#[test]
fn addresses_are_the_lowest_free_ones_and_differ() {
    let mut state = fixture::state();
    let several = CreateRequest { name: None, names: Some(vec!["a".into(), "b".into()]), ..request("x") };
    let made = make(&mut state, several).unwrap();
    let machines: Vec<_> = made.iter().map(|(droplet, _)| &droplet.machine).collect();
    assert_eq!(machines[0].address, Ipv4Addr::new(127, 0, 1, 10));
    assert_eq!(machines[1].address, Ipv4Addr::new(127, 0, 1, 11));
    assert_eq!(machines[1].guest_address, Ipv4Addr::new(203, 0, 113, 11));
    let private: Vec<_> = machines.iter().map(|machine| machine.vpc.clone().unwrap().address).collect();
    assert_eq!(private[0].octets()[3], 2);
    assert_eq!(private[1].octets()[3], 3);
}

/// A request with one thing changed.
fn with(change: impl FnOnce(&mut CreateRequest)) -> CreateRequest {
    let mut request = request("a");
    change(&mut request);
    request
}

#[test]
fn what_is_invalid_is_said_in_the_words_of_the_real_api() {
    let cases = [
        (with(|r| r.size = Some("s-9".to_owned())), "size"),
        (with(|r| r.image = Some(json!("debian-1"))), "image"),
        (with(|r| r.image = None), "image"),
        (with(|r| r.region = Some("mars1".to_owned())), "region"),
    ];
    for (request, what) in cases {
        assert_eq!(refusal(request), format!("You specified an invalid {what} for Droplet creation."));
    }
}

#[test]
fn names_are_host_names_and_at_most_ten() {
    for bad in ["a_b", "-a", "a-", "ä", "a b"] {
        let text = "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)";
        assert_eq!(refusal(request(bad)), text, "{bad}");
    }
    assert_eq!(refusal(request("")), "Name can't be blank");
    let eleven = with(|r| (r.name, r.names) = (None, Some((0..11).map(|n| format!("n{n}")).collect())));
    assert_eq!(refusal(eleven), "At most 10 droplets can be created at once");
}

#[test]
fn what_cannot_be_had_is_refused() {
    let cases = [
        (
            with(|r| r.ssh_keys = Some(vec![json!(7), json!("aa:bb")])),
            "7, aa:bb are invalid key identifiers for Droplet creation.",
        ),
        (with(|r| r.ipv6 = Some(true)), "The sandbox does not offer IPv6"),
        (
            with(|r| r.user_data = Some("x".repeat(LONGEST_USER_DATA + 1))),
            "User data is too large: at most 64 KiB",
        ),
        (
            with(|r| (r.size, r.region) = (Some("s-1vcpu-512mb-10gb".to_owned()), Some("tor1".to_owned()))),
            "Size is not available in this region.",
        ),
    ];
    for (request, text) in cases {
        assert_eq!(refusal(request), text);
    }
}

#[test]
fn the_limit_holds_for_a_batch_as_a_whole() {
    let mut state = fixture::state();
    state.settings.droplet_limit = 2;
    make(&mut state, request("a")).unwrap();
    let two = CreateRequest { name: None, names: Some(vec!["b".into(), "c".into()]), ..request("x") };
    let refused = make(&mut state, two).unwrap_err();
    assert_eq!(refused.to_string(), "creating this/these droplet(s) will exceed your droplet limit");
    make(&mut state, request("b")).unwrap();
}

#[test]
fn regions_may_be_shortened_shouted_or_left_out() {
    let mut state = fixture::state();
    for (wanted, given) in [(Some("nyc"), "nyc1"), (Some("FRA1"), "fra1"), (None, "ams3")] {
        let made =
            make(&mut state, CreateRequest { region: wanted.map(str::to_owned), ..request("a") }).unwrap();
        assert_eq!(made[0].0.machine.region, given);
    }
}

#[test]
fn user_data_that_is_not_ascii_is_accepted_and_the_droplet_lost() {
    let mut state = fixture::state();
    let made = make(&mut state, CreateRequest { user_data: Some("# für".into()), ..request("a") }).unwrap();
    assert!(state.droplets.is_empty());
    assert_eq!(made[0].0.power, Power::New);
    assert_eq!(state.actions[&made[0].1.id].status, ActionStatus::Errored);
}

#[test]
fn a_vpc_of_another_region_is_refused() {
    let mut state = fixture::state();
    let elsewhere = vpcs::default_of(&state, "nyc1").unwrap().id.clone();
    let refused = make(&mut state, CreateRequest { vpc_uuid: Some(elsewhere), ..request("a") }).unwrap_err();
    assert_eq!(refused.to_string(), "Droplet and VPC must be in the same region");
}
