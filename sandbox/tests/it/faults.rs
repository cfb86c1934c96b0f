//! Faults on demand, before and after the effect.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sandbox::{Client, Sandbox};

async fn fault(client: &Client, method: &str, path: &str, effect: Value) {
    let rule = json!({"method": method, "path": path, "count": 1, "effect": effect});
    client.post("/sandbox/faults", rule).await.expect(201);
}

fn droplet() -> Value {
    json!({"name": "web-1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"})
}

async fn total(client: &Client) -> u64 {
    client.get("/v2/droplets").await.expect(200)["meta"]["total"].as_u64().unwrap()
}

#[tokio::test]
async fn a_status_before_the_effect_leaves_nothing() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    for (status, id) in [(500, "server_error"), (503, "service_unavailable"), (429, "too_many_requests")] {
        fault(&client, "POST", "/v2/droplets", json!({"kind": "status", "status": status})).await;
        let reply = client.post("/v2/droplets", droplet()).await;
        assert_eq!(reply.header("retry-after"), None);
        reply.error(status, id);
    }
    fault(&client, "POST", "/v2/droplets", json!({"kind": "status", "status": 429, "retry_after": 7})).await;
    let reply = client.post("/v2/droplets", droplet()).await;
    assert_eq!((reply.header("retry-after"), reply.header("ratelimit-remaining")), (Some("7"), Some("0")));
    fault(&client, "POST", "/v2/droplets", json!({"kind": "status", "status": 524})).await;
    let reply = client.try_send("POST", "/v2/droplets", Some(droplet())).await.unwrap();
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(reply.expect(524).as_str().unwrap().contains("<html>"));
    assert_eq!(total(&client).await, 0);
}

#[tokio::test]
async fn a_connection_cut_before_the_effect_leaves_nothing_and_after_it_everything() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    fault(&client, "POST", "/v2/droplets", json!({"kind": "reset_before"})).await;
    client.try_send("POST", "/v2/droplets", Some(droplet())).await.unwrap_err();
    assert_eq!(total(&client).await, 0);
    fault(&client, "POST", "/v2/droplets", json!({"kind": "reset_after"})).await;
    client.try_send("POST", "/v2/droplets", Some(droplet())).await.unwrap_err();
    assert_eq!(total(&client).await, 1);
    let requests = client.get("/sandbox/requests").await.expect(200)["requests"].clone();
    assert_eq!(requests[2]["fault"], json!({"kind": "reset_after"}));
    assert_eq!(requests[2]["status"], Value::Null);
}

#[tokio::test]
async fn a_client_that_gives_up_waiting_has_its_droplet_all_the_same() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    fault(&client, "POST", "/v2/droplets", json!({"kind": "hang_after", "millis": 60_000})).await;
    let impatient = reqwest::Client::builder().timeout(Duration::from_millis(300)).build().unwrap();
    let request = impatient.post(format!("{}/v2/droplets", client.base));
    let request = request.bearer_auth(client.token.as_ref().unwrap()).json(&droplet());
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(total(&client).await, 1);
}

#[tokio::test]
async fn latency_delays_and_changes_nothing() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    fault(&client, "GET", "/v2/*", json!({"kind": "latency", "millis": 200})).await;
    let start = Instant::now();
    client.get("/v2/account").await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(200));
    let rules = client.get("/sandbox/faults").await.expect(200);
    assert_eq!((&rules["faults"][0]["seen"], &rules["faults"][0]["hits"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_new_droplet_can_hide_be_stuck_or_vanish() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    fault(&client, "POST", "/v2/droplets", json!({"kind": "hide", "millis": 700})).await;
    let hidden = client.droplet("hidden", &[]).await;
    client.get(&format!("/v2/droplets/{hidden}")).await.error(404, "not_found");
    assert_eq!(total(&client).await, 0);
    client.wait(&format!("/v2/droplets/{hidden}"), |_| true).await;

    fault(&client, "POST", "/v2/droplets", json!({"kind": "stuck"})).await;
    let stuck = client.droplet("stuck", &[]).await;
    let path = format!("/v2/droplets/{stuck}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(client.get(&path).await.expect(200)["droplet"]["status"], "new");
    let actions = client.get(&format!("{path}/actions")).await.expect(200);
    assert_eq!(actions["actions"][0]["status"], "in-progress");

    fault(&client, "POST", "/v2/droplets", json!({"kind": "vanish"})).await;
    let made = client.post("/v2/droplets", droplet()).await.expect(202);
    client.get(&format!("/v2/droplets/{}", made["droplet"]["id"])).await.error(404, "not_found");
    assert_eq!(client.wait_action(&made["links"]["actions"][0]["id"]).await, "errored");
}

#[tokio::test]
async fn rules_are_checked_counted_and_removed() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    for rule in [
        json!({"path": "/v2"}),
        json!({"path": "/v2", "effect": {"kind": "meteor"}}),
        json!({"path": "/v2", "effect": {"kind": "stuck"}, "colour": 1}),
    ] {
        client.post("/sandbox/faults", rule).await.error(422, "unprocessable_entity");
    }
    let rule = json!({"path": "/v2/account", "skip": 1, "effect": {"kind": "status", "status": 500}});
    let made = client.post("/sandbox/faults", rule).await.expect(201);
    client.get("/v2/account").await.expect(200);
    client.get("/v2/account").await.error(500, "server_error");
    client.delete(&format!("/sandbox/faults/{}", made["id"])).await.expect(204);
    client.get("/v2/account").await.expect(200);
    client.delete(&format!("/sandbox/faults/{}", made["id"])).await.error(404, "not_found");
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole_and_checked() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let settings = client
        .send("PUT", "/sandbox/settings", Some(json!({"droplet_limit": 1, "lags": {"member": 0}})))
        .await
        .expect(200);
    assert_eq!((&settings["droplet_limit"], &settings["hourly_limit"]), (&json!(1), &json!(5000)));
    assert_eq!(settings["lags"]["create_not_found"], 1000);
    assert_eq!(client.get("/v2/account").await.expect(200)["account"]["droplet_limit"], 1);
    let refused = client.send("PUT", "/sandbox/settings", Some(json!({"droplets": 1}))).await;
    assert!(refused.error(422, "unprocessable_entity").contains("droplets"));
}

#[tokio::test]
async fn settings_can_be_amended_one_by_one() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let before = client.get("/sandbox/settings").await.expect(200);
    let amendment = json!({"droplet_limit": 3, "lags": {"member": 7}});
    let mut expected = before.clone();
    expected["droplet_limit"] = json!(3);
    expected["lags"]["member"] = json!(7);
    assert_eq!(client.send("PATCH", "/sandbox/settings", Some(amendment)).await.expect(200), expected);
    let refused = client.send("PATCH", "/sandbox/settings", Some(json!({"lags": {"all": 1}}))).await;
    refused.error(422, "unprocessable_entity");
    assert_eq!(client.get("/sandbox/settings").await.expect(200), expected);
}
