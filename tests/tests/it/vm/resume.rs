//! `up`, killed on its way and run again.

use std::time::Duration;

use serde_json::Value;

use super::shop::Shop;

/// Killed a few seconds in, when the droplet is being made; the next `up` finishes with no second droplet.
pub fn up_killed_and_run_again(shop: &mut Shop) {
    let planned = shop.world.tidegate(&["plan"]).ok("plan");
    assert!(planned.stdout.contains("shop-production-web-1"), "{}", planned.stdout);
    shop.world.tidegate(&["plan", "--exit-code"]).refused(3, &["to create"]);
    let dry = shop.world.tidegate(&["up", "--dry-run"]).ok("up --dry-run");
    assert!(dry.text().contains("/v2/droplets"), "{}", dry.text());
    assert_eq!(droplets(shop).len(), 0, "a dry run made something");

    let mut killed = shop.world.spawn(&["up", "--yes"]);
    std::thread::sleep(Duration::from_secs(4));
    killed.kill().unwrap();
    killed.wait().unwrap();
    shop.world.say("`up` killed after 4 s");

    let said = shop.world.tidegate(&["up", "--yes"]).ok("up after a kill");
    shop.world.say(&format!("up in {:.0?}\n{}", said.took, said.text()));
    let made = droplets(shop);
    assert_eq!(made.len(), 1, "{made:?}");
    let public =
        made[0]["networks"]["v4"].as_array().unwrap().iter().find(|n| n["type"] == "public").unwrap().clone();
    shop.address = public["ip_address"].as_str().unwrap().to_owned();
    let again = shop.world.tidegate(&["up", "--yes"]).ok("up with nothing to do");
    assert_eq!(droplets(shop).len(), 1, "{}", again.text());
    shop.world.tidegate(&["plan", "--exit-code"]).ok("plan after up");
}

/// All droplets of the account, as the API lists them.
pub fn droplets(shop: &Shop) -> Vec<Value> {
    list(shop, "droplets")
}

/// A collection of the account.
pub fn list(shop: &Shop, kind: &str) -> Vec<Value> {
    let answer = api(shop, &format!("/v2/{kind}?per_page=200"));
    let key = if kind == "account/keys" { "ssh_keys" } else { kind };
    answer[key].as_array().unwrap_or_else(|| panic!("{kind}: {answer}")).clone()
}

fn api(shop: &Shop, path: &str) -> Value {
    let url = format!("{}{path}", shop.world.sandbox["api_url"].as_str().unwrap());
    let out = std::process::Command::new("curl")
        .args([
            "-sS",
            "--max-time",
            "20",
            "-H",
            &format!("Authorization: Bearer {}", shop.world.token()),
            &url,
        ])
        .output()
        .unwrap();
    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
}
