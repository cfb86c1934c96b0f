//! What the account's API says, and actions on droplets that no command of the controller has.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use super::world::World;

/// All droplets of the account, as the API lists them.
pub fn droplets(world: &World) -> Vec<Value> {
    list(world, "droplets")
}

/// A collection of the account.
pub fn list(world: &World, kind: &str) -> Vec<Value> {
    let answer = ask(world, "GET", &format!("/v2/{kind}?per_page=200"), None);
    let key = if kind == "account/keys" { "ssh_keys" } else { kind };
    answer[key].as_array().unwrap_or_else(|| panic!("{kind}: {answer}")).clone()
}

/// Public addresses of all droplets, by name.
pub fn addresses(world: &World) -> BTreeMap<String, String> {
    let of = |droplet: &Value| {
        let networks = droplet["networks"]["v4"].as_array()?;
        let public = networks.iter().find(|network| network["type"] == "public")?;
        Some((droplet["name"].as_str()?.to_owned(), public["ip_address"].as_str()?.to_owned()))
    };
    droplets(world).iter().filter_map(of).collect()
}

/// Begins an action on a droplet, such as `power_cycle`.
pub fn act(world: &World, droplet: &Value, action: &str) {
    let body = serde_json::json!({ "type": action }).to_string();
    let answer = ask(world, "POST", &format!("/v2/droplets/{droplet}/actions"), Some(&body));
    assert_eq!(answer["action"]["type"], action, "{answer}");
}

fn ask(world: &World, method: &str, path: &str, body: Option<&str>) -> Value {
    let url = format!("{}{path}", world.sandbox["api_url"].as_str().unwrap());
    let authorization = format!("Authorization: Bearer {}", world.token());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "-X", method, "-H", &authorization, &url]);
    if let Some(body) = body {
        curl.args(["-H", "Content-Type: application/json", "-d", body]);
    }
    let out = curl.output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
}
