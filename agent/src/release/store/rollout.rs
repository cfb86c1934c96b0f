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
