//! Every app has its unit: written, enabled and started while the app serves, and gone with it. What is to be done is decided by
//! a pure function over what is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::time::timeout;

use super::{AppUnit, Stands, standing};
use crate::{
    apps::AppName,
    release::{Engine, EngineError, chain},
    systemd::{Systemd, SystemdError},
    timers::{UnitFiles, UnitFilesError},
};

/// At the latest, and sooner when something changed about an app.
const EVERY: Duration = Duration::from_mins(1);
/// Where systemd's links of enabled units stand, below its directory of units.
const WANTS: &str = "multi-user.target.wants";

/// What starts units and stops them.
pub trait Caretaker: Send + Sync {
    /// The states of the loaded units: `active`, `activating`, `failed`, `inactive`, ...
    fn states(&self) -> BoxFuture<'_, Result<BTreeMap<AppUnit, String>, SystemdError>>;

    /// Does this.
    fn act<'a>(&'a self, unit: &'a AppUnit, act: Act) -> BoxFuture<'a, Result<(), SystemdError>>;
}

/// What is done to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// It is started with the droplet from now on.
    Enable,
    /// It is started now.
    Start,
    /// It is stopped now. Its own way to stop the app is not gone: it has seen by itself that there is none.
    Stop,
    /// It is not started with the droplet any more.
    Disable,
    /// That it failed is forgotten.
    Forget,
}

impl Caretaker for Systemd {
    fn states(&self) -> BoxFuture<'_, Result<BTreeMap<AppUnit, String>, SystemdError>> {
        async move {
            let units = self.units(&[AppUnit::ALL]).await?;
            Ok(units.into_iter().filter_map(|(name, state)| Some((AppUnit::parse(&name)?, state))).collect())
        }
        .boxed()
    }

    fn act<'a>(&'a self, unit: &'a AppUnit, act: Act) -> BoxFuture<'a, Result<(), SystemdError>> {
        async move {
            let unit = unit.to_string();
            match act {
                Act::Enable => {
                    self.enable(std::slice::from_ref(&unit)).await?;
                    self.reload().await
                }
                Act::Start => self.start_unit(&unit).await,
                Act::Stop => self.stop_unit(&unit).await,
                Act::Disable => {
                    self.disable(std::slice::from_ref(&unit)).await?;
                    // Until it has looked again, systemctl tells that it is enabled.
                    self.reload().await
                }
                Act::Forget => self.reset_failed(&unit).await,
            }
        }
        .boxed()
    }
}

/// What an app's unit should be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Enabled, and running.
    Running,
    /// Enabled; whether it runs is its own affair: the app does not serve now.
    There,
    /// Not enabled: somebody stopped the app.
    Down,
    /// Gone.
    Nowhere,
}

/// What there is of a unit.
#[derive(Clone, Copy, Debug, Default)]
struct Is<'a> {
    state: Option<&'a str>,
    enabled: bool,
}

/// What brings a unit to what is wanted.
fn acts(wanted: Wanted, is: Is<'_>) -> Vec<Act> {
    let runs = matches!(is.state, Some("active" | "activating" | "reloading" | "deactivating"));
    let failed = is.state == Some("failed");
    let enable = (!is.enabled).then_some(Act::Enable);
    let disable = is.enabled.then_some(Act::Disable);
    match wanted {
        Wanted::Running => enable.into_iter().chain((!runs).then_some(Act::Start)).collect(),
        Wanted::There => enable.into_iter().collect(),
        Wanted::Down => disable.into_iter().collect(),
        Wanted::Nowhere => {
            let stop = runs.then_some(Act::Stop);
            stop.into_iter().chain(disable).chain(failed.then_some(Act::Forget)).collect()
        }
    }
}

/// Why the units are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum AppUnitsError {
    /// The template could not be written, or the links not be read.
    #[error(transparent)]
    Files(UnitFilesError),
    /// systemd did not do its part.
    #[error("systemd did not take the unit of an app")]
    Systemd(#[source] SystemdError),
    /// It is not known which apps there are.
    #[error("the apps of the droplet could not be looked at")]
    Engine(#[source] EngineError),
}

/// Keeps the units of the apps. Cheap to clone.
#[derive(Clone)]
pub struct AppUnits {
    engine: Engine,
    files: UnitFiles,
    wants: PathBuf,
    caretaker: Arc<dyn Caretaker>,
}

impl std::fmt::Debug for AppUnits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppUnits").field("files", &self.files).finish_non_exhaustive()
    }
}

impl AppUnits {
    /// With units in this directory, `/etc/systemd/system` on a droplet. Nothing happens yet.
    pub fn new(engine: Engine, units: PathBuf, caretaker: Arc<dyn Caretaker>) -> Self {
        let wants = units.join(WANTS);
        Self { engine, files: UnitFiles::new(units), wants, caretaker }
    }

    /// Keeps them for as long as it is polled. What goes wrong is logged once, and tried again.
    pub async fn keep(&self) {
        let mut told = String::new();
        loop {
            match self.bring().await {
                Ok(()) => told.clear(),
                Err(error) => {
                    let why = chain(&error);
                    if why != told {
                        tracing::error!(error = why, "the units of the apps could not be seen to");
                        told = why;
                    }
                }
            }
            // Something changed, or the time is over: the same either way.
            timeout(EVERY, self.engine.changed()).await.ok();
        }
    }

    /// Makes the units what they should be; may be repeated.
    ///
    /// # Errors
    /// When a file or systemd refuses, or the apps cannot be looked at; a repeated call goes on.
    pub async fn bring(&self) -> Result<(), AppUnitsError> {
        let mut wanted = self.wanted().await?;
        let enabled = self.enabled();
        let states = self.caretaker.states().await.map_err(AppUnitsError::Systemd)?;
        for unit in states.keys().chain(&enabled) {
            wanted.entry(unit.clone()).or_insert(Wanted::Nowhere);
        }
        if wanted.values().any(|wanted| *wanted != Wanted::Nowhere) {
            self.files.write_app_template().map_err(AppUnitsError::Files)?;
        }
        for (unit, wanted) in wanted {
            let is = Is { state: states.get(&unit).map(String::as_str), enabled: enabled.contains(&unit) };
            for act in acts(wanted, is) {
                tracing::info!(%unit, ?act, "the unit of an app");
                self.caretaker.act(&unit, act).await.map_err(AppUnitsError::Systemd)?;
            }
        }
        Ok(())
    }

    /// Has the unit of an app that somebody stopped not started with the droplet.
    ///
    /// # Errors
    /// When systemd refuses.
    pub async fn disable(&self, app: &AppName) -> Result<(), AppUnitsError> {
        let unit = AppUnit::of(app);
        if self.enabled().contains(&unit) {
            self.caretaker.act(&unit, Act::Disable).await.map_err(AppUnitsError::Systemd)?;
        }
        Ok(())
    }

    async fn wanted(&self) -> Result<BTreeMap<AppUnit, Wanted>, AppUnitsError> {
        let rows = self.engine.serving_releases().await.map_err(AppUnitsError::Engine)?;
        let mut wanted = BTreeMap::new();
        for row in rows {
            let standing = standing::look(&self.engine, &row.app).await.map_err(AppUnitsError::Engine)?;
            let is = match standing.stands {
                Stands::Serves => Wanted::Running,
                Stands::Coming | Stands::Fails | Stands::Changing => Wanted::There,
                Stands::Stopped => Wanted::Down,
                Stands::Absent => Wanted::Nowhere,
            };
            wanted.insert(AppUnit::of(&row.app), is);
        }
        Ok(wanted)
    }

    /// The units that are started with the droplet, as their links tell.
    fn enabled(&self) -> BTreeSet<AppUnit> {
        // Where there is no directory, none is.
        let entries = fs_err::read_dir(&self.wants).into_iter().flatten().flatten();
        entries.filter_map(|entry| AppUnit::parse(entry.file_name().to_str()?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_brought_to_what_its_app_is() {
        use Act::{Disable, Enable, Forget, Start, Stop};
        let acts = |wanted, state, enabled| acts(wanted, Is { state, enabled });
        assert_eq!(acts(Wanted::Running, None, false), [Enable, Start]);
        assert_eq!(acts(Wanted::Running, Some("failed"), true), [Start]);
        assert_eq!(acts(Wanted::Running, Some("active"), true), []);
        assert_eq!(acts(Wanted::Running, Some("activating"), false), [Enable]);
        // It fails by itself, and says why.
        assert_eq!(acts(Wanted::There, Some("active"), true), []);
        assert_eq!(acts(Wanted::There, None, false), [Enable]);
        assert_eq!(acts(Wanted::Down, Some("inactive"), true), [Disable]);
        assert_eq!(acts(Wanted::Nowhere, Some("active"), true), [Stop, Disable]);
        assert_eq!(acts(Wanted::Nowhere, Some("failed"), false), [Forget]);
        assert_eq!(acts(Wanted::Nowhere, None, false), []);
    }
}
