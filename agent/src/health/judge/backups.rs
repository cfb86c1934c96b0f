//! The rules about backups: whether they come when they should, and are good. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Condition, Reading,
    words::{short, time},
};
use crate::{
    apps::AppName,
    config::HealthConfig,
    health::{
        CheckId, Level,
        observe::{BackupSeen, Seen},
    },
    release::Failure,
};

/// So much later than due it is worse than a warning: a whole turn was missed as well.
const TURNS: u32 = 2;

/// What comes again and again.
struct Due<'a> {
    id: CheckId,
    what: String,
    every: &'a Seen<Option<Duration>>,
    /// When it came last.
    last: Option<Timestamp>,
    failure: Option<&'a Failure>,
    hint: String,
}

pub(super) fn conditions(
    app: &AppName,
    seen: &BackupSeen,
    (now, config): (Timestamp, &HealthConfig),
) -> [Condition; 2] {
    let service = &seen.service;
    let backup = Due {
        id: CheckId::app(app, format!("backup.{service}")),
        what: format!("backup of {service}"),
        every: &seen.every,
        last: seen.newest,
        failure: seen.failure.as_ref(),
        hint: format!(
            "`tidegate backup now {app} --service {service}` makes one and tells what is wrong; `tidegate timers` shows when they are due"
        ),
    };
    let verified = Due {
        id: CheckId::app(app, format!("verification.{service}")),
        what: format!("verification of {service}'s backup"),
        every: &seen.verified_every,
        last: seen.verified,
        failure: seen.verify_failure.as_ref(),
        hint: format!(
            "`tidegate backup verify --app {app} --service {service}` tries it and tells what is wrong"
        ),
    };
    [backup, verified].map(|due| judge(due, (now, seen.since), config))
}

fn judge(due: Due<'_>, (now, since): (Timestamp, Timestamp), config: &HealthConfig) -> Condition {
    let Due { id, what, every, last, failure, hint } = due;
    let every = match every {
        Ok(every) => *every,
        Err(unseen) => return Condition::unseen(id, what, unseen),
    };
    let age: Duration = now.duration_since(last.unwrap_or(since)).try_into().unwrap_or_default();
    let came = match last {
        Some(_) => format!("the last good one is {} old", time(age)),
        None => "there was no good one yet".to_owned(),
    };
    let late = |turns: u32| {
        every.is_some_and(|every| age > every.saturating_mul(turns).saturating_add(config.backup_slack))
    };
    let (level, why) = match (late(TURNS), late(1), failure) {
        (_, _, Some(failure)) => {
            let level = if late(1) { Level::Critical } else { Level::Warning };
            (level, format!("the latest failed: {}: {}; {came}", failure.what, short(&failure.cause)))
        }
        (true, _, None) => (Level::Critical, format!("{came}, and two were due since")),
        (false, true, None) => (Level::Warning, format!("{came}, and one was due since")),
        (false, false, None) => (Level::Good, came),
    };
    let hint = failure.map(|failure| failure.hint.clone()).filter(|hint| !hint.is_empty()).unwrap_or(hint);
    Condition::new(id, what, Reading::is(level), why).hint(hint)
}
