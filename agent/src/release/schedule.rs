//! The timers of the apps' backups: whether systemd takes their schedules, and that they are what the serving releases want.
//!
//! Owns when that is seen to. Must not know how timers are kept.

use tidegate_compose::x_tidegate::Extension;

use super::{Failure, ReleaseState, chain, engine::Inner, load::LoadedProject, run};
use crate::{
    apps::AppName,
    timers::{KeeperError, Wanted},
};

/// Why timers could not be kept, as releases tell it.
pub(super) fn failure(error: &KeeperError) -> Failure {
    Failure::caused_by("the timers of the app's backups", error).hint(
        "see `tidegate exec --host -- systemctl list-timers 'tidegate-*'` and `journalctl -u tidegate-agent`",
    )
}

/// The schedules that systemd does not take.
pub(super) async fn refusals(inner: &Inner, app: &AppName, loaded: &LoadedProject) -> Vec<Failure> {
    let Ok(wanted) = Wanted::of(app, &loaded.extension) else { return Vec::new() };
    let refused = inner.timers.refused(&wanted).await;
    let told = refused.into_iter().map(|(unit, error)| {
        let service = unit.instance().service();
        loaded.locate(
            Failure::caused_by(format!("the schedule of {unit}"), &error)
                .at(format!("services.{service}.x-tidegate.backup")),
        )
    });
    told.collect()
}

/// What an extension wants; none where its names are too long, which no release that serves has.
pub(super) fn wanted_of(app: &AppName, extension: Option<&Extension>) -> Wanted {
    let wanted = extension.and_then(|extension| Wanted::of(app, extension).ok());
    wanted.unwrap_or_else(|| Wanted::none(app.clone()))
}

/// Makes the timers of all apps those of the releases that serve, as after somebody's hand on the droplet. What fails is
/// logged: the next start, and the next release, try again.
pub(super) async fn keep_all(inner: &Inner) {
    let rows = match inner.store.releases(None).await {
        Ok(rows) => rows,
        Err(error) => return tracing::error!(error = chain(&error), "the timers were not looked at"),
    };
    for row in rows.iter().filter(|row| row.state == ReleaseState::Released) {
        // A release that is under way sees to it itself.
        if rows.iter().any(|other| other.app == row.app && super::engine::is_unfinished(other)) {
            continue;
        }
        let Some(loaded) = run::loaded(inner, &row.app, row.number) else { continue };
        let wanted = wanted_of(&row.app, Some(&loaded.extension));
        if let Err(error) = inner.timers.bring(&wanted).await {
            tracing::error!(app = %row.app, error = chain(&error), "the timers could not be seen to");
        }
    }
}
