//! Rows of long past releases that nobody asks for any more.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::ReleaseStore;
use crate::{release::clean::Mode, store::DatabaseError};

/// Releases that ended before ?1, none of which serves or is stuck, but for the last ?2 of their app. Their own rows stay: they
/// are the history, and numbers are never given twice.
const OLD: &str = "SELECT app, number FROM release r
    WHERE finished_at IS NOT NULL AND finished_at < ?1 AND state NOT IN ('running', 'released', 'stuck')
    AND (SELECT count(*) FROM release n WHERE n.app = r.app AND n.number > r.number) >= ?2";

impl ReleaseStore {
    /// Events and journals of long past releases: how many rows there are, which go unless it is only looked.
    ///
    /// # Errors
    /// When the database fails: nothing was removed then.
    pub async fn clean(&self, before: Timestamp, kept: i64, mode: Mode) -> Result<u64, DatabaseError> {
        let before = before.to_string();
        let events = format!("release_event WHERE (app, release) IN ({OLD})");
        let journals = format!("journal WHERE saga IN (SELECT app || '/' || number FROM ({OLD}))");
        let claims = format!("journal_claim WHERE saga IN (SELECT app || '/' || number FROM ({OLD}))");
        if mode == Mode::Remove {
            let remove = move |t: &Transaction<'_>| {
                let mut removed = 0_usize;
                for rows in [&events, &journals, &claims] {
                    let gone = t.execute(&format!("DELETE FROM {rows}"), params![before, kept])?;
                    removed = removed.saturating_add(gone);
                }
                Ok(u64::try_from(removed).unwrap_or(u64::MAX))
            };
            return self.database.write(remove).await;
        }
        let count = move |connection: &Connection| {
            let mut found = 0_u64;
            for rows in [events, journals, claims] {
                let sql = format!("SELECT count(*) FROM {rows}");
                let rows: i64 = connection.query_row(&sql, params![before, kept], |row| row.get(0))?;
                found = found.saturating_add(u64::try_from(rows).unwrap_or(0));
            }
            Ok(found)
        };
        self.database.read(count).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        release::migrations,
        store::{Database, DatabaseSettings},
    };

    #[tokio::test]
    async fn rows_of_long_past_releases_go_and_the_history_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agent.db");
        let database = Database::open(&file, &migrations(), DatabaseSettings::default()).unwrap();
        let fill = |t: &Transaction<'_>| {
            for number in 1..=6 {
                let state = if number == 2 { "stuck" } else { "superseded" };
                let ended = if number <= 4 { "2026-01-01T00:00:00Z" } else { "2026-11-01T00:00:00Z" };
                t.execute(
                    "INSERT INTO release (app, number, state, actor, source_digest, git_revision, git_branch, git_subject,
                     idempotency_key, started_at, finished_at) VALUES ('shop', ?1, ?2, '', '', '', '', '', '', ?3, ?3)",
                    params![number, state, ended],
                )?;
                t.execute("INSERT INTO release_event VALUES ('shop', ?1, 1, '', '')", [number])?;
                t.execute("INSERT INTO journal VALUES (?1, 1, 1, '')", [format!("shop/{number}")])?;
                t.execute("INSERT INTO journal_claim VALUES (?1, 1)", [format!("shop/{number}")])?;
            }
            t.execute("INSERT INTO journal VALUES ('restore/shop/1', 1, 1, '')", ()).map(drop)
        };
        database.write(fill).await.unwrap();
        let store = ReleaseStore::new(database.clone());
        let before: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        // Of 1, 3 and 4; 2 is stuck. The last three stay in any case.
        assert_eq!(store.clean(before, 3, Mode::Look).await.unwrap(), 6, "1 and 3");
        assert_eq!(store.clean(before, 2, Mode::Look).await.unwrap(), 9);
        assert_eq!(store.clean(before, 2, Mode::Remove).await.unwrap(), 9);
        assert_eq!(store.clean(before, 2, Mode::Remove).await.unwrap(), 0);
        let left = |connection: &Connection| {
            let mut statement = connection.prepare("SELECT saga FROM journal ORDER BY saga")?;
            let sagas: Vec<String> =
                statement.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let releases: i64 = connection.query_row("SELECT count(*) FROM release", (), |row| row.get(0))?;
            Ok((sagas, releases))
        };
        let (sagas, releases) = database.read(left).await.unwrap();
        assert_eq!(
            (sagas, releases),
            (["restore/shop/1", "shop/2", "shop/5", "shop/6"].map(str::to_owned).to_vec(), 6)
        );
    }
}
