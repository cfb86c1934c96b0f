//! Numbered changes of the database's tables, brought by the modules that own the tables.
//!
//! Owns the table `migration` and the order in which changes run. Must not know what the changes do.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

/// One change of one module's tables. Once released, neither its number nor its text may change.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The module that owns the tables: `"audit"`, `"journal"`.
    pub module: &'static str,
    /// From 1, without gaps within the module.
    pub number: u32,
    /// Statements that run in one transaction.
    pub sql: &'static str,
}

impl Migration {
    fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.sql.as_bytes()))
    }
}

/// Why the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Two migrations have the same number, or one is missing in between.
    #[error("migrations of module {module} are not numbered 1, 2, 3, ...: found {number}")]
    Numbering {
        /// Which module's.
        module: &'static str,
        /// The number that does not fit.
        number: u32,
    },
    /// The text of a migration that already ran is another one now.
    #[error("migration {number} of module {module} ran with another text than this program has")]
    Changed {
        /// Which module's.
        module: &'static str,
        /// Its number.
        number: u32,
    },
    /// The database was written by a newer agent.
    #[error(
        "the database has migration {number} of module {module}, which this agent does not know: \
         it was written by a newer agent; install that version again"
    )]
    FromNewer {
        /// Which module's.
        module: String,
        /// Its number.
        number: u32,
    },
    /// A statement failed; the migration did not happen.
    #[error("migration {number} of module {module} failed")]
    Failed {
        /// Which module's.
        module: &'static str,
        /// Its number.
        number: u32,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The list of migrations that ran could not be read.
    #[error("could not read which migrations have run")]
    Bookkeeping(#[source] rusqlite::Error),
}

/// Runs every migration that has not run yet, in the order given, each in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), MigrationError> {
    check_numbering(migrations)?;
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migration (
                 module TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL,
                 PRIMARY KEY (module, number)) STRICT",
        )
        .map_err(MigrationError::Bookkeeping)?;
    refuse_newer(connection, migrations)?;
    migrations.iter().try_for_each(|migration| apply(connection, migration))
}

fn check_numbering(migrations: &[Migration]) -> Result<(), MigrationError> {
    let mut next: BTreeMap<&str, u32> = BTreeMap::new();
    for Migration { module, number, .. } in migrations {
        let expected = next.entry(module).or_insert(1);
        if number != expected {
            return Err(MigrationError::Numbering { module, number: *number });
        }
        *expected += 1;
    }
    Ok(())
}

fn refuse_newer(connection: &Connection, migrations: &[Migration]) -> Result<(), MigrationError> {
    let mut statement = connection
        .prepare("SELECT module, number FROM migration ORDER BY module, number")
        .map_err(MigrationError::Bookkeeping)?;
    let ran: Vec<(String, u32)> = statement
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(MigrationError::Bookkeeping)?;
    let unknown = ran
        .into_iter()
        .find(|(module, number)| !migrations.iter().any(|m| m.module == module && m.number == *number));
    match unknown {
        Some((module, number)) => Err(MigrationError::FromNewer { module, number }),
        None => Ok(()),
    }
}

fn apply(connection: &mut Connection, migration: &Migration) -> Result<(), MigrationError> {
    let Migration { module, number, sql } = *migration;
    let ran: Option<String> = connection
        .query_row(
            "SELECT digest FROM migration WHERE module = ?1 AND number = ?2",
            (module, number),
            |row| row.get(0),
        )
        .optional()
        .map_err(MigrationError::Bookkeeping)?;
    let digest = migration.digest();
    match ran {
        Some(recorded) if recorded == digest => return Ok(()),
        Some(_) => return Err(MigrationError::Changed { module, number }),
        None => {}
    }
    let failed = |source| MigrationError::Failed { module, number, source };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(sql).map_err(failed)?;
    transaction
        .execute("INSERT INTO migration VALUES (?1, ?2, ?3)", (module, number, &digest))
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration =
        Migration { module: "a", number: 1, sql: "CREATE TABLE a (x INTEGER NOT NULL) STRICT" };
    const SECOND: Migration = Migration { module: "a", number: 2, sql: "INSERT INTO a VALUES (7)" };
    const OTHER: Migration = Migration { module: "b", number: 1, sql: "CREATE TABLE b (y TEXT) STRICT" };

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM a", (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn each_runs_once_whatever_the_mix_of_modules() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[FIRST]).unwrap();
        migrate(&mut connection, &[FIRST, OTHER, SECOND]).unwrap();
        migrate(&mut connection, &[OTHER, FIRST, SECOND]).unwrap();
        assert_eq!(rows(&connection), 1);
    }

    #[test]
    fn a_failed_one_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = Migration {
            module: "a",
            number: 2,
            sql: "INSERT INTO a VALUES (1); INSERT INTO missing VALUES (1)",
        };
        let error = migrate(&mut connection, &[FIRST, broken]).unwrap_err();
        assert!(matches!(error, MigrationError::Failed { module: "a", number: 2, .. }), "{error:?}");
        assert_eq!(rows(&connection), 0);
        migrate(&mut connection, &[FIRST, SECOND]).unwrap();
        assert_eq!(rows(&connection), 1);
    }

    #[test]
    fn a_changed_a_misnumbered_and_a_newer_one_are_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[FIRST, SECOND]).unwrap();
        let changed = Migration { sql: "INSERT INTO a VALUES (8)", ..SECOND };
        assert!(matches!(
            migrate(&mut connection, &[FIRST, changed]).unwrap_err(),
            MigrationError::Changed { number: 2, .. }
        ));
        assert!(matches!(
            migrate(&mut connection, &[FIRST]).unwrap_err(),
            MigrationError::FromNewer { number: 2, .. }
        ));
        assert!(matches!(
            migrate(&mut connection, &[SECOND]).unwrap_err(),
            MigrationError::Numbering { number: 2, .. }
        ));
    }
}
