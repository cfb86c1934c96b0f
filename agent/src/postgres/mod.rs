//! A PostgreSQL that runs in a container: what it is, what it holds, dumping and restoring it with its own programs.
//!
//! Owns the statements and commands that are sent into the container. Must not know backups, destinations or releases.
//! All programs are the container's: `psql`, `pg_dump`, `pg_dumpall`, `pg_restore` of the server's own version.

mod error;
mod likeness;
mod literal;
pub mod roles;
mod scratch;
mod session;
mod snapshot;
mod swap;
mod tables;
mod version;

use std::time::Duration;

pub use error::PostgresError;
pub use scratch::{Scratch, ScratchSettings};
use session::Session;
pub use snapshot::Snapshot;
pub use swap::{Connections, Rename};
pub use tables::{Revision, TableRows};
pub use version::{ServerVersion, parse_major, parse_tool_version};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;

use crate::{
    docker::{Docker, Pipe, PipeCommand},
    programs::{self, Dump, ENDING},
};

/// How long a question may take that reads no table.
const QUESTION: Duration = Duration::from_mins(1);
/// How long a statement may take that makes, renames or drops a database.
const STATEMENT: Duration = Duration::from_mins(2);

/// The name of a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseName(pub String);

/// PostgreSQL cuts names off after so many bytes.
pub const LONGEST_NAME: usize = 63;

/// A database's name with an ending, and no longer than the server takes: `shop_before_r7`.
pub fn derived(database: &DatabaseName, ending: &str) -> DatabaseName {
    let mut begin = database.0.as_str();
    while begin.len() + ending.len() > LONGEST_NAME && !begin.is_empty() {
        let mut characters = begin.chars();
        characters.next_back();
        begin = characters.as_str();
    }
    DatabaseName(format!("{begin}{ending}"))
}

/// A PostgreSQL in a running container.
#[derive(Clone, Debug)]
pub struct Postgres {
    docker: Docker,
    container: String,
    user: String,
}

/// What a server and its programs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The server's.
    pub server: ServerVersion,
    /// What `pg_dump --version` prints: `pg_dump (PostgreSQL) 17.5 (Debian 17.5-1)`.
    pub tool: String,
}

impl Postgres {
    /// The one in this container, as this superuser. Nothing happens yet.
    pub fn new(docker: Docker, container: impl Into<String>, user: impl Into<String>) -> Self {
        Self { docker, container: container.into(), user: user.into() }
    }

    /// What the server and its programs are.
    ///
    /// # Errors
    /// When the server does not answer, or its `pg_dump` is older than the server and would refuse it.
    pub async fn versions(&self) -> Result<Versions, PostgresError> {
        let number = self.ask(&beside(&[]), "SHOW server_version_num").await?;
        let server = ServerVersion::parse(&number)
            .ok_or_else(|| PostgresError::Answer { asked: "its version", answer: number })?;
        let tool = self.printed(&["pg_dump", "--version"]).await?;
        match parse_tool_version(&tool) {
            Some(major) if major < server.major() => Err(PostgresError::OldTool { tool, server }),
            Some(_) => Ok(Versions { server, tool }),
            None => Err(PostgresError::Answer { asked: "the version of pg_dump", answer: tool }),
        }
    }

    /// The databases that may be connected to, templates left out, in the order of their names.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn databases(&self) -> Result<Vec<DatabaseName>, PostgresError> {
        let query = "SELECT json_agg(datname ORDER BY datname) FROM pg_database \
                     WHERE datallowconn AND NOT datistemplate";
        let answer = self.ask(&beside(&[]), query).await?;
        let names: Vec<String> = serde_json::from_str(&answer)
            .map_err(|_| PostgresError::Answer { asked: "its databases", answer })?;
        Ok(names.into_iter().map(DatabaseName).collect())
    }

    /// Bytes that a database takes on its disk.
    ///
    /// # Errors
    /// When there is no such database, or the server does not answer.
    pub async fn size(&self, database: &DatabaseName) -> Result<u64, PostgresError> {
        let answer = self.ask(database, "SELECT pg_database_size(current_database())").await?;
        answer.parse().map_err(|_| PostgresError::Answer { asked: "a database's size", answer })
    }

    /// Opens a snapshot of a database: what is dumped and counted by it is one moment's state.
    ///
    /// # Errors
    /// When there is no such database, or the server does not answer.
    pub async fn snapshot(&self, database: &DatabaseName) -> Result<Snapshot, PostgresError> {
        Snapshot::open(self, database).await
    }

    /// Roles and tablespaces, as SQL that makes them, with the passwords' hashes.
    ///
    /// # Errors
    /// When the container does not run.
    pub async fn dump_globals(&self) -> Result<Dump, PostgresError> {
        let pipe =
            self.pipe(&["pg_dumpall", "--globals-only", "--no-password", "--username", &self.user]).await?;
        Ok(Dump::of("pg_dumpall", pipe))
    }

    /// A whole database in the custom format, uncompressed, as it was at the snapshot.
    ///
    /// # Errors
    /// When the container does not run.
    pub fn dump<'a>(
        &'a self,
        snapshot: &Snapshot,
    ) -> impl Future<Output = Result<Dump, PostgresError>> + Send + use<'a> {
        let by = format!("--snapshot={}", snapshot.id());
        let database = format!("--dbname={}", session::connection(snapshot.database()));
        async move {
            let fixed =
                ["pg_dump", "--format=custom", "--compress=0", "--no-password", "--username", &self.user];
            Ok(Dump::of("pg_dump", self.pipe(&[&fixed[..], &[&by, &database]].concat()).await?))
        }
    }

    /// Reads a dump in the custom format into a database that is there and empty. It ends at the first statement that fails.
    ///
    /// # Errors
    /// When a statement fails, the dump cannot be read to its end, or it takes longer than the deadline.
    pub async fn restore(
        &self,
        database: &DatabaseName,
        (dump, deadline): (impl AsyncRead + Send + Unpin, Duration),
    ) -> Result<(), PostgresError> {
        let database = format!("--dbname={}", session::connection(database));
        let fixed = ["pg_restore", "--exit-on-error", "--no-password", "--username", &self.user];
        let pipe = self.pipe(&[&fixed[..], &[&database]].concat()).await?;
        Ok(programs::feed("pg_restore", pipe, (dump, deadline)).await?)
    }

    /// Runs SQL as [`Postgres::dump_globals`] gives it, going on after statements that fail: a role that is there already is
    /// no reason to stop.
    ///
    /// # Errors
    /// When it cannot be read to its end, or it takes longer than the deadline.
    pub async fn restore_globals(
        &self,
        (sql, deadline): (impl AsyncRead + Send + Unpin, Duration),
    ) -> Result<(), PostgresError> {
        let arguments =
            ["psql", "-X", "-q", "--no-password", "--username", &self.user, "--dbname", "postgres"];
        let pipe = self.pipe(&arguments).await?;
        Ok(programs::feed("psql", pipe, (sql, deadline)).await?)
    }

    /// Runs statements in a database, all of them or none: they are one transaction.
    ///
    /// # Errors
    /// When one of them fails, or they take longer than the deadline.
    pub async fn run(
        &self,
        database: &DatabaseName,
        (statements, deadline): (&[u8], Duration),
    ) -> Result<(), PostgresError> {
        let database = format!("--dbname={}", session::connection(database));
        let fixed = ["psql", "-X", "-q", "--no-password", "--single-transaction", "--output=/dev/null"];
        let told = ["-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "--username", &self.user];
        let pipe = self.pipe(&[&fixed[..], &told, &[&database]].concat()).await?;
        Ok(programs::feed("psql", pipe, (statements, deadline)).await?)
    }

    /// Makes an empty database, from the template that has nothing of the site's own.
    ///
    /// # Errors
    /// When there is one of that name, or the server refuses.
    pub async fn create_database(&self, name: &DatabaseName) -> Result<(), PostgresError> {
        self.printed(&[
            "createdb",
            "--no-password",
            "--username",
            &self.user,
            "--template=template0",
            "--",
            &name.0,
        ])
        .await
        .map(drop)
    }

    /// Rows of every table of a database as it is now.
    ///
    /// # Errors
    /// When there is no such database, or the server does not answer within the deadline.
    pub async fn rows(
        &self,
        database: &DatabaseName,
        deadline: Duration,
    ) -> Result<Vec<TableRows>, PostgresError> {
        let mut snapshot = self.snapshot(database).await?;
        let rows = snapshot.rows(deadline).await?;
        snapshot.close().await?;
        Ok(rows)
    }

    /// The one value that a query answers, as text.
    ///
    /// # Errors
    /// When the server refuses it or does not answer within the deadline.
    pub async fn value(
        &self,
        database: &DatabaseName,
        (query, deadline): (&str, Duration),
    ) -> Result<String, PostgresError> {
        let mut session = Session::open(self, database).await?;
        let answer = session.ask(query, deadline).await?;
        session.close().await?;
        Ok(answer.join("\n"))
    }

    /// Whether it takes connections now. It is asked over TCP: an image's first start has a server for a moment that only
    /// listens on its unix socket, and goes away again.
    ///
    /// # Errors
    /// When the container does not run.
    pub async fn is_ready(&self) -> Result<Readiness, PostgresError> {
        let mut pipe =
            self.pipe(&["pg_isready", "--quiet", "--host=127.0.0.1", "--username", &self.user]).await?;
        let end = pipe.end(QUESTION).await.map_err(PostgresError::Docker)?;
        Ok(if end.exit_code == 0 { Readiness::Ready } else { Readiness::NotYet })
    }

    async fn ask(&self, database: &DatabaseName, query: &str) -> Result<String, PostgresError> {
        self.value(database, (query, QUESTION)).await
    }

    /// What a program prints on one line.
    async fn printed(&self, argv: &[&str]) -> Result<String, PostgresError> {
        let mut pipe = self.pipe(argv).await?;
        let text = programs::read_bounded(&mut pipe.output, QUESTION).await?;
        let end = pipe.end(ENDING).await.map_err(PostgresError::Docker)?;
        programs::checked(argv.first().copied().unwrap_or_default(), &end)?;
        Ok(text.trim().to_owned())
    }

    async fn pipe(&self, argv: &[&str]) -> Result<Pipe, PostgresError> {
        let mut command = PipeCommand::new(argv.iter().copied());
        // Whoever reads its messages reads English.
        command.environment = vec!["LC_ALL=C".to_owned(), "PGCONNECT_TIMEOUT=20".to_owned()];
        self.docker.pipe(&self.container, &command).await.map_err(PostgresError::Docker)
    }
}

/// Whether a server takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It does not, or not yet.
    NotYet,
}

/// The database that programs connect to when they are told none.
const MAINTENANCE: &str = "postgres";
/// Another that every server has.
const TEMPLATE: &str = "template1";

/// Whether it is the one that every server has from the beginning.
pub fn is_maintenance(database: &DatabaseName) -> bool {
    database.0 == MAINTENANCE
}

/// A database that is none of these, from where they can be made, renamed and dropped.
fn beside(names: &[&DatabaseName]) -> DatabaseName {
    let taken = names.iter().any(|name| is_maintenance(name));
    DatabaseName(if taken { TEMPLATE } else { MAINTENANCE }.to_owned())
}
