//! A walk over every operation that is served, each answer judged by DigitalOcean's own document.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_sandbox::api::OPERATIONS;

use crate::sandbox::{Client, Sandbox, openapi};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3VXxtfKqDgsnRvbeCR92AnfJhnTW5Mq9AmicYEk3IF ops@example";

/// A client that takes note of the operations it used with success.
struct Walker {
    client: Client,
    walked: BTreeSet<(String, String)>,
}

impl Walker {
    /// Sends a request for an operation; `{}` in the path stand for the parameters in turn.
    async fn go(&mut self, method: &str, template: &str, parameters: &[&str], body: Value) -> Value {
        let mut path = String::new();
        let mut parameters = parameters.iter();
        for segment in template.split('/').skip(1) {
            path.push('/');
            path.push_str(if segment.starts_with('{') { parameters.next().unwrap() } else { segment });
        }
        self.at(method, template, &path, body).await
    }

    async fn at(&mut self, method: &str, template: &str, path: &str, body: Value) -> Value {
        let reply = self.client.send(method, path, (!body.is_null()).then_some(body)).await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.body);
        self.walked.insert((method.to_owned(), template.to_owned()));
        reply.body
    }

    async fn read(&mut self, template: &str, parameters: &[&str]) -> Value {
        self.go("GET", template, parameters, Value::Null).await
    }
}

#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let sandbox = Sandbox::start().await;
    let mut walker = Walker { client: sandbox.client(), walked: BTreeSet::new() };
    catalog(&mut walker).await;
    keys(&mut walker).await;
    vpcs(&mut walker).await;
    let droplet = droplets(&mut walker).await;
    tags(&mut walker, &droplet).await;
    firewalls(&mut walker, &droplet).await;
    deletions(&mut walker, &droplet).await;
    let served: BTreeSet<(String, String)> =
        OPERATIONS.iter().map(|operation| (operation.method.to_owned(), operation.path.to_owned())).collect();
    let missed: Vec<_> = served.difference(&walker.walked).collect();
    assert!(missed.is_empty(), "not walked: {missed:?}");
    match openapi() {
        Some(openapi) => {
            let judged = openapi.judged();
            println!("{judged} of {} operations served were judged by the OpenAPI document", served.len());
            assert!(judged >= served.len());
        }
        None => println!("{} operations walked, none judged", served.len()),
    }
}

#[test]
fn scopes_are_those_of_the_document() {
    let Some(openapi) = openapi() else { return };
    for operation in OPERATIONS {
        let path = operation.path.replace("{droplet_id}", "1").replace("{action_id}", "1");
        assert_eq!(openapi.scopes(operation.method, &path).unwrap(), operation.scopes, "{operation:?}");
        assert_eq!(openapi.template(operation.method, &path).unwrap(), operation.path);
    }
}

async fn catalog(walker: &mut Walker) {
    for path in ["/v2/account", "/v2/customers/my/balance", "/v2/regions", "/v2/sizes", "/v2/images"] {
        walker.read(path, &[]).await;
    }
    let image = "/v2/images/{image_id}";
    let by_slug = walker.read(image, &["debian-13-x64"]).await;
    let id = by_slug["image"]["id"].to_string();
    assert_eq!(walker.read(image, &[&id]).await, by_slug);
}

async fn keys(walker: &mut Walker) {
    let (all, one) = ("/v2/account/keys", "/v2/account/keys/{ssh_key_identifier}");
    let made = walker.go("POST", all, &[], json!({"name": "ops", "public_key": KEY})).await;
    let id = made["ssh_key"]["id"].to_string();
    let fingerprint = made["ssh_key"]["fingerprint"].as_str().unwrap();
    walker.read(all, &[]).await;
    assert_eq!(walker.read(one, &[fingerprint]).await, walker.read(one, &[&id]).await);
    walker.go("PUT", one, &[&id], json!({"name": "new"})).await;
    walker.go("DELETE", one, &[&id], Value::Null).await;
    walker.client.get(&format!("/v2/account/keys/{id}")).await.error(404, "not_found");
}

async fn vpcs(walker: &mut Walker) {
    let (all, one) = ("/v2/vpcs", "/v2/vpcs/{vpc_id}");
    let made =
        walker.go("POST", all, &[], json!({"name": "a", "region": "fra1", "ip_range": "10.20.0.0/20"})).await;
    let id = made["vpc"]["id"].as_str().unwrap();
    walker.read(all, &[]).await;
    walker.read(one, &[id]).await;
    walker.go("PUT", one, &[id], json!({"name": "b", "description": "x"})).await;
    let amended = walker.go("PATCH", one, &[id], json!({"name": "c"})).await;
    assert_eq!(amended["vpc"]["description"], "x");
    walker.read("/v2/vpcs/{vpc_id}/members", &[id]).await;
    walker.go("DELETE", one, &[id], Value::Null).await;
}

/// Makes droplets in every way, looks at one from every side, and gives its id.
async fn droplets(walker: &mut Walker) -> String {
    let all = "/v2/droplets";
    let common = json!({"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "tags": ["web"]});
    let with = |key: &str, value: Value| {
        let mut request = common.clone();
        request[key] = value;
        request
    };
    let made = walker.go("POST", all, &[], with("name", json!("web-1"))).await;
    assert_eq!(made["droplet"]["networks"], json!({"v4": [], "v6": []}));
    let id = made["droplet"]["id"].to_string();
    let action = made["links"]["actions"][0]["id"].clone();
    assert_eq!(walker.client.wait_action(&action).await, "completed");
    let several = walker.go("POST", all, &[], with("names", json!(["web-2", "web-3"]))).await;
    for link in several["links"]["actions"].as_array().unwrap() {
        walker.client.wait_action(&link["id"]).await;
    }
    walker.read(all, &[]).await;
    walker.read("/v2/droplets/{droplet_id}", &[&id]).await;
    for part in ["actions", "backups", "firewalls", "kernels", "neighbors", "snapshots"] {
        walker.read(&format!("/v2/droplets/{{droplet_id}}/{part}"), &[&id]).await;
    }
    walker.read("/v2/actions", &[]).await;
    walker.read("/v2/actions/{action_id}", &[&action.to_string()]).await;
    walker.read("/v2/droplets/{droplet_id}/actions/{action_id}", &[&id, &action.to_string()]).await;
    droplet_actions(walker, &id).await;
    id
}

async fn droplet_actions(walker: &mut Walker, droplet: &str) {
    let actions = "/v2/droplets/{droplet_id}/actions";
    let reboot = walker.go("POST", actions, &[droplet], json!({"type": "reboot"})).await;
    walker.client.wait_action(&reboot["action"]["id"]).await;
    let all = "/v2/droplets/actions";
    let cycle = json!({"type": "power_cycle"});
    let begun = walker.at("POST", all, "/v2/droplets/actions?tag_name=web", cycle).await;
    for action in begun["actions"].as_array().unwrap() {
        walker.client.wait_action(&action["id"]).await;
    }
}

async fn tags(walker: &mut Walker, droplet: &str) {
    let (all, one, resources) = ("/v2/tags", "/v2/tags/{tag_id}", "/v2/tags/{tag_id}/resources");
    walker.go("POST", all, &[], json!({"name": "blue"})).await;
    let resource = json!({"resources": [{"resource_id": droplet, "resource_type": "droplet"}]});
    walker.go("POST", resources, &["blue"], resource.clone()).await;
    let tag = walker.read(one, &["BLUE"]).await;
    assert_eq!(tag["tag"]["resources"]["droplets"]["count"], 1);
    walker.read(all, &[]).await;
    walker.go("DELETE", resources, &["blue"], resource).await;
    walker.go("DELETE", one, &["blue"], Value::Null).await;
}

async fn firewalls(walker: &mut Walker, droplet: &str) {
    let (all, one) = ("/v2/firewalls", "/v2/firewalls/{firewall_id}");
    let droplet: u64 = droplet.parse().unwrap();
    let rule = |port: &str| json!({"protocol": "tcp", "ports": port, "sources": {"addresses": ["0.0.0.0/0", "::/0"]}});
    let out = json!([{"protocol": "icmp", "ports": "", "destinations": {"addresses": ["0.0.0.0/0"]}}]);
    let request =
        json!({"name": "web", "inbound_rules": [rule("80")], "outbound_rules": out, "tags": ["web"]});
    let made = walker.go("POST", all, &[], request.clone()).await;
    let id = made["firewall"]["id"].as_str().unwrap();
    walker.read(all, &[]).await;
    walker.read(one, &[id]).await;
    walker.go("PUT", one, &[id], request).await;
    for (part, body) in [
        ("droplets", json!({"droplet_ids": [droplet]})),
        ("tags", json!({"tags": ["web"]})),
        ("rules", json!({"inbound_rules": [rule("443")]})),
    ] {
        let template = format!("/v2/firewalls/{{firewall_id}}/{part}");
        walker.go("POST", &template, &[id], body.clone()).await;
        walker.go("DELETE", &template, &[id], body).await;
    }
    walker.go("DELETE", one, &[id], Value::Null).await;
}

async fn deletions(walker: &mut Walker, droplet: &str) {
    walker.go("DELETE", "/v2/droplets/{droplet_id}", &[droplet], Value::Null).await;
    walker.at("DELETE", "/v2/droplets", "/v2/droplets?tag_name=web", Value::Null).await;
    walker.client.wait("/v2/droplets", |body| body["droplets"] == json!([])).await;
}
