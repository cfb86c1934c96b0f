//! Going back to an earlier release: a release of its own, made of what that one was made of.
//!
//! Migrations are not run and not undone. Those of the kind `compatible` leave a schema that old code lives with; over one
//! that is breaking the way back is with the data of before alone (`release/returning.rs`). Jobs are not run either.

use std::time::Duration;

use tidegate_compose::x_tidegate::MigrationKind;

use super::{
    DataOfThen, DeployInput, Engine, EngineError, Failure, InputError, Interrupt, ReleaseRow, ReleaseState,
    lineage, load::LoadedProject, survey::Images, together::Together,
};
use crate::apps::{AppName, ReleaseNumber};

/// Where to, and how.
#[derive(Clone, Debug, Default)]
pub struct BackTo {
    /// The release; none: the one that served before this one.
    pub release: Option<ReleaseNumber>,
    /// As in [`DeployInput`].
    pub idempotency_key: String,
    /// As in [`DeployInput`].
    pub interrupt: Interrupt,
    /// As in [`DeployInput`].
    pub together: Option<Together>,
    /// As in [`DeployInput`].
    pub data: DataOfThen,
}

impl From<Option<ReleaseNumber>> for BackTo {
    fn from(release: Option<ReleaseNumber>) -> Self {
        Self { release, ..Self::default() }
    }
}

impl From<(Option<ReleaseNumber>, String)> for BackTo {
    fn from((release, idempotency_key): (Option<ReleaseNumber>, String)) -> Self {
        Self { release, idempotency_key, ..Self::default() }
    }
}

/// What the release is made of that is gone back to.
pub(super) async fn input(
    engine: &Engine,
    app: &AppName,
    wanted: BackTo,
) -> Result<DeployInput, EngineError> {
    let BackTo { release: to, idempotency_key, interrupt, together, data } = wanted;
    let rows = engine.releases(app).await?;
    if rows.is_empty() {
        return Err(EngineError::NoApp(app.clone()));
    }
    let row = target(app, &rows, to)?;
    if data == DataOfThen::Stays {
        uncrossed(engine, (&rows, row))?;
    }
    let folder = engine.inner.paths.release(app, row.number);
    let kept = DeployInput::read(&folder).map_err(|error| refused(row, &error))?;
    // The digest of the model was the caller's at that time; nobody computes it on another machine now.
    let (returns_to, model_digest) = (Some(row.number), String::new());
    let data_of_then = data;
    Ok(DeployInput { model_digest, idempotency_key, returns_to, interrupt, data_of_then, together, ..kept })
}

/// Refuses where a breaking migration lies in between: neither of the two knows the other's schema.
fn uncrossed(engine: &Engine, (rows, to): (&[ReleaseRow], &ReleaseRow)) -> Result<(), EngineError> {
    let Some(serving) = rows.iter().find(|row| row.state == ReleaseState::Released) else { return Ok(()) };
    let is_breaking = |row: &&ReleaseRow| {
        let kept = row.migration.as_ref().and_then(|_| engine.kept(row).ok());
        let migrate = kept.and_then(|(_, loaded)| loaded.extension.migrate);
        migrate.is_some_and(|migrate| migrate.kind == MigrationKind::Breaking)
    };
    let between = lineage::between(rows, (serving.number, to.number));
    let mut crossed = rows.iter().filter(|row| between.contains(&row.number));
    let Some(crossed) = crossed.find(is_breaking) else { return Ok(()) };
    let (crossed, to) = (crossed.number, to.number);
    let what = format!("{to} cannot be gone back to");
    let why = format!("{crossed} ran a breaking migration: the code of {to} does not know the schema of now");
    Err(EngineError::Refused(vec![Failure::new(what, why).hint(format!(
        "`tidegate rollback {to} --restore-database` brings the data back too that was backed up before {crossed}; what was written since is lost"
    ))]))
}

fn refused(row: &ReleaseRow, error: &InputError) -> EngineError {
    let what = format!("{} cannot be gone back to", row.number);
    let failure = match error {
        InputError::Io(source) if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::new(what, "its files are not kept any more")
        }
        other => Failure::caused_by(what, other),
    };
    EngineError::Refused(vec![
        failure.hint("deploy that revision again: `tidegate releases` shows its commit"),
    ])
}

/// The release that is meant, of these rows, the latest first.
fn target<'r>(
    app: &AppName,
    rows: &'r [ReleaseRow],
    to: Option<ReleaseNumber>,
) -> Result<&'r ReleaseRow, EngineError> {
    let no_way = |why: String| EngineError::NoWayBack { app: app.clone(), why };
    let serving = rows.iter().find(|row| row.state == ReleaseState::Released);
    let Some(release) = to else {
        let before = |row: &&ReleaseRow| {
            row.state == ReleaseState::Superseded && serving.is_none_or(|serving| row.number < serving.number)
        };
        return rows
            .iter()
            .find(before)
            .ok_or_else(|| no_way("no release served before this one".to_owned()));
    };
    let row = rows.iter().find(|row| row.number == release);
    let row = row.ok_or_else(|| EngineError::NoRelease { app: app.clone(), release })?;
    match row.state {
        ReleaseState::Superseded | ReleaseState::Removed => Ok(row),
        ReleaseState::Released => Err(no_way(format!("{release} serves already"))),
        ReleaseState::Undone | ReleaseState::Stuck => Err(no_way(format!("{release} never served"))),
        ReleaseState::Running => Err(no_way(format!("{release} is still under way"))),
    }
}

/// How long a container of a rollback has to stay well: that its release does was seen when it was deployed.
const STABLE: Duration = Duration::from_secs(1);

/// Which images a release is to have; a rollback also leaves its migration and jobs out, and says so, and it does not take
/// the time to watch what has served before.
pub(super) async fn adapt(
    engine: &Engine,
    input: &DeployInput,
    loaded: &mut LoadedProject,
) -> Result<Images, EngineError> {
    let Some(release) = input.returns_to else {
        return Ok(Images::Named);
    };
    if loaded.extension.migrate.take().is_some() {
        loaded.notes.push(format!(
            "migrations are neither run nor undone: the database keeps its schema, and the code of {release} works on it"
        ));
    }
    if !std::mem::take(&mut loaded.extension.jobs).is_empty() {
        loaded.notes.push("jobs are not run by a rollback".to_owned());
    }
    loaded.extension.watch = Some(Duration::ZERO);
    for name in loaded.project.services.keys() {
        let gate = &mut loaded.extension.services.entry(name.clone()).or_default().gate;
        gate.stable = gate.stable.min(STABLE);
    }
    let rows = engine.releases(&input.app).await?;
    let row = rows.into_iter().find(|row| row.number == release);
    Ok(Images::Recorded(row.map(|row| row.images).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(states: &[ReleaseState]) -> Vec<ReleaseRow> {
        let row = |(index, state): (usize, &ReleaseState)| {
            ReleaseRow::in_state("shop", u64::try_from(index).unwrap() + 1, *state)
        };
        states.iter().enumerate().map(row).rev().collect()
    }

    fn app() -> AppName {
        AppName::new("shop").unwrap()
    }

    #[test]
    fn without_a_number_it_is_the_one_that_served_before() {
        use ReleaseState::{Released, Superseded, Undone};
        let found = |states: &[ReleaseState]| {
            target(&app(), &rows(states), None).map(|row| row.number.get()).map_err(|error| error.to_string())
        };
        assert_eq!(found(&[Superseded, Superseded, Undone, Released, Undone]), Ok(2));
        assert_eq!(found(&[Superseded, Undone, Released]), Ok(1));
        assert_eq!(found(&[Released]).unwrap_err(), "shop cannot go back: no release served before this one");
        assert_eq!(
            found(&[Undone, Released]).unwrap_err(),
            "shop cannot go back: no release served before this one"
        );
    }

    #[test]
    fn one_that_never_served_or_serves_is_refused() {
        use ReleaseState::{Released, Superseded, Undone};
        let rows = rows(&[Superseded, Undone, Released]);
        let asked = |number| {
            let found = target(&app(), &rows, Some(ReleaseNumber::new(number)));
            found.map(|row| row.number.get()).map_err(|error| error.to_string())
        };
        assert_eq!(asked(1), Ok(1));
        assert_eq!(asked(2).unwrap_err(), "shop cannot go back: r2 never served");
        assert_eq!(asked(3).unwrap_err(), "shop cannot go back: r3 serves already");
        assert_eq!(asked(4).unwrap_err(), "app shop has no release r4");
    }
}
