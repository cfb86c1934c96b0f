use std::os::unix::fs::PermissionsExt;

use super::*;

const TABLE: Migration =
    Migration { module: "test", number: 1, sql: "CREATE TABLE t (x INTEGER NOT NULL UNIQUE) STRICT" };

fn open(directory: &Path, settings: DatabaseSettings) -> Database {
    Database::open(&directory.join("agent.db"), &[TABLE], settings).unwrap()
}

async fn count(database: &Database) -> i64 {
    database
        .read(|connection| connection.query_row("SELECT count(*) FROM t", (), |row| row.get(0)))
        .await
        .unwrap()
}

const SLOW: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) \
                    SELECT count(*) FROM n";

#[tokio::test]
async fn is_durable_private_and_in_wal_mode() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path(), DatabaseSettings::default());
    database.write(|t| t.execute("INSERT INTO t VALUES (1)", ())).await.unwrap();
    let (mode, synchronous): (String, i64) = database
        .read(|connection| {
            Ok((
                connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
                connection.pragma_query_value(None, "synchronous", |row| row.get(0))?,
            ))
        })
        .await
        .unwrap();
    assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    for name in ["agent.db", "agent.db-wal", "agent.db-shm", "agent.db.reserve"] {
        let permissions = fs_err::metadata(directory.path().join(name)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600, "{name}");
    }
    drop(database);
    assert_eq!(count(&open(directory.path(), DatabaseSettings::default())).await, 1);
}

#[tokio::test]
async fn an_error_rolls_the_whole_transaction_back() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path(), DatabaseSettings::default());
    let error = database
        .write(|t| {
            t.execute("INSERT INTO t VALUES (1)", ())?;
            t.execute("INSERT INTO t VALUES (1)", ())
        })
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::Statement(_)), "{error:?}");
    assert_eq!(count(&database).await, 0);
}

#[tokio::test]
async fn a_call_past_its_deadline_is_interrupted_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let settings = DatabaseSettings { deadline: Duration::from_millis(200), ..DatabaseSettings::default() };
    let database = open(directory.path(), settings);
    let slow = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(|t| {
                    t.execute("INSERT INTO t VALUES (1)", ())?;
                    t.query_row(SLOW, (), |row| row.get::<_, i64>(0))
                })
                .await
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Waits behind the slow one, so it either never runs or runs wholly.
    let queued = database.write(|t| t.execute("INSERT INTO t VALUES (2)", ())).await;
    assert!(matches!(slow.await.unwrap(), Err(DatabaseError::Deadline { .. })));
    assert_eq!(count(&database).await, i64::from(queued.is_ok()));
}

#[tokio::test]
async fn a_full_disk_costs_the_reserve_and_the_write_goes_through() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path(), DatabaseSettings::default());
    let reserve = directory.path().join("agent.db.reserve");
    assert!(reserve.exists());
    let watched = reserve.clone();
    database
        .write(move |t| {
            if watched.exists() {
                let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
                return Err(rusqlite::Error::SqliteFailure(full, None));
            }
            t.execute("INSERT INTO t VALUES (1)", ())
        })
        .await
        .unwrap();
    assert_eq!(count(&database).await, 1);
    let error = database
        .write(|_| -> rusqlite::Result<()> {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            Err(rusqlite::Error::SqliteFailure(full, None))
        })
        .await
        .unwrap_err();
    assert!(matches!(error, DatabaseError::DiskFull(_)), "{error:?}");
}
