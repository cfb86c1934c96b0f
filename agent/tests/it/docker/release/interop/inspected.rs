//! What `docker inspect` says about containers that two tools made, and where it differs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What differs with reason: part of a path below a container, and the reason. Everything else has to be equal.
pub const JUSTIFIED: &[(&str, &str)] =
    &[("Config/Labels/tidegate.release", "the one label of ours: which release made the container")];

/// Containers by name, as `docker inspect` has them, without what differs from one making to the next.
pub fn normalised(inspected: &Value) -> BTreeMap<String, Value> {
    let list = inspected.as_array().unwrap();
    let mut text = serde_json::to_string(list).unwrap();
    for container in list {
        let (id, name) = (container["Id"].as_str().unwrap(), container["Name"].as_str().unwrap());
        text = text.replace(id, name).replace(id.get(..12).unwrap(), name);
        for (network, endpoint) in container["NetworkSettings"]["Networks"].as_object().into_iter().flatten()
        {
            // docker compose 2.26 names external networks by their ids.
            let id = endpoint["NetworkID"].as_str().filter(|id| !id.is_empty());
            text = id.map_or(text.clone(), |id| text.replace(id, network));
        }
    }
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    list.into_iter()
        .map(|container| (container["Name"].as_str().unwrap().to_owned(), one(container)))
        .collect()
}

fn one(mut container: Value) -> Value {
    let shares = ["NetworkMode", "IpcMode", "PidMode"].iter().any(|mode| {
        container["HostConfig"][mode].as_str().is_some_and(|mode| mode.starts_with("container:"))
    }) || !container["HostConfig"]["VolumesFrom"].is_null();
    let labels = &mut container["Config"]["Labels"];
    if shares {
        labels["com.docker.compose.config-hash"] = json!("covers the id of another container");
    }
    if let Some(needed) = labels["com.docker.compose.depends_on"].as_str() {
        let mut needed: Vec<&str> = needed.split(',').collect();
        needed.sort_unstable();
        labels["com.docker.compose.depends_on"] = json!(needed.join(","));
    }
    sort(&mut container["Config"]["Env"], Value::to_string);
    for list in ["Binds", "ExtraHosts", "Links"] {
        sort(&mut container["HostConfig"][list], Value::to_string);
    }
    sort(&mut container["HostConfig"]["Mounts"], |mount| mount["Target"].to_string());
    sort(&mut container["HostConfig"]["Ulimits"], |limit| limit["Name"].to_string());
    let mut settings = container["NetworkSettings"].take();
    let has_mac = container["Config"]["MacAddress"].as_str().is_some_and(|mac| !mac.is_empty());
    for (network, endpoint) in settings["Networks"].as_object_mut().into_iter().flatten() {
        let fixed = endpoint["IPAMConfig"]["IPv4Address"].as_str().is_some_and(|address| !address.is_empty());
        sort(&mut endpoint["Aliases"], Value::to_string);
        sort(&mut endpoint["Links"], Value::to_string);
        given(endpoint, &["EndpointID", "NetworkID", "GlobalIPv6Address", "IPv6Gateway"]);
        // On the host's own networks addresses are the host's.
        if !fixed || network == "bridge" {
            given(endpoint, &["IPAddress", "Gateway"]);
            endpoint["IPPrefixLen"] = json!("of a subnet of Docker's choice");
        }
        if !has_mac {
            given(endpoint, &["MacAddress"]);
        }
    }
    given(&mut settings, &["SandboxID", "SandboxKey", "EndpointID", "IPAddress", "Gateway", "MacAddress"]);
    given(&mut settings, &["GlobalIPv6Address", "IPv6Gateway"]);
    settings["IPPrefixLen"] = json!("of a subnet of Docker's choice");
    for (port, bindings) in settings["Ports"].as_object_mut().into_iter().flatten() {
        let asked = &container["HostConfig"]["PortBindings"][port.as_str()];
        let is_chosen = |asked: &Value| {
            let port = asked["HostPort"].as_str().unwrap_or_default();
            port.is_empty() || port.contains('-')
        };
        if asked.as_array().into_iter().flatten().any(is_chosen) {
            for binding in bindings.as_array_mut().into_iter().flatten() {
                given(binding, &["HostPort"]);
            }
        }
    }
    json!({ "Config": container["Config"], "HostConfig": container["HostConfig"], "NetworkSettings": settings })
}

/// Only whether there is something.
fn given(value: &mut Value, keys: &[&str]) {
    for key in keys {
        if value[key].as_str().is_some_and(|text| !text.is_empty()) {
            value[key] = json!("given");
        }
    }
}

fn sort(list: &mut Value, key: impl Fn(&Value) -> String) {
    if let Some(list) = list.as_array_mut() {
        list.sort_by_key(key);
    }
}

/// Paths of what differs and is not justified, with both values.
pub fn differences(ours: &BTreeMap<String, Value>, theirs: &BTreeMap<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    if !ours.keys().eq(theirs.keys()) {
        found.push(format!("containers: {:?} and {:?}", ours.keys(), theirs.keys()));
    }
    for (name, own) in ours {
        if let Some(their) = theirs.get(name) {
            walk(name.trim_start_matches('/'), (own, their), &mut found);
        }
    }
    found
}

fn walk(path: &str, (own, their): (&Value, &Value), found: &mut Vec<String>) {
    if own == their || JUSTIFIED.iter().any(|(part, _)| path.ends_with(part)) {
        return;
    }
    if let (Some(a), Some(b)) = (own.as_object(), their.as_object()) {
        let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let side =
                |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(json!("(none)"));
            walk(&format!("{path}/{key}"), (&side(a), &side(b)), found);
        }
        return;
    }
    let short = |value: &Value| value.to_string().chars().take(120).collect::<String>();
    found.push(format!("{path}: ours {} theirs {}", short(own), short(their)));
}
