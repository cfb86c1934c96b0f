//! Which backups come back with an earlier release: those that were made when the first release began that is gone back over.
//!
//! Owns that choice. Must not know how they are restored.

use jiff::Timestamp;
use tidegate_compose::Project;

use super::{
    DataOfThen, DeployInput, Engine, EngineError, Failure, Opens, ReleasePlan, ReleaseRow, ReleaseState,
    lineage, plan::ReturningBackup, planner::standstill::Still,
};
use crate::apps::ReleaseNumber;

impl Engine {
    /// What stands still for backups to come back with a release; none where nobody asked for that.
    pub(super) async fn returning(
        &self,
        input: &DeployInput,
        project: &Project,
    ) -> Result<Option<Still>, EngineError> {
        let (Some(to), DataOfThen::Comes) = (input.returns_to, input.data_of_then) else { return Ok(None) };
        if input.together.is_some() {
            let why = "the data of a droplet comes back with a release of that droplet alone";
            return Err(refused(to, why.to_owned(), "give one droplet with --droplet"));
        }
        let (serving, loaded) = self.serving_project(&input.app).await?;
        let rows = self.releases(&input.app).await?;
        let first = first_over(&rows, (serving.number, to))?;
        let between = (first.started_at, first.finished_at.unwrap_or(Timestamp::MAX));
        let mut found: Vec<ReturningBackup> = Vec::new();
        for backed in self.backed_up(&input.app).await? {
            let backup = self.keeper()?.backup_of(&input.app, &backed.service, between).await;
            found.extend(backup.map_err(|failure| EngineError::Refused(vec![failure]))?);
        }
        if found.is_empty() {
            let why = format!("{} made no backup before it began, or none of it is left", first.number);
            let hint = "`tidegate backup list` shows what there is, and `tidegate restore --into` brings it back beside what serves";
            return Err(refused(to, why, hint));
        }
        for backup in &found {
            self.may_come_back(input, backup, Opens::Later).await?;
        }
        Ok(Some(Still::for_return(found, [project, &loaded.project])))
    }

    /// Refuses what cannot be opened, right before anything begins.
    pub(super) async fn can_open(&self, input: &DeployInput, plan: &ReleasePlan) -> Result<(), EngineError> {
        for backup in plan.standstill.iter().flat_map(|still| &still.returning) {
            self.may_come_back(input, backup, Opens::Now).await?;
        }
        Ok(())
    }

    async fn may_come_back(
        &self,
        input: &DeployInput,
        backup: &ReturningBackup,
        opens: Opens,
    ) -> Result<(), EngineError> {
        let may = self.keeper()?.may_bring_back(&input.app, backup, opens).await;
        may.map_err(|failure| EngineError::Refused(vec![failure]))
    }
}

/// The first release after the one that is gone back to.
fn first_over(
    rows: &[ReleaseRow],
    (serving, to): (ReleaseNumber, ReleaseNumber),
) -> Result<&ReleaseRow, EngineError> {
    let (here, there) = (lineage::of(rows, serving), lineage::of(rows, to));
    let over = here.difference(&there).next();
    let first = over.and_then(|first| rows.iter().find(|row| row.number == *first));
    match first {
        Some(first) if there.is_subset(&here) && first.state != ReleaseState::Removed => Ok(first),
        _ => {
            let why = format!("what serves did not come out of {to}: there is no backup on the way");
            Err(refused(to, why, "deploy that revision again"))
        }
    }
}

fn refused(to: ReleaseNumber, why: String, hint: &str) -> EngineError {
    let what = format!("the data of {to} cannot come back");
    EngineError::Refused(vec![Failure::new(what, why).hint(hint)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u64) -> ReleaseNumber {
        ReleaseNumber::new(number)
    }

    #[test]
    fn the_first_release_that_is_gone_back_over_tells_which_backup() {
        use ReleaseState::{Released, Superseded, Undone};
        let states = [Superseded, Undone, Superseded, Superseded, Released];
        let mut rows: Vec<ReleaseRow> =
            (1..).zip(states).map(|(n, state)| ReleaseRow::in_state("shop", n, state)).collect();
        rows.reverse();
        let first = |rows: &[ReleaseRow], to| {
            first_over(rows, (number(5), number(to))).map(|row| row.number).map_err(|e| e.to_string())
        };
        assert_eq!(first(&rows, 1), Ok(number(3)));
        assert_eq!(first(&rows, 4), Ok(number(5)));
        // r4 went back to r1: what serves now did not come out of r3.
        rows[1].returns_to = Some(number(1));
        assert_eq!(first(&rows, 1), Ok(number(5)));
        assert!(first(&rows, 3).is_err());
    }
}
