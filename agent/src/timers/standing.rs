//! The timers that every droplet has, whatever its apps want.
//!
//! Owns bringing them. Must not know what they start.

use super::{KeeperError, UnitFiles};
use crate::systemd::Systemd;

/// Their names.
const TIMERS: [&str; 2] = [CLEANUP_TIMER, "tidegate-health.timer"];
/// When the droplet is cleaned up.
pub const CLEANUP_TIMER: &str = "tidegate-cleanup.timer";
/// What the timer of health starts.
pub const HEALTH_SERVICE: &str = "tidegate-health.service";

/// Writes the units, and has the timers wait for their time, now and after the droplet's next start. May be repeated.
///
/// # Errors
/// When a file or systemd refuses; a repeated call goes on.
pub async fn keep_standing(files: &UnitFiles, systemd: &Systemd) -> Result<(), KeeperError> {
    files.write_standing().map_err(KeeperError::Files)?;
    systemd.reload().await.map_err(KeeperError::Systemd)?;
    systemd.enable(&TIMERS.map(str::to_owned)).await.map_err(KeeperError::Systemd)?;
    // What was enabled is known to systemd only when it has looked again.
    systemd.reload().await.map_err(KeeperError::Systemd)?;
    for timer in TIMERS {
        systemd.start_unit(timer).await.map_err(KeeperError::Systemd)?;
    }
    Ok(())
}
