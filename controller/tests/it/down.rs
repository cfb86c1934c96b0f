//! `down`: everything of ours, nothing of others, fine when it is gone.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn everything_of_ours_goes_and_nothing_else() {
    let world = World::new().await;
    world.settings(json!({})).await; // Lags as measured: members linger in the VPC.
    let foreign = json!({"name": "other", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1",
        "tags": ["tidegate-role:web", "mine"]});
    world.post("/v2/droplets", foreign).await;
    world.post("/v2/vpcs", json!({"name": "other", "region": "ams3"})).await;
    world.up_until("shop-production-web-1  created");
    let dry = world.run(&["down", "--dry-run"]);
    assert!(dry.out.contains("DELETE /v2/droplets/") && !dry.out.contains("other"), "{}", dry.out);
    let unasked = world.run(&["down"]);
    assert_eq!(unasked.code, 2, "{}", unasked.err);
    let said = world.run(&["down", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("API calls"), "{}", said.out);
    assert_eq!(
        world.account().await,
        ["droplets other", "tags mine", "tags tidegate-role:web", "vpcs other"].map(str::to_owned)
    );
    let again = world.run(&["down", "--yes"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(again.out.contains("gone already"), "{}", again.out);
    world.judge().await;
}

#[tokio::test]
async fn what_was_deleted_by_hand_is_no_problem() {
    let world = World::new().await;
    world.up_until("shop-production-web-1  created");
    let firewall = world.get("/v2/firewalls").await["firewalls"][0]["id"].as_str().unwrap().to_owned();
    let client = reqwest::Client::new();
    let url = format!("{}/v2/firewalls/{firewall}", world.url);
    assert!(client.delete(url).bearer_auth(&world.token).send().await.unwrap().status().is_success());
    let said = world.run(&["down", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(world.account().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_state_directory_does_not_hide_what_carries_our_marks() {
    let world = World::new().await;
    world.up_until("shop-production-web-1  created");
    fs_err::rename(world.state(), world.path().join("lost")).unwrap();
    let said = world.run(&["down", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    // The key alone cannot be proven to be ours.
    assert_eq!(world.things().await, ["ssh_keys shop-production"]);
}

#[tokio::test]
async fn an_environment_whose_name_begins_alike_is_another_one() {
    let world = World::new().await;
    // What `web` of shop/production-eu would look like.
    let tag = "tidegate-firewall:shop:production-eu:web";
    world.post("/v2/tags", json!({"name": tag})).await;
    let rule = json!({"protocol": "tcp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0"]}});
    let firewall = json!({"name": "shop-production-eu-web", "tags": [tag], "inbound_rules": [rule], "outbound_rules": []});
    world.post("/v2/firewalls", firewall).await;
    world.up_until("shop-production-web-1  created");
    let said = world.run(&["down", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(world.account().await, ["firewalls shop-production-eu-web".to_owned(), format!("tags {tag}")]);
}
