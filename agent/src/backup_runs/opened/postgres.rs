//! What is asked of a backup of PostgreSQL: its databases, their restore into a server, the user's checks.

use tidegate_compose::x_tidegate::Databases;

use super::{
    super::{
        BackupError,
        counted::Counted,
        judge::{compare, is_true, servers_own},
        progress::size,
        subject::Subject,
    },
    OpenBackup,
};
use crate::{
    backup::{Part, manifest::Content},
    postgres::{DatabaseName, Postgres, PostgresError, is_maintenance},
};

impl OpenBackup<'_> {
    /// The databases in it, with their parts.
    pub(in crate::backup_runs) fn databases(&self) -> impl Iterator<Item = (&Part, DatabaseName)> {
        self.manifest.databases()
    }

    /// The parts with roles and tablespaces.
    pub(in crate::backup_runs) fn globals(&self) -> impl Iterator<Item = &Part> {
        self.parts(Content::PostgresGlobals)
    }

    /// Reads one database into another that is there and empty; what it holds then and was not backed up so, a line each.
    pub(in crate::backup_runs) async fn restore(
        &self,
        postgres: &Postgres,
        (part, database): (&Part, &DatabaseName),
        into: &DatabaseName,
    ) -> Result<Vec<String>, BackupError> {
        let what = format!("the restore of database {}", database.0);
        let failed = |error| self.failed(part, &what, error);
        let (opened, count) = Counted::new(self.open(part).await?);
        let restore = postgres.restore(into, (opened, self.deadline));
        count.told((self.progress, &what), restore).await.map_err(failed)?;
        let counting = format!("counting the rows of database {}", database.0);
        let rows = postgres.rows(into, self.deadline).await;
        let rows = rows.map_err(|error| self.failed(part, &counting, error))?;
        let restored = size(part.plain.bytes);
        self.progress.say(format!("database {}: {} tables, {restored} restored", database.0, rows.len()));
        Ok(compare(database, &part.tables, &rows))
    }

    /// The user's statements, in every database of the backup, under the name that it was restored to. The maintenance
    /// database, where nobody named it and it holds nothing, is none that they could be about.
    pub(in crate::backup_runs) async fn checks(
        &self,
        postgres: &Postgres,
        subject: &Subject,
        restored: impl Fn(&DatabaseName) -> Option<DatabaseName>,
    ) -> Result<(), BackupError> {
        let Databases { names: named, checks, .. } = &subject.postgres()?.databases;
        let count = self.databases().count();
        for (part, database) in self.databases() {
            if count > 1 && named.is_empty() && is_maintenance(&database) && part.tables.is_empty() {
                continue;
            }
            let Some(name) = restored(&database) else { continue };
            for statement in checks {
                let answered = postgres.value(&name, (statement, self.deadline)).await;
                let answer = match answered {
                    Ok(answer) if is_true(&answer) => continue,
                    Ok(answer) => answer,
                    Err(PostgresError::SessionEnded { complaints }) if !servers_own(&complaints) => {
                        complaints
                    }
                    Err(error) => return Err(BackupError::Scratch(error.into())),
                };
                let (id, statement) = (self.folder.id(), statement.clone());
                return Err(BackupError::Check { id, database: database.0, statement, answer });
            }
        }
        Ok(())
    }
}
