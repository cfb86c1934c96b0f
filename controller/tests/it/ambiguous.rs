//! Calls that took effect without an answer, or were accepted and lost.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn creates_that_took_effect_without_an_answer_are_found_not_repeated() {
    for path in ["/v2/droplets", "/v2/vpcs", "/v2/firewalls", "/v2/account/keys"] {
        let world = World::new().await;
        world.fault("POST", path, json!({"kind": "reset_after"})).await;
        world.up_until("shop-production-web-1  created");
        let things = world.things().await;
        assert_eq!(things.len(), 4, "{path}: {things:?}");
        world.judge().await;
    }
}

#[tokio::test]
async fn errors_of_the_server_before_the_effect_are_survived() {
    let world = World::new().await;
    for (method, path, status) in
        [("GET", "/v2/account", 503), ("GET", "/v2/droplets", 524), ("POST", "/v2/vpcs", 429)]
    {
        world.fault(method, path, json!({"kind": "status", "status": status})).await;
    }
    world.up_until("shop-production-web-1  created");
    assert_eq!(world.things().await.len(), 4);
}

#[tokio::test]
async fn a_refused_droplet_undoes_the_rest() {
    let world = World::new().await;
    let body = json!({"id": "unprocessable_entity", "message": "creating this/these droplet(s) will exceed your droplet limit"});
    world.fault("POST", "/v2/droplets", json!({"kind": "status", "status": 422, "body": body})).await;
    let said = world.run(&["up"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(
        said.err.contains("nothing was changed") && said.err.contains("hint: ask for a higher droplet limit"),
        "{}",
        said.err
    );
    assert_eq!(world.things().await, Vec::<String>::new());
    world.up_until("shop-production-web-1  created");
}

#[tokio::test]
async fn what_stands_on_a_later_page_is_found_too() {
    let world = World::new().await;
    for number in 0..210 {
        world.post("/v2/tags", json!({"name": format!("other-{number}")})).await;
    }
    world.up_until("shop-production-web-1  created");
    let said = world.run(&["down", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(world.get("/v2/tags").await["meta"]["total"], json!(210));
}
