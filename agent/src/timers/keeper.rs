//! Brings the droplet's timers to what apps want, in the one order in which a crash anywhere leaves what the next try puts right.
//!
//! Owns that order, and the templates on the disk. Must not know why a timer is wanted; what systemd does stands behind
//! [`Scheduler`].

use std::{fmt::Debug, path::PathBuf, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};

use super::{
    CalendarError, Calendars, Plan, PlanError, Present, TimerUnit, UnitFiles, UnitFilesError, Wanted, plan,
};
use crate::systemd::{Systemd, SystemdError};

/// What starts timers and stops them.
pub trait Scheduler: Debug + Send + Sync {
    /// Has these wait no more, now and after the droplet's next start. Some may be gone already.
    fn stop<'a>(&'a self, units: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>>;

    /// Reads all files anew, and has these wait for their time, now and after the droplet's next start. Some may do so already.
    fn start<'a>(&'a self, units: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>>;
}

impl Scheduler for Systemd {
    fn stop<'a>(&'a self, units: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>> {
        async move {
            for unit in units {
                self.stop_unit(&unit.timer()).await?;
            }
            self.disable(&names(units)).await
        }
        .boxed()
    }

    fn start<'a>(&'a self, units: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>> {
        async move {
            self.reload().await?;
            self.enable(&names(units)).await?;
            // What was enabled is known to systemd only when it has looked again.
            self.reload().await?;
            for unit in units {
                self.start_unit(&unit.timer()).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

fn names(units: &[TimerUnit]) -> Vec<String> {
    units.iter().map(TimerUnit::timer).collect()
}

/// Why the timers are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Something of somebody else's is in the way.
    #[error(transparent)]
    Plan(PlanError),
    /// The drop-ins could not be read or written.
    #[error(transparent)]
    Files(UnitFilesError),
    /// systemd did not take them.
    #[error("systemd did not take the timers")]
    Systemd(#[source] SystemdError),
}

/// Keeps the droplet's timers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TimerKeeper {
    files: UnitFiles,
    calendars: Calendars,
    scheduler: Arc<dyn Scheduler>,
}

impl TimerKeeper {
    /// With units in this directory, `/etc/systemd/system` on a droplet. Nothing happens yet.
    pub fn new(units: PathBuf, scheduler: Arc<dyn Scheduler>) -> Self {
        Self { files: UnitFiles::new(units), calendars: Calendars::default(), scheduler }
    }

    /// What there is of all apps.
    ///
    /// # Errors
    /// When the directory of units cannot be read.
    pub fn present(&self) -> Result<Present, KeeperError> {
        self.files.present().map_err(KeeperError::Files)
    }

    /// The wanted schedules that systemd does not take, each with why.
    pub async fn refused(&self, wanted: &Wanted) -> Vec<(TimerUnit, CalendarError)> {
        let mut refused = Vec::new();
        for timer in wanted.timers() {
            if let Err(error) = self.calendars.next(&timer.on_calendar).await {
                refused.push((timer.unit.clone(), error));
            }
        }
        refused
    }

    /// Makes an app's timers what is wanted; may be repeated. What was changed on the disk.
    ///
    /// # Errors
    /// When a file or systemd refuses; a repeated call goes on.
    pub async fn bring(&self, wanted: &Wanted) -> Result<Plan, KeeperError> {
        let plan = plan(&self.present()?, wanted).map_err(KeeperError::Plan)?;
        let gone: Vec<TimerUnit> = plan.removed().cloned().collect();
        let units: Vec<TimerUnit> = wanted.timers().map(|timer| timer.unit.clone()).collect();
        // Afterwards nobody would know of them.
        if !gone.is_empty() {
            self.scheduler.stop(&gone).await.map_err(KeeperError::Systemd)?;
        }
        if !units.is_empty() {
            self.files.write_templates().map_err(KeeperError::Files)?;
        }
        self.files.apply(&plan).map_err(KeeperError::Files)?;
        // All that are wanted, not only those that were written: a crash may have come before.
        if !gone.is_empty() || !units.is_empty() {
            self.scheduler.start(&units).await.map_err(KeeperError::Systemd)?;
        }
        Ok(plan)
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
