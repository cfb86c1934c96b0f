//! What is asked of a backup of MariaDB or MySQL: its databases, their restore into a server, the user's checks.

use tidegate_compose::x_tidegate::Databases;

use super::{
    super::{BackupError, counted::Counted, judge, progress::size},
    OpenBackup,
};
use crate::{
    backup::{
        Manifest, Part,
        manifest::{Content, TableCount},
    },
    mysql::{Mysql, MysqlError},
    postgres::DatabaseName,
    programs::ProgramError,
};

/// The databases of a MariaDB or MySQL in a backup, with their parts.
pub(in crate::backup_runs) fn databases_of(
    manifest: &Manifest,
) -> impl Iterator<Item = (&Part, DatabaseName)> {
    manifest.parts.iter().filter_map(|part| match &part.content {
        Content::MySqlDump { database } => Some((part, DatabaseName(database.clone()))),
        _ => None,
    })
}

impl OpenBackup<'_> {
    /// Reads one database into another that is there and empty; what it holds then and was not backed up so, a line each.
    pub(in crate::backup_runs) async fn restore_mysql(
        &self,
        mysql: &Mysql,
        (part, database): (&Part, &DatabaseName),
        into: &DatabaseName,
    ) -> Result<Vec<String>, BackupError> {
        let what = format!("the restore of database {}", database.0);
        let failed = |error: MysqlError| self.failed(part, &what, error);
        let (opened, count) = Counted::new(self.open(part).await?);
        let restore = mysql.restore(into, (opened, self.deadline));
        count.told((self.progress, &what), restore).await.map_err(failed)?;
        let rows = mysql.rows(into, self.deadline).await.map_err(failed)?;
        let restored = size(part.plain.bytes);
        self.progress.say(format!("database {}: {} tables, {restored} restored", database.0, rows.len()));
        let found: Vec<TableCount> = rows
            .into_iter()
            .map(|table| TableCount { schema: database.0.clone(), name: table.name, rows: table.rows })
            .collect();
        Ok(judge::compare_tables("", &part.tables, &found))
    }

    /// The user's statements, in every database of the backup, under the name that it was restored to.
    pub(in crate::backup_runs) async fn checks_mysql(
        &self,
        mysql: &Mysql,
        databases: &Databases,
        restored: impl Fn(&DatabaseName) -> Option<DatabaseName>,
    ) -> Result<(), BackupError> {
        for (_, database) in databases_of(&self.manifest) {
            let Some(name) = restored(&database) else { continue };
            for statement in &databases.checks {
                let answer = match mysql.value(&name, (statement, self.deadline)).await {
                    Ok(answer) if judge::is_true(&answer) => continue,
                    Ok(answer) => answer,
                    Err(error) if error.is_about_data() => told(error),
                    Err(error) => return Err(BackupError::Scratch(error.into())),
                };
                let (id, statement) = (self.folder.id(), statement.clone());
                return Err(BackupError::Check { id, database: database.0, statement, answer });
            }
        }
        Ok(())
    }
}

fn told(error: MysqlError) -> String {
    match error {
        MysqlError::Program(ProgramError::Failed { complaints, .. }) => complaints,
        other => other.to_string(),
    }
}
