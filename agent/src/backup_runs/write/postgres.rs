//! The parts of a backup of PostgreSQL: each database in a snapshot of its own, then roles and tablespaces.

use super::{
    super::{BackupError, source::PostgresSource},
    InPart, Writing,
};
use crate::{
    backup::{
        PartName,
        manifest::{Content, TableCount},
    },
    postgres::{DatabaseName, PostgresError, TableRows},
    release::chain,
};

/// The part with roles and tablespaces.
const GLOBALS: &str = "globals.sql.zst.age";

impl Writing<'_> {
    pub(super) async fn postgres(&mut self, source: &PostgresSource) -> Result<(), BackupError> {
        for (index, database) in source.databases.iter().enumerate() {
            self.database(source, (&part_name(index)?, database)).await?;
        }
        let what = "roles and tablespaces";
        let dump = source.postgres.dump_globals().await;
        let dump =
            dump.map_err(|source| BackupError::Dump { what: what.to_owned(), source: source.into() })?;
        let name = PartName::new(GLOBALS).map_err(BackupError::Name)?;
        self.part((name, what), (Content::PostgresGlobals, || in_part(Vec::new())), dump).await
    }

    async fn database(
        &mut self,
        from: &PostgresSource,
        (name, database): (&PartName, &DatabaseName),
    ) -> Result<(), BackupError> {
        let what = format!("database {}", database.0);
        let failed = |source: PostgresError| BackupError::Dump { what: what.clone(), source: source.into() };
        let now = self.inner.clock.now();
        let mut snapshot = from.postgres.snapshot(database).await.map_err(failed)?;
        // What was committed before this moment is in it.
        self.taken_at.get_or_insert(now);
        self.progress.say(format!("{what}: counting the rows"));
        let rows = snapshot.rows(self.subject.backed.backup.timeout).await.map_err(failed)?;
        if let Some(revision) = snapshot.revision().await.map_err(failed)? {
            self.revisions.push((database.0.clone(), revision.revision));
        }
        let dump = from.postgres.dump(&snapshot).await.map_err(failed)?;
        let content = Content::PostgresDump { database: database.0.clone() };
        let counts = rows.into_iter().map(count).collect();
        self.part((name.clone(), &what), (content, || in_part(counts)), dump).await?;
        // The dump has ended well; the snapshot did its part.
        if let Err(error) = snapshot.close().await {
            tracing::debug!(error = chain(&error), "a snapshot's session did not end by itself");
        }
        Ok(())
    }
}

impl PostgresSource {
    /// The names of all parts.
    pub(in crate::backup_runs) fn part_names(&self) -> Result<Vec<PartName>, BackupError> {
        let databases = (0..self.databases.len()).map(part_name);
        databases.chain([PartName::new(GLOBALS).map_err(BackupError::Name)]).collect()
    }
}

/// A database's name may hold anything: it stands in the manifest.
fn part_name(index: usize) -> Result<PartName, BackupError> {
    PartName::new(format!("database-{}.dump.zst.age", index.saturating_add(1))).map_err(BackupError::Name)
}

fn in_part(tables: Vec<TableCount>) -> InPart {
    InPart { told: format!("{} tables", tables.len()), tables }
}

fn count(table: TableRows) -> TableCount {
    let TableRows { schema, name, rows } = table;
    TableCount { schema, name, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_from_one() {
        assert_eq!(part_name(0).unwrap().as_str(), "database-1.dump.zst.age");
        assert!(PartName::new(GLOBALS).is_ok());
    }
}
