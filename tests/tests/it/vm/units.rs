//! An app for those who look with systemctl, and what comes back after a loss of power: a container that vanished with it too.

use std::time::Duration;

use super::world::{World, eventually};

const UNIT: &str = "tidegate-app@tide.service";
/// A droplet's start included, on an emulated machine.
const PATIENCE: Duration = Duration::from_mins(6);
const RUNNING: &str = "docker ps --format '{{.Names}}' | sort";

/// The unit is active, starts with the droplet, and says what the app does.
pub fn is_active(world: &World) {
    let told = eventually("the app's unit is active", PATIENCE, || {
        let told = show(world, &["ActiveState", "UnitFileState", "StatusText"]);
        if told.first().is_some_and(|state| state == "active") { Ok(told) } else { Err(format!("{told:?}")) }
    });
    let [_, enabled, status] = &told[..] else { panic!("{told:?}") };
    assert_eq!(enabled, "enabled");
    assert!(status.contains("tide-web-1 running") || status.contains("tide-web-2 running"), "{status}");
    let memory = show(world, &["MemoryCurrent"]);
    world.say(&format!("{UNIT} is active, {status:?}, {memory:?} bytes"));
}

/// Somebody removes a container, and the power goes before anybody sees it.
pub fn loses_the_poller(world: &World) {
    world.on_host(&["docker", "rm", "--force", "poller"]);
}

/// All of it is back, the vanished container too, and it is told how.
pub fn all_came_back(world: &World) {
    let told = eventually("the app is back", PATIENCE, || {
        let said = world.tidegate(&["health", "--after-reboot", "--json"]);
        if said.code == 0 { Ok(said.json()) } else { Err(said.text()) }
    });
    let app = &told[0]["apps"][0];
    world.say(&format!(
        "back after {} s: {}",
        app["back_after_seconds"],
        world.tidegate(&["health", "--after-reboot"]).stdout
    ));
    let poller =
        app["containers"].as_array().unwrap().iter().find(|one| one["container"] == "poller").unwrap();
    assert_eq!((&poller["state"], &poller["by"]), (&"back".into(), &"agent_made".into()), "{app}");
    assert!(app["back_after_seconds"].as_u64().unwrap() <= 300, "{app}");
    is_active(world);
}

/// Stopped by systemctl the app stands still, whatever is started, until systemctl starts it.
pub fn stops_and_starts(world: &World) {
    let before = world.on_host(&["sh", "-c", RUNNING]);
    world.on_host(&["systemctl", "stop", UNIT]);
    assert_eq!(world.on_host(&["sh", "-c", RUNNING]), "tidegate-ingress\n");
    let told = show(world, &["ActiveState", "UnitFileState", "StatusText"]);
    assert_eq!(told[..2], ["inactive", "disabled"]);
    // A unit that systemd has forgotten says nothing.
    assert!(["", "the unit is stopped"].contains(&told[2].as_str()), "{told:?}");
    // Its end is not told: the agent that would tell it is restarted too.
    world.tidegate(&[
        "exec",
        "--host",
        "--",
        "systemctl",
        "restart",
        "docker.service",
        "tidegate-agent.service",
    ]);
    let finding = eventually("health tells that it is stopped", PATIENCE, || {
        let said = world.tidegate(&["health", "--json"]);
        if said.stdout.contains("stopped by hand: by local:root") {
            Ok(said.json())
        } else {
            Err(said.text())
        }
    });
    // The machine itself is emulated, and may well be busy.
    let checks = finding[0]["checks"].as_array().unwrap();
    let is_critical = |check: &&serde_json::Value| check["app"] == "tide" && check["state"] == "critical";
    assert_eq!(checks.iter().find(is_critical), None);
    assert_eq!(world.on_host(&["sh", "-c", RUNNING]), "tidegate-ingress\n");
    world.on_host(&["systemctl", "start", UNIT]);
    is_active(world);
    assert_eq!(world.on_host(&["sh", "-c", RUNNING]), before);
}

/// Properties of the unit, in this order.
fn show(world: &World, properties: &[&str]) -> Vec<String> {
    let one = |name: &&str| {
        let told = world.on_host(&["systemctl", "show", "--property", name, "--value", UNIT]);
        told.trim().to_owned()
    };
    properties.iter().map(one).collect()
}
