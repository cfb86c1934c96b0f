//! Why what holds a service's data did not do its part, whichever engine it is.

use crate::{
    docker::DockerError, mysql::MysqlError, postgres::PostgresError, programs::ProgramError,
    redis::RedisError,
};

use super::super::judge::servers_own;

/// Why what holds a service's data did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A MariaDB or MySQL.
    #[error(transparent)]
    Mysql(#[from] MysqlError),
    /// A Redis or Valkey.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The container around it.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

impl ServerError {
    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Postgres(source) => of_postgres(source),
            Self::Mysql(source) => source.hint(),
            Self::Redis(source) => source.hint(),
            Self::Docker(_) => "see `systemctl status docker` on the droplet, and try again",
        }
    }

    /// Of an error on the way of a stored part into a server: what the reading of the part came to, where that is the reason.
    pub(in crate::backup_runs) fn of_reading(self) -> Result<std::io::Error, Self> {
        match self {
            Self::Postgres(PostgresError::Source(source))
            | Self::Mysql(MysqlError::Program(ProgramError::Source(source)))
            | Self::Redis(RedisError::Program(ProgramError::Source(source))) => Ok(source),
            other => Err(other),
        }
    }

    /// Whether it tells of the data that was to be restored, and not of the scratch server itself.
    pub(in crate::backup_runs) fn is_about_data(&self) -> bool {
        match self {
            Self::Postgres(
                PostgresError::Program { complaints, .. } | PostgresError::SessionEnded { complaints },
            ) => !servers_own(complaints),
            Self::Postgres(_) | Self::Docker(_) => false,
            Self::Mysql(error) => error.is_about_data(),
            Self::Redis(error) => error.is_about_data(),
        }
    }
}

pub(super) fn of_postgres(source: &PostgresError) -> &'static str {
    match source {
        PostgresError::OldTool { .. } => {
            "use an image whose programs are of the server's version, and deploy"
        }
        PostgresError::SessionEnded { .. } => {
            "if it refuses the login, name a superuser that may log in inside the container: `user` under \
             `x-tidegate.backup`; else see the database's log (`tidegate logs`)"
        }
        PostgresError::Program { exit_code: 126 | 127, .. } => {
            "the image has no `psql` or `pg_dump`: use one that has PostgreSQL's own programs, and deploy"
        }
        _ => "see the database's log (`tidegate logs`), and try again",
    }
}
