//! Bodies, paths and lists in all the shapes that clients send and expect.

use serde_json::{Value, json};
use tidegate_sandbox::account::settings::Settings;

use crate::sandbox::{Sandbox, quick};

#[tokio::test]
async fn trailing_slashes_null_bodies_and_missing_content_types_are_tolerated() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    client.try_send("GET", "/v2/account/?per_page=200", None).await.unwrap().expect(200);
    client.send("GET", "/v2/account", Some(Value::Null)).await.expect(200);
    let http = reqwest::Client::new();
    let bare = http
        .post(format!("{}/v2/tags/", client.base))
        .bearer_auth(client.token.as_ref().unwrap())
        .body(r#"{"name":"blue","colour":"unknown fields are ignored"}"#);
    assert_eq!(bare.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_the_right_status() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let http = reqwest::Client::new();
    for (body, status) in [("{", 400), ("[1]", 400), (r#"{"name":7}"#, 422)] {
        let request =
            http.post(format!("{}/v2/tags", client.base)).bearer_auth(client.token.as_ref().unwrap());
        assert_eq!(request.body(body).send().await.unwrap().status(), status, "{body}");
    }
    let long = http.post(format!("{}/v2/tags", client.base)).bearer_auth(client.token.as_ref().unwrap());
    assert_eq!(long.body("x".repeat(2 * 1024 * 1024)).send().await.unwrap().status(), 413);
    for (method, path) in [("GET", "/v2/nothing"), ("GET", "/v2"), ("PATCH", "/v2/droplets"), ("GET", "/")] {
        let reply = client.try_send(method, path, None).await.unwrap();
        assert_eq!(reply.error(404, "not_found"), "The resource you were accessing could not be found.");
    }
    client.get("/v2/droplets/0").await.error(404, "not_found");
}

#[tokio::test]
async fn a_tag_of_wrong_characters_is_answered_in_a_shape_of_its_own() {
    let sandbox = Sandbox::start().await;
    let body = sandbox.client().post("/v2/tags", json!({"name": "a b"})).await.expect(400);
    assert!(body["error"].as_str().unwrap().contains("invalid characters"), "{body}");
    assert!(body["root_causes"].is_array() && body["messages"].is_null());
}

#[tokio::test]
async fn following_next_gives_everything_once() {
    let sandbox = Sandbox::start_with(Settings { droplet_limit: 50, ..quick() }).await;
    let client = sandbox.client();
    for batch in 0..5 {
        let names: Vec<String> = (0..10).map(|n| format!("web-{batch}{n}")).collect();
        let request =
            json!({"names": names, "size": "s-1vcpu-1gb", "image": "debian-13-x64", "tags": ["a:b"]});
        client.post("/v2/droplets", request).await.expect(202);
    }
    let mut seen = Vec::new();
    let mut path = "/v2/droplets?tag_name=A%3AB&per_page=20".to_owned();
    let mut sizes = Vec::new();
    loop {
        let body = client.get(&path).await.expect(200);
        assert_eq!(body["meta"]["total"], 50);
        let page = body["droplets"].as_array().unwrap().clone();
        sizes.push(page.len());
        seen.extend(page.iter().map(|droplet| droplet["id"].as_u64().unwrap()));
        let Some(next) = body["links"]["pages"]["next"].as_str() else {
            break;
        };
        path = next.strip_prefix(&client.base).expect("links name the host that was asked").to_owned();
    }
    assert_eq!(sizes, [20, 20, 10]);
    seen.dedup();
    assert_eq!(seen.len(), 50);
    let refused = client
        .post("/v2/droplets", json!({"name": "one-more", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}))
        .await;
    let text = refused.error(422, "unprocessable_entity");
    assert_eq!(text, "creating this/these droplet(s) will exceed your droplet limit");
}

#[tokio::test]
async fn links_can_name_the_real_host() {
    let origin = "https://api.digitalocean.com".to_owned();
    let sandbox = Sandbox::start_with(Settings { link_origin: Some(origin), ..quick() }).await;
    let body = sandbox.client().get("/v2/regions?per_page=3").await.expect(200);
    let next = body["links"]["pages"]["next"].as_str().unwrap();
    assert_eq!(next, "https://api.digitalocean.com/v2/regions?page=2&per_page=3");
}

#[tokio::test]
async fn lists_are_filtered() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    client.droplet("web-1", &["web"]).await;
    client.droplet("db-1", &["db"]).await;
    let total = async |query: &str| {
        client.get(&format!("/v2/droplets?{query}")).await.expect(200)["meta"]["total"].clone()
    };
    assert_eq!(total("").await, 2);
    assert_eq!(total("tag_name=WEB").await, 1);
    assert_eq!(total("name=DB-1").await, 1);
    assert_eq!(total("name=db").await, 0);
    assert_eq!(total("type=gpus").await, 0);
    client.get("/v2/droplets?name=a&tag_name=b").await.error(422, "unprocessable_entity");
    let images = async |query: &str| {
        client.get(&format!("/v2/images?{query}")).await.expect(200)["meta"]["total"].clone()
    };
    assert_eq!(images("type=application").await, 1);
    assert_eq!(images("private=true").await, 0);
}

#[tokio::test]
async fn without_a_tag_nothing_is_deleted() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    client.active_droplet("web-1", &[]).await;
    for path in ["/v2/droplets", "/v2/droplets?tag_name="] {
        client.delete(path).await.error(422, "unprocessable_entity");
    }
    client.delete("/v2/droplets?tag_name=unknown").await.error(404, "not_found");
    assert_eq!(client.get("/v2/droplets").await.expect(200)["meta"]["total"], 1);
}

#[tokio::test]
async fn the_last_requests_can_be_looked_at_without_their_tokens() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    client.post("/v2/tags", json!({"name": "blue"})).await.expect(201);
    client.get("/v2/droplets?per_page=5").await.expect(200);
    let body = client.get("/sandbox/requests").await.expect(200);
    assert!(!body.to_string().contains("dop_v1_"), "{body}");
    let requests = body["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0]["method"], "POST");
    assert_eq!(requests[0]["path"], "/v2/tags");
    assert_eq!(requests[0]["body"], json!({"name": "blue"}));
    assert_eq!(requests[0]["token"], "full");
    assert_eq!(requests[1]["query"], "per_page=5");
    assert_eq!(requests[1]["status"], 200);
    let newer = client.get(&format!("/sandbox/requests?after={}", requests[0]["number"])).await.expect(200);
    assert_eq!(newer["requests"].as_array().unwrap().len(), 1);
    client.delete("/sandbox/requests").await.expect(204);
    assert_eq!(client.get("/sandbox/requests").await.expect(200)["requests"], json!([]));
}
