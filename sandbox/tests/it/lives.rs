//! Droplets over time: new, active, off, gone; and what that means for networks and firewalls.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_sandbox::{
    account::settings::{Lags, Settings, WhilePending},
    machine::MachineState,
    none::UNBOOTABLE_IMAGE,
};

use crate::sandbox::{Sandbox, quick};

fn id(droplet: &Value) -> u64 {
    droplet["id"].as_u64().unwrap()
}

#[tokio::test]
async fn a_droplet_is_hidden_then_new_then_active_then_has_an_address() {
    // Provisioning takes real time: long enough that a busy machine gets through the looks before it.
    let lags = Lags { provision: Duration::from_secs(2), ..Lags::measured() };
    let (sandbox, clock) = Sandbox::start_frozen(Settings { lags, ..Settings::default() }).await;
    let client = sandbox.client();
    let request = json!({"name": "web-1", "region": "fra1", "size": "s-2vcpu-4gb", "image": "debian-13-x64"});
    let made = client.post("/v2/droplets", request).await.expect(202);
    let droplet = &made["droplet"];
    assert_eq!((&droplet["status"], &droplet["locked"]), (&json!("new"), &json!(true)));
    assert_eq!(
        (&droplet["memory"], &droplet["vcpus"], &droplet["disk"]),
        (&json!(4096), &json!(2), &json!(80))
    );
    let path = format!("/v2/droplets/{}", id(droplet));
    client.get(&path).await.error(404, "not_found");
    clock.advance(Duration::from_secs(1));
    let seen = client.get(&path).await.expect(200);
    assert_eq!(seen["droplet"]["networks"]["v4"], json!([]));
    assert_eq!(client.get("/v2/droplets").await.expect(200)["meta"]["total"], 0, "not listed yet");
    clock.advance(Duration::from_secs(1));
    assert_eq!(client.get("/v2/droplets").await.expect(200)["meta"]["total"], 1);

    let action = &made["links"]["actions"][0];
    assert_eq!(action["rel"], "create");
    assert_eq!(action["href"], format!("{}/v2/actions/{}", client.base, action["id"]));
    assert_eq!(client.wait_action(&action["id"]).await, "completed");
    let active = client.get(&path).await.expect(200);
    assert_eq!(
        (&active["droplet"]["status"], &active["droplet"]["locked"]),
        (&json!("active"), &json!(false))
    );
    assert_eq!(active["droplet"]["networks"]["v4"], json!([]), "active, and no address yet");
    clock.advance(Duration::from_mins(1));
    let networks = client.get(&path).await.expect(200)["droplet"]["networks"]["v4"].clone();
    assert_eq!(networks[0]["type"], "private");
    assert_eq!((&networks[1]["ip_address"], &networks[1]["type"]), (&json!("127.0.1.10"), &json!("public")));
}

#[tokio::test]
async fn an_image_that_cannot_be_booted_ends_in_an_errored_action() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let request = json!({"name": "web-1", "size": "s-1vcpu-1gb", "image": UNBOOTABLE_IMAGE});
    let made = client.post("/v2/droplets", request).await.expect(202);
    assert_eq!(client.wait_action(&made["links"]["actions"][0]["id"]).await, "errored");
    let droplet =
        client.get(&format!("/v2/droplets/{}", made["droplet"]["id"])).await.expect(200)["droplet"].clone();
    assert_eq!((&droplet["status"], &droplet["locked"]), (&json!("new"), &json!(false)));
    client.delete(&format!("/v2/droplets/{}", id(&droplet))).await.expect(204);
    client.wait_gone(id(&droplet)).await;
}

#[tokio::test]
async fn power_goes_off_and_on_one_event_at_a_time() {
    let lags = Lags { action: Duration::from_millis(300), ..Lags::none() };
    let sandbox = Sandbox::start_with(Settings { lags, ..quick() }).await;
    let client = sandbox.client();
    let droplet = id(&client.active_droplet("web-1", &[]).await);
    let actions = format!("/v2/droplets/{droplet}/actions");
    let begun = client.post(&actions, json!({"type": "shutdown"})).await.expect(201);
    assert_eq!(begun["action"]["status"], "in-progress");
    let second = client.post(&actions, json!({"type": "reboot"})).await;
    assert_eq!(second.error(422, "unprocessable_entity"), "Droplet already has a pending event.");
    let deletion = client.delete(&format!("/v2/droplets/{droplet}")).await;
    assert_eq!(deletion.error(422, "unprocessable_entity"), "Droplet already has a pending event.");
    assert_eq!(client.wait_action(&begun["action"]["id"]).await, "completed");
    let off = client.get(&format!("/v2/droplets/{droplet}")).await.expect(200);
    assert_eq!(off["droplet"]["status"], "off");
    let begun = client.post(&actions, json!({"type": "power_on"})).await.expect(201);
    client.wait_action(&begun["action"]["id"]).await;
    assert_eq!(
        client.get(&format!("/v2/droplets/{droplet}")).await.expect(200)["droplet"]["status"],
        "active"
    );
    let refused = client.post(&actions, json!({"type": "snapshot", "name": "x"})).await;
    assert!(refused.error(422, "unprocessable_entity").contains("sandbox does not offer"));
    let listed = client.get(&actions).await.expect(200);
    let kinds: Vec<&str> =
        listed["actions"].as_array().unwrap().iter().map(|action| action["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["power_on", "shutdown", "create"]);
}

#[tokio::test]
async fn a_droplet_being_made_can_be_deleted_where_the_settings_allow_it() {
    let lags = Lags { provision: Duration::from_millis(300), ..Lags::none() };
    let settings = Settings { lags, delete_while_pending: WhilePending::Allow, ..quick() };
    let sandbox = Sandbox::start_with(settings).await;
    let client = sandbox.client();
    let droplet = client.droplet("web-1", &[]).await;
    client.delete(&format!("/v2/droplets/{droplet}")).await.expect(204);
    client
        .wait("/v2/actions", |body| {
            body["actions"].as_array().unwrap().iter().all(|action| action["status"] == "completed")
        })
        .await;
    assert!(sandbox.account.state().droplets.values().all(|droplet| droplet.destroyed));
}

#[tokio::test]
async fn a_deleted_droplet_lingers_and_holds_its_network() {
    let lags = Lags { provision: Duration::from_millis(50), ..Lags::measured() };
    let settings = Settings { droplet_limit: 1, lags, ..quick() };
    let (sandbox, clock) = Sandbox::start_frozen(settings).await;
    let client = sandbox.client();
    let vpc = client.post("/v2/vpcs", json!({"name": "shop", "region": "fra1"})).await.expect(201);
    let vpc = vpc["vpc"]["id"].as_str().unwrap().to_owned();
    let request = json!({"name": "web-1", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "vpc_uuid": vpc});
    let made = client.post("/v2/droplets", request.clone()).await.expect(202);
    client.wait_action(&made["links"]["actions"][0]["id"]).await;
    clock.advance(Duration::from_secs(10));
    let droplet = format!("/v2/droplets/{}", made["droplet"]["id"]);
    client.delete(&droplet).await.expect(204);
    client.get(&droplet).await.expect(200);
    client.delete(&droplet).await.error(422, "unprocessable_entity");
    let made = client.post("/v2/droplets", request).await.expect(202);
    assert!(
        made["droplet"]["id"].as_u64() > droplet.rsplit('/').next().unwrap().parse().ok(),
        "ids only rise"
    );
    client.wait_action(&made["links"]["actions"][0]["id"]).await;
    clock.advance(Duration::from_secs(4));
    client.get(&droplet).await.error(404, "not_found");
    client.delete(&droplet).await.error(404, "not_found");
    client.delete(&format!("/v2/droplets/{}", made["droplet"]["id"])).await.expect(204);
    let held = client.delete(&format!("/v2/vpcs/{vpc}")).await;
    assert_eq!(held.error(409, "conflict"), "Can not delete VPC with members");
    clock.advance(Duration::from_secs(6));
    client.delete(&format!("/v2/vpcs/{vpc}")).await.expect(204);
}

#[tokio::test]
async fn a_guest_that_powers_itself_off_is_noticed() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let droplet = id(&client.active_droplet("web-1", &[]).await);
    sandbox.driver.set_state(droplet, MachineState::Off);
    client.wait(&format!("/v2/droplets/{droplet}"), |body| body["droplet"]["status"] == "off").await;
}

#[tokio::test]
async fn a_firewall_takes_its_time_and_follows_tags() {
    let (sandbox, clock) = Sandbox::start_frozen(Settings {
        lags: Lags { firewall: Duration::from_secs(2), ..Lags::none() },
        ..quick()
    })
    .await;
    let client = sandbox.client();
    let rules = json!([{"protocol": "tcp", "ports": "all", "sources": {"addresses": ["0.0.0.0/0"]}}]);
    let request = json!({"name": "web", "inbound_rules": rules, "tags": ["web"]});
    client.post("/v2/firewalls", request.clone()).await.error(422, "unprocessable_entity");
    client.post("/v2/tags", json!({"name": "web"})).await.expect(201);
    let made = client.post("/v2/firewalls", request.clone()).await.expect(202);
    assert_eq!(made["firewall"]["status"], "waiting");
    assert_eq!(made["firewall"]["inbound_rules"][0]["ports"], "0");
    client.post("/v2/firewalls", request).await.error(409, "conflict");
    clock.advance(Duration::from_secs(2));
    let path = format!("/v2/firewalls/{}", made["firewall"]["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.expect(200)["firewall"]["status"], "succeeded");
    let droplet = client.droplet("web-1", &["Web"]).await;
    let joining = client.get(&path).await.expect(200);
    assert_eq!(joining["firewall"]["status"], "waiting");
    let pending = json!([{"droplet_id": droplet, "removing": false, "status": "waiting"}]);
    assert_eq!(joining["firewall"]["pending_changes"], pending);
    clock.advance(Duration::from_secs(2));
    let joined = client.get(&path).await.expect(200);
    assert_eq!(
        (&joined["firewall"]["status"], &joined["firewall"]["pending_changes"]),
        (&json!("succeeded"), &json!([]))
    );
    let of_droplet = client.get(&format!("/v2/droplets/{droplet}/firewalls")).await.expect(200);
    assert_eq!(of_droplet["firewalls"][0]["name"], "web");
}

#[tokio::test]
async fn vpcs_do_not_overlap_and_defaults_stay() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let create = async |name: &str, range: &str| {
        client.post("/v2/vpcs", json!({"name": name, "region": "fra1", "ip_range": range})).await
    };
    create("a", "10.20.0.0/20").await.expect(201);
    let text = create("b", "10.20.0.0/24").await.error(422, "unprocessable_entity");
    assert_eq!(text, "This range/size overlaps with another VPC network in your account");
    let vpcs = client.get("/v2/vpcs?per_page=200").await.expect(200);
    let default = vpcs["vpcs"].as_array().unwrap().iter().find(|vpc| vpc["default"] == true).unwrap().clone();
    client.delete(&format!("/v2/vpcs/{}", default["id"].as_str().unwrap())).await.error(403, "forbidden");
}
