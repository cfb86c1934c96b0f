//! `up` killed at any time: the next one finishes, nothing is made twice, `down` finds everything.

use std::time::Duration;

use serde_json::json;

use crate::world::World;

const ALL: [&str; 4] = [
    "droplets shop-production-web-1",
    "firewalls shop-production-public-web",
    "ssh_keys shop-production",
    "vpcs shop-production",
];

#[tokio::test]
async fn an_up_killed_at_any_time_is_finished_by_the_next() {
    let world = World::new().await;
    // A lag for lists: what was made may not show at once.
    let mut lags = crate::world::no_lags();
    lags["create_not_listed"] = json!(700);
    lags["create_not_found"] = json!(300);
    lags["provision"] = json!(500);
    world.settings(json!({"lags": lags})).await;
    for millis in [20, 60, 120, 250, 500, 900] {
        world.up_for(Duration::from_millis(millis));
        // Each of these may be the one that was cut off; the last one runs on.
        world.up_for(Duration::from_millis(millis / 2));
        world.up_until_made().await;
        assert_eq!(world.things().await, ALL, "after {millis} ms");
        let said = world.run(&["down", "--yes"]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(world.account().await, Vec::<String>::new(), "after {millis} ms");
    }
    world.judge().await;
}

#[tokio::test]
async fn a_droplet_that_never_enrolled_is_replaced_when_its_token_ran_out() {
    let world = World::new().await;
    world.up_until("shop-production-web-1  created");
    let first = world.get("/v2/droplets").await["droplets"][0]["id"].clone();
    let path = world.state().join("shop/production/inventory.json");
    let mut inventory: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
    inventory["droplets"]["shop-production-web-1"]["token_expires_at"] = json!("2026-01-01T00:00:00Z");
    fs_err::write(&path, inventory.to_string()).unwrap();
    let plan = world.run(&["plan"]);
    assert!(plan.out.contains("± replace droplet"), "{}", plan.out);
    let said = world.run(&["up"]);
    assert_eq!(said.code, 2, "nobody is asked, so --yes is needed: {}", said.err);
    let child = world.command(&["up", "--yes"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let replaced = wait_for_another(&world, &first).await;
    kill(child);
    assert!(replaced, "the droplet was not replaced");
    assert_eq!(world.things().await, ALL);
}

async fn wait_for_another(world: &World, first: &serde_json::Value) -> bool {
    for _ in 0..100 {
        let droplets = world.get("/v2/droplets").await["droplets"].as_array().unwrap().clone();
        if droplets.iter().any(|droplet| droplet["id"] != *first) && droplets.len() == 1 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

fn kill(mut child: std::process::Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_second_up_at_the_same_time_is_refused() {
    let world = World::new().await;
    let mut first = world.command(&["up"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut refused = false;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if world.state().join("shop/production/lock").exists() {
            let second = world.run(&["down", "--yes"]);
            refused = second.err.contains("another tidegate command");
            break;
        }
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(refused);
}
