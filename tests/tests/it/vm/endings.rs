//! How things end: an agent that dies, a machine that reboots, everything taken down.

use std::time::{Duration, Instant};

use super::{account::list, commands::change, shop::Shop, world::eventually};

/// kill -9 while the release runs: it ends by itself in the old or the new state and says which.
pub fn agent_killed_in_mid_deploy(shop: &mut Shop) {
    let before = shop.served_release();
    change(shop, "third");
    let deploy = shop.world.spawn(&["deploy"]);
    std::thread::sleep(Duration::from_secs(6));
    // Whoever asks for it loses the connection with the agent.
    let kill =
        shop.world.tidegate(&["exec", "--host", "--", "systemctl", "kill", "-s", "KILL", "tidegate-agent"]);
    assert!(kill.code == 0 || kill.stderr.contains("was lost"), "{}", kill.text());
    let output = deploy.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    shop.world.say(&format!("agent killed in mid deploy; the deploy said:\n{said}"));
    let (release, health) = eventually("the release ended", Duration::from_secs(300), || {
        let status = shop.world.tidegate(&["status", "--json"]);
        if status.code != 0 {
            return Err(status.text());
        }
        let app = status.json()[0]["apps"][0].clone();
        if !app["running_release"].is_null() {
            return Err(app.to_string());
        }
        let (code, health) = shop.get("/health")?;
        if code == 200 { Ok((app["release"]["release"].as_u64().unwrap(), health)) } else { Err(health) }
    });
    let new = release > before;
    assert_eq!(new, health.contains("third"), "release {release} after {before}, but {health}");
    assert!(
        said.contains("Released r") == new || said.contains("undone") || said.contains("not released"),
        "{said}"
    );
    // What is left is one release: no stray container, and the next deploy works.
    shop.world.tidegate(&["deploy"]).ok("the deploy after a kill");
    let names = shop.on_host(&["docker", "ps", "-a", "--format", "{{.Names}}"]);
    assert_eq!(names.lines().count(), 5, "four services and the ingress, but: {names}");
}

pub fn after_a_reboot_all_is_there(shop: &Shop) {
    let kept = shop.order("kept over a reboot")["item"].as_str().unwrap().to_owned();
    let boot = shop.world.boot();
    let begun = Instant::now();
    // The connection may be cut before the answer.
    shop.world.tidegate(&["exec", "--host", "--", "systemctl", "reboot"]);
    shop.world.boots_after(&boot, Duration::from_secs(300));
    let agent = begun.elapsed();
    shop.answers_again(Duration::from_secs(300).saturating_sub(begun.elapsed()));
    shop.world.say(&format!("after a reboot: agent {agent:.0?}, app {:.0?}", begun.elapsed()));
    assert!(shop.items().unwrap().contains(&kept));
    assert!(shop.items().unwrap().contains(&"a first lamp".to_owned()));
}

pub fn down_leaves_nothing(shop: Shop) {
    let said = shop.world.tidegate(&["down", "--yes"]).ok("down");
    shop.world.say(&format!("down in {:.0?}\n{}", said.took, said.text()));
    for kind in ["droplets", "firewalls", "account/keys"] {
        let left: Vec<String> = list(&shop.world, kind).iter().map(|one| one["name"].to_string()).collect();
        assert!(left.is_empty(), "{kind} are left: {left:?}");
    }
    let vpcs = list(&shop.world, "vpcs");
    assert!(vpcs.iter().all(|vpc| vpc["name"] != "shop-production"), "{vpcs:?}");
    let tags = list(&shop.world, "tags");
    assert!(tags.iter().all(|tag| !tag["name"].as_str().unwrap().starts_with("tidegate:")), "{tags:?}");
    let again = shop.world.tidegate(&["down", "--yes"]).ok("down of nothing");
    assert!(again.text().contains("all is gone already"), "{}", again.text());
    shop.world.stop();
}
