//! What systemd is told: ready, alive, stopping.
//!
//! Owns the watchdog's pulse. Must not decide when the agent is ready. Without systemd all of this does nothing.

use sd_notify::NotifyState;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

/// The agent serves. The pulse goes on until the returned value is dropped: it comes from an async task, so it stops when
/// the tasks do not run any more.
pub(super) fn ready() -> Option<AbortOnDropHandle<()>> {
    tell(&[NotifyState::Ready]);
    // Twice per period, so that one late pulse is not the end.
    let period = sd_notify::watchdog_enabled()?.checked_div(2)?;
    let pulse = async move {
        let mut ticks = tokio::time::interval(period);
        loop {
            ticks.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    };
    Some(AbortOnDropHandle::new(tokio::spawn(pulse)))
}

/// The agent ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "systemd was not told");
    }
}
