//! `up`, killed on its way and run again.

use std::time::Duration;

use serde_json::Value;

use super::{account::droplets, shop::Shop};

/// Killed a few seconds in, when the droplet is being made, once for so long that the droplet can never enrol, and once more
/// while that is mended; the next `up` finishes with no second droplet.
pub fn up_killed_and_run_again(shop: &mut Shop) {
    let planned = shop.world.tidegate(&["plan"]).ok("plan");
    assert!(planned.stdout.contains("shop-production-web-1"), "{}", planned.stdout);
    shop.world.tidegate(&["plan", "--exit-code"]).refused(3, &["to create"]);
    let dry = shop.world.tidegate(&["up", "--dry-run"]).ok("up --dry-run");
    assert!(dry.text().contains("/v2/droplets"), "{}", dry.text());
    assert_eq!(droplets(&shop.world).len(), 0, "a dry run made something");

    let late = killed_until_its_token_ran_out(shop);
    killed_at(shop, Duration::from_secs(4));

    let said = shop.world.tidegate(&["up", "--yes"]).ok("up after a kill");
    shop.world.say(&format!("up in {:.0?}\n{}", said.took, said.text()));
    let made = droplets(&shop.world);
    assert_eq!(made.len(), 1, "{made:?}");
    assert_ne!(made[0]["id"], late, "a droplet whose token had run out was not replaced");
    shop.find_address();
    let again = shop.world.tidegate(&["up", "--yes"]).ok("up with nothing to do");
    assert_eq!(droplets(&shop.world).len(), 1, "{}", again.text());
    shop.world.tidegate(&["plan", "--exit-code"]).ok("plan after up");
}

/// Killed when the droplet is made, and left alone until its token is worth nothing any more; the droplet's id.
fn killed_until_its_token_ran_out(shop: &Shop) -> Value {
    const LIFE: Duration = Duration::from_secs(30);
    let fleet = shop.world.read("tidegate.toml");
    let section = fleet.replace("[agent]\n", &format!("[agent]\nenrol_within = \"{}s\"\n", LIFE.as_secs()));
    assert_ne!(section, fleet, "no [agent] in the fleet file");
    shop.world.write("tidegate.toml", &section);
    killed_at(shop, Duration::from_secs(4));
    let made = droplets(&shop.world);
    assert_eq!(made.len(), 1, "{made:?}");
    std::thread::sleep(LIFE);
    shop.world.write("tidegate.toml", &fleet);
    made[0]["id"].clone()
}

/// Starts `up` and kills it after a time.
fn killed_at(shop: &Shop, after: Duration) {
    let mut killed = shop.world.spawn(&["up", "--yes"]);
    std::thread::sleep(after);
    killed.kill().unwrap();
    killed.wait().unwrap();
    shop.world.say(&format!("`up` killed after {after:.0?}"));
}
