//! The parts of a backup of MariaDB or MySQL: each database as it was at one moment.

use super::{
    super::{BackupError, source::MysqlSource},
    InPart, Writing,
};
use crate::{
    backup::manifest::{Content, TableCount},
    mysql::{MysqlError, Tally},
    postgres::DatabaseName,
};

impl Writing<'_> {
    pub(super) async fn mysql(&mut self, source: &MysqlSource) -> Result<(), BackupError> {
        for (index, database) in source.databases.iter().enumerate() {
            let what = format!("database {}", database.0);
            let failed = |source: MysqlError| BackupError::Dump { what: what.clone(), source: source.into() };
            let loose = source.mysql.contents(database).await.map_err(failed)?.loose;
            if !loose.is_empty() {
                let tables = loose.join(", ");
                tracing::warn!(
                    database = database.0,
                    tables,
                    "tables without transactions are not of one moment"
                );
                self.progress.say(format!(
                    "{what}: what is written to {tables} meanwhile may be in it or not: their engine has no transactions"
                ));
            }
            let now = self.inner.clock.now();
            let (dump, tally) = source.mysql.dump(database).await.map_err(failed)?;
            // What was committed before this moment is in it.
            self.taken_at.get_or_insert(now);
            let content = Content::MySqlDump { database: database.0.clone() };
            let name = MysqlSource::part_name(index)?;
            self.part((name, &what), (content, || in_part(database, &tally)), dump).await?;
        }
        Ok(())
    }
}

fn in_part(database: &DatabaseName, tally: &Tally) -> InPart {
    let table = |(name, rows)| TableCount { schema: database.0.clone(), name, rows };
    let tables: Vec<TableCount> = tally.rows().into_iter().map(table).collect();
    InPart { told: format!("{} tables", tables.len()), tables }
}
