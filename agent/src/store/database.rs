//! One SQLite connection, used from async code through tokio's blocking threads, each call with a deadline.
//!
//! Owns the connection, its durability settings and what happens when a call takes too long or the disk is full. Must
//! not know tables. One connection is enough: the agent writes seldom, and one writer has nothing to wait for.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use fs_err::os::unix::fs::OpenOptionsExt;
use rusqlite::{Connection, ErrorCode, InterruptHandle, Transaction, TransactionBehavior};
use tracing::warn;

use super::{Migration, MigrationError, migration, reserve::Reserve};

/// How long calls may take, and how much disk is set aside.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseSettings {
    /// After this a call is given up and its transaction rolled back.
    pub deadline: Duration,
    /// How long SQLite waits for another process that has the database locked.
    pub busy_timeout: Duration,
    /// Size of the reserve for a full disk.
    pub reserve_bytes: u64,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            busy_timeout: Duration::from_secs(5),
            reserve_bytes: 4 * 1024 * 1024,
        }
    }
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It could not be opened or made.
    #[error("could not open the database {}", path.display())]
    Open {
        /// The database's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Its file could not be made with mode 0600.
    #[error("could not create the database file")]
    Create(#[source] std::io::Error),
    /// Its tables could not be brought up to date.
    #[error("could not bring the database {} up to date", path.display())]
    Migrate {
        /// The database's file.
        path: PathBuf,
        /// Which migration, and why.
        source: MigrationError,
    },
    /// A statement failed; the transaction was rolled back.
    #[error("a database statement failed; nothing was changed")]
    Statement(#[source] rusqlite::Error),
    /// The disk is full, and so it was after the reserve had been given up.
    #[error("the disk is full: nothing was changed; free some space below the state directory")]
    DiskFull(#[source] rusqlite::Error),
    /// The call waited or ran too long; it was rolled back.
    #[error("the database did not answer within {} s; nothing was changed", deadline.as_secs_f32())]
    Deadline {
        /// How long that was.
        deadline: Duration,
    },
    /// The call hangs in the operating system (a disk that does not answer): nobody knows whether it will commit.
    #[error("the disk does not answer: it is not known whether the change was stored")]
    InDoubt,
    /// The blocking thread is gone: the process is shutting down.
    #[error("the database is closed: the agent is shutting down")]
    Closed,
}

/// The agent's database. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Mutex<Connection>,
    interrupt: InterruptHandle,
    reserve: Reserve,
    settings: DatabaseSettings,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Database").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// Where a call is; a call that is given up while it still waits never runs.
const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const GIVEN_UP: u8 = 2;
const ENDED: u8 = 3;

/// How long a running call has, after it was interrupted, to say how it ended.
const INTERRUPT_GRACE: Duration = Duration::from_secs(2);

impl Database {
    /// Opens or creates the database at `path` and runs the migrations that have not run. Blocking: for the start.
    ///
    /// # Errors
    /// When the file cannot be made or opened, or a migration fails or is unknown.
    pub fn open(
        path: &Path,
        migrations: &[Migration],
        settings: DatabaseSettings,
    ) -> Result<Self, DatabaseError> {
        // Made beforehand with the right mode: SQLite gives the WAL and its index the mode of the database file.
        fs_err::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(DatabaseError::Create)?;
        let opened = |source| DatabaseError::Open { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(opened)?;
        prepare(&connection, settings).map_err(opened)?;
        migration::migrate(&mut connection, migrations)
            .map_err(|source| DatabaseError::Migrate { path: path.to_owned(), source })?;
        let reserve = Reserve::beside(path, settings.reserve_bytes);
        if let Err(error) = reserve.fill() {
            warn!(%error, "no disk space set aside for a full disk");
        }
        let interrupt = connection.get_interrupt_handle();
        let shared = Shared { connection: Mutex::new(connection), interrupt, reserve, settings };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs `work` in one immediate transaction, committed when it returns `Ok`, durable when this returns `Ok`.
    /// `work` runs a second time, after the reserve was given up, when the disk is full: it has to be repeatable.
    ///
    /// # Errors
    /// Nothing was changed, except for [`DatabaseError::InDoubt`].
    pub async fn write<T, F>(&self, mut work: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.call(move |connection| match transact(connection, &mut work) {
            Err(error) if is_full(&error) && shared.reserve.release() => {
                warn!("disk full: the reserve was given up");
                transact(connection, &mut work)
            }
            outcome => outcome,
        })
        .await
    }

    /// Runs `work`, which only reads.
    ///
    /// # Errors
    /// When a statement fails or the deadline passes.
    pub async fn read<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.call(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&transaction)
        })
        .await
    }

    async fn call<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let deadline = self.shared.settings.deadline;
        let state = Arc::new(AtomicU8::new(WAITING));
        let mut task = tokio::task::spawn_blocking({
            let (shared, state) = (Arc::clone(&self.shared), Arc::clone(&state));
            move || run(&shared, &state, work)
        });
        if let Ok(joined) = tokio::time::timeout(deadline, &mut task).await {
            return finish(joined, deadline);
        }
        if state.compare_exchange(WAITING, GIVEN_UP, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return Err(DatabaseError::Deadline { deadline });
        }
        if state.load(Ordering::SeqCst) == RUNNING {
            self.shared.interrupt.interrupt();
        }
        match tokio::time::timeout(INTERRUPT_GRACE, task).await {
            Ok(joined) => finish(joined, deadline),
            Err(_) => Err(DatabaseError::InDoubt),
        }
    }
}

type Ran<T> = Option<rusqlite::Result<T>>;

fn run<T>(
    shared: &Shared,
    state: &AtomicU8,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> Ran<T> {
    // A panic in another call cannot have left the connection in the middle of a transaction: dropping rolls back.
    let mut connection = shared.connection.lock().unwrap_or_else(PoisonError::into_inner);
    state.compare_exchange(WAITING, RUNNING, Ordering::SeqCst, Ordering::SeqCst).ok()?;
    let outcome = work(&mut connection);
    state.store(ENDED, Ordering::SeqCst);
    Some(outcome)
}

fn finish<T>(joined: Result<Ran<T>, tokio::task::JoinError>, deadline: Duration) -> Result<T, DatabaseError> {
    match joined {
        Ok(Some(Ok(value))) => Ok(value),
        Ok(Some(Err(error))) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Err(DatabaseError::Deadline { deadline })
        }
        Ok(Some(Err(error))) if is_full(&error) => Err(DatabaseError::DiskFull(error)),
        Ok(Some(Err(error))) => Err(DatabaseError::Statement(error)),
        Ok(None) => Err(DatabaseError::Deadline { deadline }),
        Err(_) => Err(DatabaseError::Closed),
    }
}

fn transact<T>(
    connection: &mut Connection,
    work: &mut impl FnMut(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

fn prepare(connection: &Connection, settings: DatabaseSettings) -> rusqlite::Result<()> {
    connection.busy_timeout(settings.busy_timeout)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Small on purpose (KiB, then bytes): the agent has to stay below 20 MB when idle.
    connection.pragma_update(None, "cache_size", -512)?;
    connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)
}

#[cfg(test)]
#[path = "database_tests.rs"]
mod tests;
