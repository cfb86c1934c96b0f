//! Who may do what, and how often.

use std::time::Duration;

use serde_json::json;
use tidegate_sandbox::{
    account::{
        settings::{Lags, Settings},
        tokens::Grant,
    },
    api::OPERATIONS,
};

use crate::sandbox::{Sandbox, quick};

#[tokio::test]
async fn without_a_valid_token_nothing_is_told() {
    let sandbox = Sandbox::start().await;
    for token in [None, Some("dop_v1_wrong".to_owned()), Some(String::new())] {
        let client = sandbox.client_presenting(token);
        let reply = client.get("/v2/account").await;
        assert!(reply.header("x-request-id").is_some());
        assert_eq!(reply.body["request_id"], reply.header("x-request-id").unwrap());
        assert_eq!(reply.error(401, "unauthorized"), "Unable to authenticate you");
        client.get("/sandbox/settings").await.error(401, "unauthorized");
        client.try_send("GET", "/nowhere", None).await.unwrap().error(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_read_only_token_reads_and_changes_nothing() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client_with(&Grant::ReadOnly);
    client.get("/v2/droplets").await.expect(200);
    for operation in OPERATIONS.iter().filter(|operation| operation.method != "GET") {
        let path = operation.path.replace("{droplet_id}", "1");
        let reply = client.send(operation.method, &path, None).await;
        assert_eq!(reply.error(403, "forbidden"), "You are not authorized to perform this operation");
    }
    client.get("/sandbox/settings").await.error(403, "forbidden");
}

#[tokio::test]
async fn every_operation_needs_its_scopes() {
    let sandbox = Sandbox::start_with(Settings { burst_limit: 1000, ..quick() }).await;
    let every: Vec<&str> = OPERATIONS.iter().flat_map(|operation| operation.scopes.iter().copied()).collect();
    for operation in OPERATIONS {
        let path = operation.path.replace("{droplet_id}", "1").replace("{action_id}", "1");
        for needed in operation.scopes {
            let others: Vec<&str> = every.iter().copied().filter(|scope| scope != needed).collect();
            let refused = sandbox.client_scoped(&others).send(operation.method, &path, None).await;
            assert_eq!(refused.status, 403, "{operation:?} without {needed}");
        }
        let reply = sandbox.client_scoped(operation.scopes).send(operation.method, &path, None).await;
        let by_tag = operation.method == "DELETE" && operation.path == "/v2/droplets";
        assert_eq!(
            reply.status == 403,
            by_tag,
            "{operation:?}: only a deletion by tag needs more than its scopes"
        );
    }
}

#[tokio::test]
async fn what_a_body_names_needs_a_scope_too() {
    let sandbox = Sandbox::start().await;
    let request = json!({"name": "a", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "tags": ["web"]});
    let without = sandbox.client_scoped(&["droplet:create", "image:read"]);
    without.post("/v2/droplets", request.clone()).await.error(403, "forbidden");
    let with = sandbox.client_scoped(&["droplet:create", "image:read", "tag:create"]);
    with.post("/v2/droplets", request).await.expect(202);
}

#[tokio::test]
async fn members_that_may_not_be_read_are_left_out() {
    let sandbox = Sandbox::start().await;
    let droplet = sandbox.client().active_droplet("web-1", &[]).await;
    let path = format!("/v2/vpcs/{}/members", droplet["vpc_uuid"].as_str().unwrap());
    assert_eq!(sandbox.client().get(&path).await.expect(200)["meta"]["total"], 1);
    let blind = sandbox.client_scoped(&["vpc:read"]);
    assert_eq!(blind.get(&path).await.expect(200)["meta"]["total"], 0);
}

#[tokio::test]
async fn a_burst_is_stopped_with_a_time_to_come_back() {
    let settings = Settings { burst_limit: 3, lags: Lags::none(), ..Settings::default() };
    let (sandbox, clock) = Sandbox::start_frozen(settings).await;
    let client = sandbox.client();
    for left in [4999, 4998, 4997] {
        let reply = client.get("/v2/account").await;
        assert_eq!(reply.header("ratelimit-limit"), Some("5000"));
        assert_eq!(reply.header("ratelimit-remaining"), Some(left.to_string().as_str()));
        assert_eq!(reply.header("retry-after"), None);
        reply.expect(200);
    }
    clock.advance(Duration::from_millis(19_500));
    let stopped = client.get("/v2/account").await;
    assert_eq!(stopped.header("ratelimit-remaining"), Some("0"));
    assert_eq!(stopped.header("retry-after"), Some("41"));
    assert_eq!(stopped.error(429, "too_many_requests"), "API rate limit exceeded.");
    sandbox.client_with(&Grant::ReadOnly).get("/v2/account").await.expect(200);
    client.get("/sandbox/settings").await.expect(200);
    clock.advance(Duration::from_secs(41));
    client.get("/v2/account").await.expect(200);
}

#[tokio::test]
async fn an_hour_used_up_tells_when_it_begins_anew_but_no_seconds_to_wait() {
    let (sandbox, clock) = Sandbox::start_frozen(Settings { hourly_limit: 1, ..quick() }).await;
    let client = sandbox.client();
    client.get("/v2/account").await.expect(200);
    let stopped = client.get("/v2/account").await;
    assert_eq!(stopped.header("retry-after"), None);
    let reset = stopped.header("ratelimit-reset").unwrap().parse::<i64>().unwrap();
    assert_eq!(reset, sandbox.account.now().as_second() + 3600);
    stopped.error(429, "too_many_requests");
    clock.advance(Duration::from_hours(1));
    client.get("/v2/account").await.expect(200);
}

#[tokio::test]
async fn listing_keys_has_a_limit_of_its_own() {
    let (sandbox, _clock) = Sandbox::start_frozen(quick()).await;
    let client = sandbox.client();
    for _ in 0..10 {
        client.get("/v2/account/keys").await.expect(200);
    }
    client.get("/v2/account/keys").await.error(429, "too_many_requests");
    client.get("/v2/account").await.expect(200);
}
