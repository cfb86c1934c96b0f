//! The timer that every droplet has, whatever its apps want.
//!
//! Owns bringing it. Must not know what it starts.

use super::{KeeperError, UnitFiles};
use crate::systemd::Systemd;

const HEALTH_TIMER: &str = "tidegate-health.timer";
/// What the timer of health starts.
pub const HEALTH_SERVICE: &str = "tidegate-health.service";

/// Writes the units, and has the timer wait for its time, now and after the droplet's next start. May be repeated.
///
/// # Errors
/// When a file or systemd refuses; a repeated call goes on.
pub async fn keep_standing(files: &UnitFiles, systemd: &Systemd) -> Result<(), KeeperError> {
    files.write_standing().map_err(KeeperError::Files)?;
    systemd.reload().await.map_err(KeeperError::Systemd)?;
    systemd.enable(&[HEALTH_TIMER.to_owned()]).await.map_err(KeeperError::Systemd)?;
    // What was enabled is known to systemd only when it has looked again.
    systemd.reload().await.map_err(KeeperError::Systemd)?;
    systemd.start_unit(HEALTH_TIMER).await.map_err(KeeperError::Systemd)
}
