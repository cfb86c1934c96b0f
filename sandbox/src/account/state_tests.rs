//! Tests of [`super`]: the layout on disk.

use serde_json::json;

use super::*;
use crate::domain::{droplets, firewalls, fixture, keys};

/// As written by the first program with this layout. A change that cannot read it, or writes it otherwise, needs a new
/// [`LAYOUT_VERSION`] and a golden file beside this one.
const GOLDEN: &str = include_str!("golden/account-1.json");
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3VXxtfKqDgsnRvbeCR92AnfJhnTW5Mq9AmicYEk3IF ops@example";

/// An account with something of everything.
fn full() -> State {
    let mut state = fixture::empty();
    keys::create(&mut state, "ops", KEY).unwrap();
    let running = fixture::droplet(&mut state, "web-1", &["web"]);
    let deleted = fixture::droplet(&mut state, "web-2", &["web"]);
    let rule = |side: &str| json!({"protocol": "tcp", "ports": "80", side: {"addresses": ["0.0.0.0/0"]}});
    let request = json!({
        "name": "web",
        "tags": ["web"],
        "droplet_ids": [running],
        "inbound_rules": [rule("sources")],
        "outbound_rules": [rule("destinations")],
    });
    let request = serde_json::from_value(request).unwrap();
    let before = state.clone();
    fixture::with_env(|env| firewalls::create(&mut state, env, request)).unwrap();
    firewalls::note_changes(&before, &mut state, fixture::now());
    let later = fixture::now() + Duration::from_mins(1);
    fixture::with_env_at(later, |env| droplets::delete(&mut state, env, deleted)).unwrap();
    state
}

#[test]
fn the_first_layout_is_still_read_and_written() {
    let read: State = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(read, full());
    assert_eq!(serde_json::to_string_pretty(&full()).unwrap(), GOLDEN.trim_end());
}

#[test]
fn a_field_of_another_layout_is_refused() {
    let mut value: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    value["droplets"]["520000001"]["colour"] = json!("red");
    serde_json::from_value::<State>(value).unwrap_err();
}
