//! Merging two files against a plain reference: what each attribute should be, computed the simple way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::load_files;

type Texts = BTreeMap<String, String>;

/// What one file says about the service.
#[derive(Debug, Clone)]
struct Said {
    hostname: Option<String>,
    command: Option<Vec<String>>,
    environment: Option<(Form, Texts)>,
    labels: Option<(Form, Texts)>,
    cap_add: Option<Vec<String>>,
    security_opt: Option<Vec<String>>,
    ports: Option<Vec<(u16, u16)>>,
    volumes: Option<Texts>,
    networks: Option<Vec<String>>,
    test: Option<Vec<String>>,
    retries: Option<u64>,
    hosts: Option<Vec<String>>,
}

/// How a mapping of texts is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Map,
    List,
}

fn texts() -> impl Strategy<Value = Texts> {
    prop::collection::btree_map("[A-E]", "[a-z]{0,2}", 0..4)
}

fn formed() -> impl Strategy<Value = Option<(Form, Texts)>> {
    prop::option::of((prop_oneof![Just(Form::Map), Just(Form::List)], texts()))
}

fn words(pattern: &'static str) -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::of(prop::collection::btree_set(pattern, 0..4).prop_map(|set| set.into_iter().collect()))
}

fn said(option: &'static str) -> impl Strategy<Value = Said> {
    let first = (
        prop::option::of("[a-z]{1,4}"),
        prop::option::of(prop::collection::vec("[a-z]{1,3}", 0..3)),
        formed(),
        formed(),
        words("[A-D]"),
        words(option),
    );
    let ports = prop::collection::btree_map(80_u16..84, 8000_u16..8003, 0..3)
        .prop_map(|map| map.into_iter().collect());
    let second = (
        prop::option::of(ports),
        prop::option::of(prop::collection::btree_map("/[a-d]", "/(x|y)", 0..3)),
        words("n[1-3]"),
        prop::option::of(Just(vec!["CMD".to_owned(), option.to_owned()])),
        prop::option::of(1_u64..9),
        words("h[1-3]=10[.]0[.]0[.][1-2]"),
    );
    (first, second).prop_map(|(a, b)| Said {
        hostname: a.0,
        command: a.1,
        environment: a.2,
        labels: a.3,
        cap_add: a.4,
        security_opt: a.5,
        ports: b.0,
        volumes: b.1,
        networks: b.2,
        test: b.3,
        retries: b.4,
        hosts: b.5,
    })
}

fn written(formed: &(Form, Texts)) -> Value {
    match formed.0 {
        Form::Map => json!(formed.1),
        Form::List => json!(formed.1.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>()),
    }
}

impl Said {
    fn yaml(&self) -> String {
        let mut service = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                service.insert(key.to_owned(), value);
            }
        };
        put("image", Some(json!("x")));
        put("hostname", self.hostname.as_ref().map(|v| json!(v)));
        put("command", self.command.as_ref().map(|v| json!(v)));
        put("environment", self.environment.as_ref().map(written));
        put("labels", self.labels.as_ref().map(written));
        put("cap_add", self.cap_add.as_ref().map(|v| json!(v)));
        put("security_opt", self.security_opt.as_ref().map(|v| json!(v)));
        let ports = |v: &Vec<(u16, u16)>| v.iter().map(|(c, h)| format!("{h}:{c}")).collect::<Vec<_>>();
        put("ports", self.ports.as_ref().map(|v| json!(ports(v))));
        let volumes = |v: &Texts| v.iter().map(|(t, s)| format!("{s}:{t}")).collect::<Vec<_>>();
        put("volumes", self.volumes.as_ref().map(|v| json!(volumes(v))));
        put("networks", self.networks.as_ref().map(|v| json!(v)));
        put("extra_hosts", self.hosts.as_ref().map(|v| json!(v)));
        let mut check = Map::new();
        if let Some(test) = &self.test {
            check.insert("test".into(), json!(test));
        }
        if let Some(retries) = self.retries {
            check.insert("retries".into(), json!(retries));
        }
        if !check.is_empty() {
            put("healthcheck", Some(Value::Object(check)));
        }
        let networks = json!({"n1": {}, "n2": {}, "n3": {}});
        json!({"services": {"a": service}, "networks": networks}).to_string()
    }
}

fn over<T: Clone>(base: Option<&T>, over: Option<&T>) -> Option<T> {
    over.or(base).cloned()
}

fn overlay(base: Option<&Texts>, over: Option<&Texts>) -> Texts {
    base.into_iter().chain(over).flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn append(base: Option<&Vec<String>>, over: Option<&Vec<String>>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in base.into_iter().chain(over).flatten() {
        if !all.contains(word) {
            all.push(word.clone());
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn agrees_with_a_simple_reference(first in said("p[1-3]"), second in said("q[1-3]")) {
        let (base, later) = (first.yaml(), second.yaml());
        let files = [("compose.yaml", base.as_str()), ("compose.override.yaml", later.as_str())];
        let loaded = load_files(&files).unwrap();
        let service = &loaded.project.services["a"];
        prop_assert_eq!(&service.hostname, &over(first.hostname.as_ref(), second.hostname.as_ref()).unwrap_or_default());
        prop_assert_eq!(&service.command.0, &over(first.command.as_ref(), second.command.as_ref()));
        let environment: Texts =
            service.environment.iter().map(|(k, v)| (k.clone(), v.clone().unwrap())).collect();
        let map = |formed: &Option<(Form, Texts)>| formed.as_ref().map(|(_, map)| map.clone());
        prop_assert_eq!(environment, overlay(map(&first.environment).as_ref(), map(&second.environment).as_ref()));
        prop_assert_eq!(&service.labels, &overlay(map(&first.labels).as_ref(), map(&second.labels).as_ref()));
        prop_assert_eq!(&service.cap_add, &append(first.cap_add.as_ref(), second.cap_add.as_ref()));
        prop_assert_eq!(&service.security_opt, &append(first.security_opt.as_ref(), second.security_opt.as_ref()));

        // A port is the same one when both its sides are.
        let ports: Vec<String> = service.ports.iter().map(|p| format!("{}:{}", p.published, p.target)).collect();
        let texts = |said: &Said| said.ports.as_ref().map(|v| v.iter().map(|(c, h)| format!("{h}:{c}")).collect::<Vec<_>>());
        prop_assert_eq!(ports, append(texts(&first).as_ref(), texts(&second).as_ref()));

        // One mount per place in the container.
        let mounts: Texts = service.volumes.iter().map(|m| (m.target.clone(), m.source.clone())).collect();
        prop_assert_eq!(mounts.len(), service.volumes.len());
        prop_assert_eq!(mounts, overlay(first.volumes.as_ref(), second.volumes.as_ref()));

        let mut networks = append(first.networks.as_ref(), second.networks.as_ref());
        networks.sort();
        if networks.is_empty() {
            networks.push("default".into());
        }
        prop_assert_eq!(service.networks.keys().cloned().collect::<Vec<_>>(), networks);

        let check = service.healthcheck.clone().unwrap_or_default();
        prop_assert_eq!(check.test.0, over(first.test.as_ref(), second.test.as_ref()).unwrap_or_default());
        prop_assert_eq!(check.retries, over(first.retries.as_ref(), second.retries.as_ref()));

        let mut hosts = append(first.hosts.as_ref(), second.hosts.as_ref());
        hosts.sort();
        prop_assert_eq!(service.extra_hosts.entries("="), hosts);
    }
}
