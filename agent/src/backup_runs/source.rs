//! What is backed up, once all is known of it that can be known before a run begins.

mod mysql;
mod postgres;
mod redis;

pub(super) use self::{
    mysql::{MysqlSource, answering_mysql},
    postgres::{PostgresSource, answering},
    redis::{RedisSource, answering_redis},
};
use super::{
    BackupError, Inner,
    subject::{Data, Subject},
};
use crate::{
    backup::{ByteCount, PartName, manifest::EngineKind},
    docker::Container,
    postgres::DatabaseName,
    release::EngineError,
};

/// A server that answers.
pub(super) enum Source {
    Postgres(PostgresSource),
    Mysql(MysqlSource),
    Redis(RedisSource),
}

impl Source {
    /// Looks for the server and asks it.
    pub(super) async fn find(inner: &Inner, subject: &Subject) -> Result<Self, BackupError> {
        match &subject.data {
            Data::Postgres(_) => PostgresSource::find(inner, subject).await.map(Self::Postgres),
            Data::Mysql(data) => MysqlSource::find(inner, (subject, data)).await.map(Self::Mysql),
            Data::Redis(clues) => RedisSource::find(inner, (subject, clues)).await.map(Self::Redis),
        }
    }

    /// How much data it has, where it keeps it.
    pub(super) fn size(&self) -> ByteCount {
        match self {
            Self::Postgres(source) => source.size,
            Self::Mysql(source) => source.size,
            Self::Redis(source) => ByteCount::new(source.facts.memory),
        }
    }

    /// What it is, in a few words.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Postgres(source) => source.told(),
            Self::Mysql(source) => source.told(),
            Self::Redis(source) => source.told(),
        }
    }

    /// What the manifest says of it: the engine, its version, and the version of the program that writes the data.
    pub(super) fn engine(&self) -> (EngineKind, String, String) {
        match self {
            Self::Postgres(source) => {
                let versions = &source.versions;
                (EngineKind::PostgreSql, versions.server.to_string(), versions.tool.clone())
            }
            Self::Mysql(source) => {
                (EngineKind::MySql, source.version.number.clone(), source.mysql.tool().to_owned())
            }
            Self::Redis(source) => {
                (EngineKind::Redis, source.facts.version.clone(), source.redis.tool().to_owned())
            }
        }
    }

    /// `sha256:...` of the image that it runs.
    pub(super) fn image_id(&self) -> &str {
        match self {
            Self::Postgres(source) => &source.image_id,
            Self::Mysql(source) => &source.image_id,
            Self::Redis(source) => &source.image_id,
        }
    }

    /// The names of all parts that a run may write, for whoever clears up after it.
    pub(super) fn part_names(&self) -> Result<Vec<PartName>, BackupError> {
        match self {
            Self::Postgres(source) => source.part_names(),
            Self::Mysql(source) => source.part_names(),
            Self::Redis(_) => RedisSource::part_names(),
        }
    }
}

pub(super) async fn running(inner: &Inner, subject: &Subject) -> Result<Container, BackupError> {
    let (app, service) = (&subject.app, &subject.service);
    let found = inner.engine.containers(app, Some(service.as_str())).await;
    let found = match found {
        Ok(found) => found,
        // It is in the release, and has nothing that was ever started.
        Err(EngineError::NoService { .. }) => Vec::new(),
        Err(source) => return Err(BackupError::Release { app: app.clone(), source: Box::new(source) }),
    };
    let states: Vec<String> =
        found.iter().map(|one| format!("{} is {}", one.name, one.state.word())).collect();
    found.into_iter().find(Container::is_running).ok_or_else(|| BackupError::NotRunning {
        app: app.clone(),
        service: service.clone(),
        state: if states.is_empty() { "it has no container".to_owned() } else { states.join(", ") },
    })
}

/// The service's container, whether it runs or not.
pub(super) async fn container(inner: &Inner, subject: &Subject) -> Result<Container, BackupError> {
    let (app, service) = (&subject.app, &subject.service);
    let found = inner.engine.containers(app, Some(service.as_str())).await;
    let found =
        found.map_err(|source| BackupError::Release { app: app.clone(), source: Box::new(source) })?;
    let mut own = found.into_iter().filter(|one| one.number().is_some());
    own.next().ok_or_else(|| BackupError::NotRunning {
        app: app.clone(),
        service: service.clone(),
        state: "it has no container".to_owned(),
    })
}

/// Those that the file names, or all.
pub(super) fn chosen(
    (subject, wanted): (&Subject, &[String]),
    there: Vec<DatabaseName>,
) -> Result<Vec<DatabaseName>, BackupError> {
    let service = &subject.service;
    if wanted.is_empty() {
        return if there.is_empty() { Err(BackupError::NoDatabase(service.clone())) } else { Ok(there) };
    }
    let is_missing = |name: &&String| !there.iter().any(|database| database.0 == **name);
    let missing: Vec<String> = wanted.iter().filter(is_missing).cloned().collect();
    if missing.is_empty() {
        return Ok(wanted.iter().cloned().map(DatabaseName).collect());
    }
    let known = there.into_iter().map(|database| database.0).collect();
    Err(BackupError::MissingDatabase { service: service.clone(), missing, known })
}
