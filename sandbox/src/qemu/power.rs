//! Conversations with a machine's monitor about its power: the button, a reboot that the guest does itself, and the end of
//! one that was interrupted.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::qmp::{Qmp, QmpError};

/// How long a guest has to shut down for a reboot.
const REBOOT: Duration = Duration::from_secs(90);
/// How often the power button is pressed: a guest that still boots does not notice it.
pub(super) const PRESS_AGAIN: Duration = Duration::from_secs(10);
/// How often `cont` is tried after a reset, and how long apart.
const CONT_TRIES: u32 = 50;
const CONT_PAUSE: Duration = Duration::from_millis(100);

/// Presses the power button.
pub(super) async fn press_button(socket: &Path) -> Result<(), QmpError> {
    Qmp::connect(socket).await?.run("system_powerdown", json!({})).await.map(drop)
}

/// The guest shuts down, and its machine, which waits instead of ending, is reset. Who does not shut down in time is reset
/// all the same.
pub(super) async fn reboot(socket: &Path) -> Result<(), QmpError> {
    let mut qmp = Qmp::connect(socket).await?;
    qmp.run("set-action", json!({"shutdown": "pause"})).await?;
    let deadline = Instant::now() + REBOOT;
    while Instant::now() < deadline {
        qmp.run("system_powerdown", json!({})).await?;
        match qmp.event(&["SHUTDOWN", "RESET"], PRESS_AGAIN).await?.as_deref() {
            Some("SHUTDOWN") => break,
            // It rebooted by itself in this moment.
            Some(_) => return qmp.run("set-action", json!({"shutdown": "poweroff"})).await.map(drop),
            None => {}
        }
    }
    reset(&mut qmp).await
}

/// Goes on with a machine that a sandbox left waiting when it ended in the middle of a reboot.
pub(super) async fn end_pause(socket: &Path) -> Result<(), QmpError> {
    let mut qmp = Qmp::connect(socket).await?;
    let status = qmp.run("query-status", json!({})).await?;
    match status.get("status").and_then(Value::as_str) {
        Some("shutdown" | "prelaunch") => reset(&mut qmp).await,
        _ => qmp.run("set-action", json!({"shutdown": "poweroff"})).await.map(drop),
    }
}

async fn reset(qmp: &mut Qmp) -> Result<(), QmpError> {
    qmp.run("set-action", json!({"shutdown": "poweroff"})).await?;
    qmp.run("system_reset", json!({})).await?;
    // The reset is done by and by; until then `cont` is refused.
    qmp.event(&["RESET"], PRESS_AGAIN).await?;
    let mut tries = 0;
    loop {
        match qmp.run("cont", json!({})).await {
            Err(QmpError::Refused { .. }) if tries < CONT_TRIES => {
                tries += 1;
                sleep(CONT_PAUSE).await;
            }
            other => return other.map(drop),
        }
    }
}
