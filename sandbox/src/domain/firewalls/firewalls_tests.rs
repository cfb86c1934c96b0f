//! Tests of [`super`].

use serde_json::json;

use super::*;
use crate::domain::fixture::{self, with_env};

fn request(value: serde_json::Value) -> FirewallRequest {
    serde_json::from_value(value).unwrap()
}

fn web(name: &str) -> serde_json::Value {
    json!({"name": name, "inbound_rules": [{"protocol": "tcp", "ports": "80", "sources": {"addresses": ["0.0.0.0/0", "::/0"]}}]})
}

fn make(state: &mut State, value: serde_json::Value) -> Result<Firewall, Refusal> {
    with_env(|env| create(state, env, request(value)))
}

fn rules(value: serde_json::Value) -> RulesRequest {
    serde_json::from_value(value).unwrap()
}

#[test]
fn all_ports_are_shown_as_zero() {
    let mut state = fixture::state();
    for (number, ports) in [json!("all"), json!(""), json!("0"), json!(null)].into_iter().enumerate() {
        let sources = json!({"addresses": ["10.0.0.0/8"]});
        let rule = json!({"protocol": "udp", "ports": ports, "sources": sources});
        let made = make(&mut state, json!({"name": format!("fw{number}"), "inbound_rules": [rule]})).unwrap();
        assert_eq!(made.inbound_rules[0].ports, "0");
    }
}

#[test]
fn malformed_requests_are_refused() {
    let mut state = fixture::state();
    let rule = |protocol: &str, ports: &str, sources: serde_json::Value| json!({"name": "web", "inbound_rules": [{"protocol": protocol, "ports": ports, "sources": sources}]});
    let anywhere = || json!({"addresses": ["0.0.0.0/0"]});
    let cases = [
        (rule("tcp", "22", json!({})), "invalid address"),
        (rule("tcp", "22", json!({"addresses": ["nowhere"]})), "invalid address"),
        (rule("tcp", "22", json!({"addresses": ["10.0.0.0/33"]})), "invalid address"),
        (rule("tcp", "22", json!({"tags": ["unknown"]})), "tag \"unknown\" not found"),
        (rule("gre", "22", anywhere()), "protocol \"gre\" is invalid: it must be tcp, udp or icmp"),
        (rule("tcp", "70000", anywhere()), "ports \"70000\" is invalid"),
        (rule("tcp", "90-80", anywhere()), "ports \"90-80\" is invalid"),
        (json!({"name": "web"}), "must have at least one rule"),
        (
            web("my_firewall"),
            "name is invalid: it begins with a letter or digit, and has only letters, digits, periods and dashes",
        ),
        (
            json!({"name": "web", "tags": ["new"], "inbound_rules": web("x")["inbound_rules"]}),
            "tag \"new\" not found",
        ),
        (
            json!({"name": "web", "droplet_ids": [7], "inbound_rules": web("x")["inbound_rules"]}),
            "droplet 7 not found",
        ),
    ];
    for (value, text) in cases {
        assert_eq!(make(&mut state, value).unwrap_err().to_string(), text);
    }
    make(&mut state, web("web")).unwrap();
    let twice = make(&mut state, web("web")).unwrap_err();
    assert!(matches!(&twice, Refusal::Conflict(text) if text == "duplicate name"), "{twice}");
}

#[test]
fn put_resets_what_it_does_not_name() {
    let mut state = fixture::state();
    let droplet = fixture::droplet(&mut state, "web-1", &["web"]);
    let mut value = web("web");
    value["droplet_ids"] = json!([droplet]);
    value["tags"] = json!(["web"]);
    let made = make(&mut state, value).unwrap();
    let replaced = with_env(|env| replace(&mut state, env, &made.id, request(web("web")))).unwrap();
    assert!(replaced.droplet_ids.is_empty() && replaced.tags.is_empty());
    assert_eq!(replaced.created_at, made.created_at);
}

#[test]
fn a_rule_is_removed_only_when_it_matches_exactly() {
    let mut state = fixture::state();
    let made = make(&mut state, web("web")).unwrap();
    let other = rules(
        json!({"inbound_rules": [{"protocol": "tcp", "ports": "80", "sources": {"addresses": ["0.0.0.0/0"]}}]}),
    );
    with_env(|env| edit_rules(&mut state, env, &made.id, other.clone(), Edit::Remove)).unwrap_err();
    with_env(|env| edit_rules(&mut state, env, &made.id, other.clone(), Edit::Add)).unwrap();
    with_env(|env| edit_rules(&mut state, env, &made.id, other.clone(), Edit::Add)).unwrap();
    assert_eq!(find(&state, &made.id).unwrap().inbound_rules.len(), 2);
    with_env(|env| edit_rules(&mut state, env, &made.id, other, Edit::Remove)).unwrap();
    assert_eq!(find(&state, &made.id).unwrap().inbound_rules, made.inbound_rules);
}

#[test]
fn joining_by_tag_is_pending_for_a_while() {
    let mut state = fixture::state();
    tags::ensure(&mut state, "Web").unwrap();
    let mut value = web("web");
    value["tags"] = json!(["web"]);
    let made = make(&mut state, value).unwrap();
    let before = state.clone();
    let droplet = fixture::droplet(&mut state, "web-1", &["WEB"]);
    let now = fixture::now();
    note_changes(&before, &mut state, now);
    let firewall = find(&state, &made.id).unwrap();
    assert_eq!(firewall.changes, [FirewallChange { droplet_id: droplet, removing: false, at: now }]);
    assert!(!is_settled(&state, firewall, now));
    assert!(is_settled(&state, firewall, now + state.settings.lags.firewall));
}
