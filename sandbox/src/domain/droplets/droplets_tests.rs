//! Tests of [`super`].

use serde_json::json;

use super::*;
use crate::domain::fixture::{self, with_env, with_env_at};

/// Asks for a droplet and tells its id.
fn made(state: &mut State) -> u64 {
    let request = CreateRequest {
        name: Some("a".to_owned()),
        size: Some("s-1vcpu-1gb".to_owned()),
        image: Some(json!("debian-13-x64")),
        ..CreateRequest::default()
    };
    let made = with_env(|env| create(state, env, request, Mishap::default())).unwrap();
    made[0].0.machine.droplet_id
}

#[test]
fn a_new_droplet_hides_and_a_deleted_one_lingers() {
    let mut state = fixture::state();
    let start = fixture::now();
    let id = made(&mut state);
    let lags = state.settings.lags.clone();
    assert!(find(&state, id, start).is_err());
    assert!(find(&state, id, start + lags.create_not_found).is_ok());
    assert_eq!(listed(&state, start + lags.create_not_found).count(), 0);
    let seen = start + lags.create_not_listed;
    assert_eq!(listed(&state, seen).count(), 1);

    let busy = with_env_at(seen, |env| delete(&mut state, env, id)).unwrap_err();
    assert_eq!(busy.to_string(), "Droplet already has a pending event.");
    let create = actions::pending(&state, id).unwrap().id;
    actions::finish(&mut state, create, None, seen);
    with_env_at(seen, |env| delete(&mut state, env, id)).unwrap();
    assert!(find(&state, id, seen).is_ok());
    assert!(find(&state, id, seen + lags.delete_visible).is_err());
    assert_eq!(alive(&state).count(), 0);

    let destroy = actions::pending(&state, id).unwrap().id;
    purge(&mut state, seen + lags.member);
    assert_eq!(state.droplets.len(), 1, "its machine is not gone yet");
    actions::finish(&mut state, destroy, None, seen);
    purge(&mut state, seen + lags.member);
    assert!(state.droplets.is_empty());
}

#[test]
fn deleting_by_tag_takes_those_and_no_others() {
    let mut state = fixture::state();
    let tagged = fixture::droplet(&mut state, "a", &["Blue"]);
    let other = fixture::droplet(&mut state, "b", &[]);
    assert!(matches!(with_env(|env| delete_tagged(&mut state, env, "red")), Err(Refusal::NotFound)));
    with_env(|env| delete_tagged(&mut state, env, "blue")).unwrap();
    assert!(state.droplets[&tagged].deleted_at.is_some());
    assert!(state.droplets[&other].deleted_at.is_none());
}
