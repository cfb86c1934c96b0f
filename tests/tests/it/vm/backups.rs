//! Backups that the droplet makes by itself, by its timers: nobody asks for them, a loss of power in mid backup leaves no
//! half one, a run that the droplet slept through is made up for, and what was stored is restored on trial.

use std::time::Duration;

use serde_json::Value;

use super::world::{World, eventually};

/// How long it may take, with a start of the droplet, on an emulated machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(6);
/// Every minute, so that the loss of power may well come in the middle of one.
pub const EVERY_MINUTE: &str = "*-*-* *:*:00";

/// Timers elapse when they say: without the minutes by which they are spread in a fleet.
pub fn punctual(world: &World) {
    let folder = "/etc/systemd/system/tidegate-backup@.timer.d";
    let content = "[Timer]\\nRandomizedDelaySec=0\\nAccuracySec=1s\\n";
    let script = format!("mkdir -p {folder} && printf '{content}' >{folder}/zz-test.conf");
    world.on_host(&["sh", "-c", &script]);
}

/// A time of day of the droplet, so many seconds from now, as a schedule.
pub fn schedule_in(world: &World, seconds: u32) -> String {
    let date = format!("+{seconds} seconds");
    world.on_host(&["date", "--utc", "--date", &date, "+*-*-* %H:%M:%S UTC"]).trim().to_owned()
}

/// All backups of the app, the newest first.
pub fn all(world: &World) -> Result<Vec<Value>, String> {
    let said = world.tidegate(&["backup", "list", "--json"]);
    if said.code != 0 {
        return Err(said.text());
    }
    Ok(said.json()["backups"].as_array().cloned().unwrap_or_default())
}

/// The newest that the timer made and that is stored. Ids are in the order of time; older ones of a day are not kept.
pub fn newest_by_timer(world: &World) -> Result<Option<String>, String> {
    let made = |backup: &Value| {
        backup["cause"] == "schedule"
            && backup["state"] == "stored"
            && backup["destinations"].as_array().is_some_and(|at| !at.is_empty())
    };
    let ids = all(world)?.into_iter().filter(made).map(|backup| backup["id"].as_str().unwrap().to_owned());
    Ok(ids.max())
}

/// Waits until the timer has made one that is newer than this.
pub fn newer_than(world: &World, before: Option<&str>) -> String {
    eventually("a backup by the timer", PATIENCE, || match newest_by_timer(world)? {
        Some(newest) if Some(newest.as_str()) > before => Ok(newest),
        _ => Err(format!("{:?}", all(world)?.first())),
    })
}

/// The newest that is stored is restored on trial, and counts from then on.
pub fn come_back(world: &World) {
    let verified = world.tidegate(&["backup", "verify", "--json"]).ok("backup verify");
    world.say(&format!("restored on trial in {:.0?}", verified.took));
    let newest = all(world).unwrap();
    let newest =
        newest.iter().find(|backup| backup["state"] != "failed" && backup["state"] != "running").unwrap();
    assert_eq!(newest["state"], "verified", "{newest}");
    assert!(newest["rows"].as_u64().unwrap() > 0, "{newest}");
    assert!(newest["verify_seconds"].as_f64().unwrap() > 0.0, "{newest}");
}
