//! Whatever is asked in whatever order, some things hold of the account. Tests only.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::{
    Refusal, actions, droplets,
    droplets::{CreateRequest, Fate, Mishap},
    firewalls::{self, FirewallRequest},
    fixture::{self, with_env_at},
    power::{self, ActionRequest},
    tags,
    vpcs::{self, VpcRequest},
};
use crate::{
    account::state::{ActionStatus, State},
    machine::MachineState,
};

/// Something that is asked of the account, or that happens to it. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Create { names: usize, tag: &'static str, vpc: usize, fate: Fate },
    Act { droplet: usize, kind: &'static str },
    Delete { droplet: usize },
    DeleteTagged { tag: &'static str },
    DeleteTag { tag: &'static str },
    MakeVpc { name: usize, range: usize },
    DeleteVpc { vpc: usize },
    MakeFirewall { name: usize, tag: &'static str, droplet: usize },
    Finish { action: usize, fails: bool },
    Machine { droplet: usize, state: MachineState },
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let tag = || prop::sample::select(vec!["web", "WEB", "db", "Db:1"]);
    let kind = prop::sample::select(vec!["reboot", "power_off", "power_on", "power_cycle", "shutdown"]);
    let machine = prop::sample::select(vec![MachineState::Running, MachineState::Off, MachineState::Absent]);
    let fate = prop_oneof![8 => Just(Fate::Done), 1 => Just(Fate::Stuck), 1 => Just(Fate::Vanishes)];
    prop_oneof![
        4 => (1..4_usize, tag(), 0..20_usize, fate)
            .prop_map(|(names, tag, vpc, fate)| Step::Create { names, tag, vpc, fate }),
        3 => (0..8_usize, kind).prop_map(|(droplet, kind)| Step::Act { droplet, kind }),
        3 => (0..8_usize).prop_map(|droplet| Step::Delete { droplet }),
        1 => tag().prop_map(|tag| Step::DeleteTagged { tag }),
        1 => tag().prop_map(|tag| Step::DeleteTag { tag }),
        2 => (0..4_usize, 0..4_usize).prop_map(|(name, range)| Step::MakeVpc { name, range }),
        1 => (0..20_usize).prop_map(|vpc| Step::DeleteVpc { vpc }),
        2 => (0..3_usize, tag(), 0..8_usize)
            .prop_map(|(name, tag, droplet)| Step::MakeFirewall { name, tag, droplet }),
        6 => (0..8_usize, prop::bool::weighted(0.1)).prop_map(|(action, fails)| Step::Finish { action, fails }),
        1 => (0..8_usize, machine).prop_map(|(droplet, state)| Step::Machine { droplet, state }),
        3 => (1..6_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// Does a step as the account does it: on a copy that only counts if the step succeeds.
fn take(state: &mut State, now: &mut Timestamp, step: &Step) {
    if let Step::Wait { seconds } = step {
        *now = now.saturating_add(Duration::from_secs(*seconds)).unwrap();
    }
    let mut next = state.clone();
    droplets::purge(&mut next, *now);
    if apply(&mut next, *now, step).is_ok() {
        firewalls::note_changes(state, &mut next, *now);
        *state = next;
    }
}

fn apply(state: &mut State, now: Timestamp, step: &Step) -> Result<(), Refusal> {
    let droplet = |state: &State, place: usize| state.droplets.keys().nth(place).copied().unwrap_or(1);
    let vpc = |state: &State, place: usize| state.vpcs.keys().nth(place).cloned().unwrap_or_default();
    with_env_at(now, |env| match step {
        Step::Create { names, tag, vpc: place, fate } => {
            let request = CreateRequest {
                names: Some((0..*names).map(|number| format!("web-{number}")).collect()),
                region: Some("fra1".to_owned()),
                size: Some("s-1vcpu-1gb".to_owned()),
                image: Some(json!("debian-13-x64")),
                tags: Some(vec![(*tag).to_owned()]),
                vpc_uuid: Some(vpc(state, *place)).filter(|id| !id.is_empty()),
                ..CreateRequest::default()
            };
            droplets::create(state, env, request, Mishap { hidden: None, fate: *fate }).map(drop)
        }
        Step::Act { droplet: place, kind } => {
            let request = ActionRequest { kind: Some((*kind).to_owned()), name: None };
            power::act(state, env, droplet(state, *place), &request, Fate::Done).map(drop)
        }
        Step::Delete { droplet: place } => droplets::delete(state, env, droplet(state, *place)),
        Step::DeleteTagged { tag } => droplets::delete_tagged(state, env, tag),
        Step::DeleteTag { tag } => tags::delete(state, tag),
        Step::MakeVpc { name, range } => {
            let request = VpcRequest {
                name: Some(format!("vpc-{name}")),
                region: Some("fra1".to_owned()),
                ip_range: Some(format!("10.{range}.0.0/{}", 28 - range)),
                ..VpcRequest::default()
            };
            vpcs::create(state, env, request).map(drop)
        }
        Step::DeleteVpc { vpc: place } => vpcs::delete(state, &vpc(state, *place), now),
        Step::MakeFirewall { name, tag, droplet: place } => {
            let rule = json!({"protocol": "icmp", "sources": {"addresses": ["0.0.0.0/0"]}});
            let ids = [droplet(state, *place)];
            let request = json!({"name": format!("fw-{name}"), "tags": [tag], "droplet_ids": ids, "inbound_rules": [rule]});
            let request: FirewallRequest = serde_json::from_value(request).unwrap();
            firewalls::create(state, env, request).map(drop)
        }
        Step::Finish { action, fails } => {
            let id = actions::unfinished(state).nth(*action).map_or(0, |action| action.id);
            actions::finish(state, id, fails.then(|| "it broke".to_owned()), now);
            Ok(())
        }
        Step::Machine { droplet: place, state: machine } => {
            actions::note_machine(state, droplet(state, *place), *machine);
            Ok(())
        }
        Step::Wait { .. } => Ok(()),
    })
}

fn check(state: &State, now: Timestamp) {
    let addresses: BTreeSet<_> = state.droplets.values().map(|droplet| droplet.machine.address).collect();
    assert_eq!(addresses.len(), state.droplets.len(), "public addresses are unique");
    let private: BTreeSet<_> = state
        .droplets
        .values()
        .filter_map(|droplet| droplet.machine.vpc.as_ref())
        .map(|attachment| (attachment.id.clone(), attachment.address))
        .collect();
    assert_eq!(private.len(), state.droplets.len(), "private addresses are unique in their VPC");
    assert!(droplets::alive(state).count() <= 25, "the limit holds");

    let mut busy: BTreeMap<u64, usize> = BTreeMap::new();
    for action in state.actions.values() {
        assert!(action.id <= state.counters.action);
        assert_eq!(action.status == ActionStatus::InProgress, action.completed_at.is_none());
        if action.status == ActionStatus::InProgress {
            *busy.entry(action.droplet_id).or_default() += 1;
        }
    }
    assert!(busy.values().all(|count| *count == 1), "one event at a time: {busy:?}");

    for droplet in state.droplets.values() {
        assert!(state.vpcs.contains_key(&droplet.vpc_id), "its VPC is there as long as it is");
        for tag in &droplet.tags {
            assert_eq!(&state.tags[&tags::fold(tag)].name, tag, "tags have one spelling");
        }
        let id = droplet.machine.droplet_id;
        let deleting = droplet.deleted_at.is_some();
        assert!(deleting || !droplet.destroyed);
        assert!(!deleting || state.firewalls.values().all(|firewall| !firewall.droplet_ids.contains(&id)));
    }
    for firewall in state.firewalls.values() {
        for change in firewalls::pending(state, firewall, now) {
            assert!(change.at <= now);
        }
        assert!(firewall.tags.iter().all(|tag| state.tags[&tags::fold(tag)].name == *tag));
    }
    let vpcs: Vec<_> = state.vpcs.values().collect();
    for (place, one) in vpcs.iter().enumerate() {
        let others = || vpcs.iter().skip(place + 1);
        assert!(others().all(|other| !one.ip_range.overlaps(other.ip_range)), "ranges do not overlap");
        assert!(others().all(|other| one.name != other.name), "names are unique");
        assert!(others().all(|other| !(one.default && other.default && one.region == other.region)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn hold_after_every_step(steps in prop::collection::vec(step(), 1..80)) {
        let (mut state, mut now) = (fixture::empty(), fixture::now());
        for step in &steps {
            let before = state.counters.clone();
            take(&mut state, &mut now, step);
            check(&state, now);
            prop_assert!(state.counters.droplet >= before.droplet && state.counters.action >= before.action);
        }
        // What is written is what is read back.
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }
}
