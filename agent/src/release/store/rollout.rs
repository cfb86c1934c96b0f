//! Releases that are part of one on many droplets: found by its id, and since when they vote. SQL only.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    ReleaseStore,
    sql::{from_json, parse, signed, unsigned},
};
use crate::{
    apps::{AppName, ReleaseNumber},
    release::{ReleaseState, together::RolloutId},
    store::DatabaseError,
};

impl ReleaseStore {
    /// The release of an app that is part of this rollout, and its state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_rollout(
        &self,
        app: &AppName,
        rollout: &RolloutId,
    ) -> Result<Option<(ReleaseNumber, ReleaseState)>, DatabaseError> {
        let (app, rollout) = (app.clone(), rollout.clone());
        let select = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, state FROM release WHERE app = ?1 AND rollout = ?2 ORDER BY number DESC LIMIT 1",
            )?;
            let found = statement.query_row(params![app.as_str(), rollout.as_str()], |row| {
                let state = from_json(&format!("\"{}\"", row.get::<_, String>(1)?), 1)?;
                Ok((ReleaseNumber::new(unsigned(row.get(0)?)), state))
            });
            found.optional()
        };
        self.database.read(select).await
    }

    /// When a step of a release began first, however often the agent was started again since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_start(
        &self,
        app: &AppName,
        release: ReleaseNumber,
        step: &str,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let (app, step) = (app.clone(), step.to_owned());
        let select = move |connection: &Connection| {
            let at: Option<String> = connection
                .query_row(
                    "SELECT at FROM release_event WHERE app = ?1 AND release = ?2
                     AND json_extract(event, '$.event') = 'step-started' AND json_extract(event, '$.step') = ?3
                     ORDER BY number LIMIT 1",
                    params![app.as_str(), signed(release.get()), step],
                    |row| row.get(0),
                )
                .optional()?;
            at.map(|at| parse(&at, 0)).transpose()
        };
        self.database.read(select).await
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use tidegate_proto::names::DropletId;

    use super::*;
    use crate::{
        release::{
            DeployInput, EventKind,
            together::{Participant, Together},
        },
        store::{Database, DatabaseSettings},
    };

    fn rollout(digit: char) -> RolloutId {
        RolloutId::new(digit.to_string().repeat(32)).unwrap()
    }

    fn input(rollout: Option<RolloutId>) -> DeployInput {
        let own = DropletId::new(7).unwrap();
        let address = "10.10.0.7:7443".parse().unwrap();
        let participants = vec![Participant { droplet: own, address, name: "web-1".to_owned() }];
        let together = |rollout| Together::new(rollout, participants, Duration::from_mins(1), own).unwrap();
        DeployInput { together: rollout.map(together), ..DeployInput::of(AppName::new("shop").unwrap()) }
    }

    #[tokio::test]
    async fn a_release_is_found_by_its_rollout_and_votes_since_its_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.db");
        let database =
            Database::open(&file, &crate::release::migrations(), DatabaseSettings::default()).unwrap();
        let store = ReleaseStore::new(database);
        let app = AppName::new("shop").unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let files = BTreeMap::new();
        store.begin(&input(None), &files, ("ada", at(1))).await.unwrap();
        let release = store.begin(&input(Some(rollout('a'))), &files, ("ada", at(2))).await.unwrap();
        let found = store.of_rollout(&app, &rollout('a')).await.unwrap();
        assert_eq!(found, Some((release, ReleaseState::Running)));
        assert_eq!(store.of_rollout(&app, &rollout('b')).await.unwrap(), None);
        let other = AppName::new("blog").unwrap();
        assert_eq!(store.of_rollout(&other, &rollout('a')).await.unwrap(), None);

        assert_eq!(store.first_start(&app, release, "agree").await.unwrap(), None);
        for second in [5, 9] {
            let kind = EventKind::StepStarted { step: "agree".to_owned() };
            store.event(&app, release, (kind, at(second))).await.unwrap();
        }
        assert_eq!(store.first_start(&app, release, "agree").await.unwrap(), Some(at(5)));
        assert_eq!(store.first_start(&app, release, "finish").await.unwrap(), None);
    }
}
