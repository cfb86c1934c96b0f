//! A MariaDB or MySQL that runs in a container: what it is, what it holds, dumping and restoring it with its own programs.
//!
//! Owns the statements and commands that are sent into the container. Must not know backups, destinations or releases.
//! All programs are the container's: `mariadb` and `mariadb-dump`, or `mysql` and `mysqldump`.

mod access;
mod contents;
mod error;
mod literal;
mod scratch;
mod sql;
mod swap;
mod version;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use self::literal::{identifier, text};
pub use self::{
    access::Access,
    contents::{Contents, TableRows},
    error::MysqlError,
    scratch::Scratch,
    sql::{Sql, Tally},
    swap::Move,
    version::ServerVersion,
};
use crate::{
    docker::{Docker, PipeCommand},
    postgres::DatabaseName,
    programs::{self, Printed, ProgramError},
};

/// How long a question may take that reads no table.
const QUESTION: Duration = Duration::from_mins(1);
/// How long a statement may take that makes, renames or drops.
const STATEMENT: Duration = Duration::from_mins(2);
/// Client and dumping program: newer images of MariaDB have no others than the first.
const PROGRAMS: [(&str, &str); 2] = [("mariadb", "mariadb-dump"), ("mysql", "mysqldump")];
/// Databases that are the server's own.
const OWN: &str = "'mysql', 'information_schema', 'performance_schema', 'sys'";

/// A MariaDB or MySQL in a running container that lets us in.
#[derive(Clone, Debug)]
pub struct Mysql {
    docker: Docker,
    container: String,
    client: &'static str,
    dumper: &'static str,
    /// What the dumping program prints of itself.
    tool: String,
    user: String,
    password: Option<SecretString>,
}

impl Mysql {
    /// Looks for the way in: first without a word, as who may by being root there, then with each password.
    ///
    /// # Errors
    /// When the container does not run, has no program that could ask, or the server does not answer or refuses every login.
    pub async fn find(docker: &Docker, container: &str, access: &Access) -> Result<Self, MysqlError> {
        let (client, dumper, tool) = found_programs(docker, container).await?;
        let mut passwords = access.passwords.clone();
        for path in &access.password_files {
            let command = PipeCommand::new(["cat", "--", path]);
            let read = programs::printed(docker, container, (&command, QUESTION)).await?;
            passwords.push(read.text.trim_end_matches(['\r', '\n']).into());
        }
        let user = access.user.clone();
        let (docker, container) = (docker.clone(), container.to_owned());
        let mut mysql = Self { docker, container, client, dumper, tool, user, password: None };
        let mut refused = String::new();
        for password in std::iter::once(None).chain(passwords.into_iter().map(Some)) {
            mysql.password = password;
            match mysql.ask("SELECT 1", QUESTION).await {
                Ok(_) => return Ok(mysql),
                Err(MysqlError::Program(ProgramError::Failed { complaints, .. }))
                    if complaints.contains("Access denied") =>
                {
                    refused = complaints;
                }
                Err(other) => return Err(other),
            }
        }
        Err(MysqlError::Login { user: mysql.user, told: refused })
    }

    /// What the dumping program prints of itself.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// What the server is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<ServerVersion, MysqlError> {
        let answer = self.ask("SELECT VERSION()", QUESTION).await?;
        ServerVersion::parse(&answer).ok_or(MysqlError::Answer { asked: "its version", answer })
    }

    /// Its databases but for the server's own, in the order of their names.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn databases(&self) -> Result<Vec<DatabaseName>, MysqlError> {
        let query = format!(
            "SELECT JSON_QUOTE(SCHEMA_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({OWN}) ORDER BY SCHEMA_NAME"
        );
        let names: Vec<String> = self.rows_of(&query, "its databases").await?;
        Ok(names.into_iter().map(DatabaseName).collect())
    }

    /// Bytes that a database takes, as far as the server knows.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn size(&self, database: &DatabaseName) -> Result<u64, MysqlError> {
        let query = format!(
            "SELECT CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS UNSIGNED) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {}",
            text(&database.0)
        );
        let answer = self.ask(&query, QUESTION).await?;
        answer.trim().parse().map_err(|_| MysqlError::Answer { asked: "a database's size", answer })
    }

    /// A whole database as SQL, of one moment as far as its tables are InnoDB's, while the server goes on; and the count of its rows
    /// as they pass. It can be read into a database of any name.
    ///
    /// # Errors
    /// When the server does not answer, or the container does not run. What goes wrong later is an error of the stream.
    pub async fn dump(
        &self,
        database: &DatabaseName,
    ) -> Result<(impl AsyncRead + Send + Unpin + use<>, Tally), MysqlError> {
        let asked = format!(
            "SELECT CONCAT('ALTER DATABASE CHARACTER SET ', DEFAULT_CHARACTER_SET_NAME, ' COLLATE ', DEFAULT_COLLATION_NAME, ';') \
             FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
            text(&database.0)
        );
        // Without a name it is about the database that it is read into.
        let beginning = self.ask(&asked, QUESTION).await?;
        let mut arguments = vec![
            "--single-transaction",
            "--quick",
            "--routines",
            "--triggers",
            "--events",
            "--hex-blob",
            "--skip-dump-date",
            "--default-character-set=utf8mb4",
        ];
        if !self.tool.contains("MariaDB") {
            arguments.extend(["--set-gtid-purged=OFF", "--no-tablespaces"]);
        }
        arguments.extend(["--", &database.0]);
        let command = self.command(self.dumper, &arguments);
        let dump = programs::dump(&self.docker, &self.container, ("the dump", &command)).await?;
        let (sql, tally) = Sql::of(dump);
        let beginning = io_cursor(format!("{}\n", beginning.trim()));
        Ok((beginning.chain(sql), tally))
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When there is one of that name, or the server refuses.
    pub async fn create_database(&self, name: &DatabaseName) -> Result<(), MysqlError> {
        self.ask(&format!("CREATE DATABASE {}", identifier(&name.0)), STATEMENT).await.map(drop)
    }

    /// Removes a database with all that it holds. One that is not there is removed.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn drop_database(&self, name: &DatabaseName) -> Result<(), MysqlError> {
        let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&name.0));
        self.ask(&drop, STATEMENT).await.map(std::mem::drop)
    }

    /// Reads a dump into a database that is there and empty. It ends at the first statement that fails.
    ///
    /// # Errors
    /// When a statement fails, the dump cannot be read to its end, or it takes longer than the deadline.
    pub async fn restore(
        &self,
        database: &DatabaseName,
        (dump, deadline): (impl AsyncRead + Send + Unpin, Duration),
    ) -> Result<(), MysqlError> {
        let named = format!("--database={}", database.0);
        let command =
            self.command(self.client, &["--binary-mode", "--default-character-set=utf8mb4", &named]);
        let pipe = self.docker.pipe(&self.container, &command).await.map_err(MysqlError::Docker)?;
        Ok(programs::feed(self.client, pipe, (dump, deadline)).await?)
    }

    /// What a query of the user's answers in a database, as text.
    ///
    /// # Errors
    /// When the server refuses it or does not answer within the deadline.
    pub async fn value(
        &self,
        database: &DatabaseName,
        (query, deadline): (&str, Duration),
    ) -> Result<String, MysqlError> {
        let database = format!("--database={}", database.0);
        self.run((query, deadline), &[&database]).await
    }

    /// Rows that are JSON, a line each.
    async fn rows_of<T: serde::de::DeserializeOwned>(
        &self,
        query: &str,
        asked: &'static str,
    ) -> Result<Vec<T>, MysqlError> {
        let answer = self.ask(query, QUESTION).await?;
        let wrong = |line: &str| MysqlError::Answer { asked, answer: line.to_owned() };
        answer.lines().map(|line| serde_json::from_str(line).map_err(|_| wrong(line))).collect()
    }

    async fn ask(&self, query: &str, deadline: Duration) -> Result<String, MysqlError> {
        self.run((query, deadline), &[]).await
    }

    async fn run(&self, (query, deadline): (&str, Duration), more: &[&str]) -> Result<String, MysqlError> {
        let fixed = ["--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4"];
        let command = self.command(self.client, &[&fixed[..], more].concat());
        // Not as an argument: those have a length.
        let call = (&command, deadline);
        let printed = programs::answered(&self.docker, &self.container, call, query.as_bytes()).await?;
        let text = printed.checked(self.client)?;
        Ok(text.trim_end_matches('\n').to_owned())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> PipeCommand {
        let user = format!("--user={}", self.user);
        let mut command = PipeCommand::new([&[program, user.as_str()][..], arguments].concat());
        command.environment = vec!["LC_ALL=C".to_owned()];
        if let Some(password) = &self.password {
            // Not an argument: those everybody in the container can read.
            command.environment.push(format!("MYSQL_PWD={}", password.expose_secret()));
        }
        command
    }
}

fn io_cursor(text: String) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(text.into_bytes())
}

/// Client, dumping program, and what that prints of itself.
async fn found_programs(
    docker: &Docker,
    container: &str,
) -> Result<(&'static str, &'static str, String), MysqlError> {
    for (client, dumper) in PROGRAMS {
        let command = PipeCommand::new([dumper, "--version"]);
        let Printed { text, end } = programs::printed(docker, container, (&command, QUESTION)).await?;
        if end.exit_code == 0 {
            return Ok((client, dumper, text.trim().to_owned()));
        }
    }
    Err(MysqlError::NoProgram)
}
