//! What the steps of a restore do, by engine.

use super::{
    super::{
        BackupError, Inner,
        subject::{Data, Subject},
    },
    admit,
    course::Course,
    mysql, redis,
};
use crate::postgres::DatabaseName;

impl Course<'_> {
    /// Reads the data in beside what serves, and looks at what came of it.
    pub(super) async fn bring(&self) -> Result<(), BackupError> {
        match &self.subject.data {
            Data::Postgres(_) => self.restore().await,
            Data::Mysql(data) => mysql::bring(self, data).await,
            Data::Redis(clues) => redis::bring(self, clues).await,
        }
    }

    /// Removes what was restored, unless it was there before.
    pub(super) async fn throw_away(&self) -> Result<(), BackupError> {
        match &self.subject.data {
            Data::Postgres(_) => self.drop_fresh().await,
            Data::Mysql(data) => mysql::throw_away(self, data).await,
            Data::Redis(_) => redis::throw_away(self).await,
        }
    }

    /// Puts what was restored in the place of what serves.
    pub(super) async fn replace(&self) -> Result<(), BackupError> {
        match &self.subject.data {
            Data::Postgres(_) => self.swap().await,
            Data::Mysql(data) => mysql::replace(self, data).await,
            Data::Redis(clues) => redis::replace(self, clues).await,
        }
    }

    /// Puts back what served before.
    pub(super) async fn put_back(&self) -> Result<(), BackupError> {
        match &self.subject.data {
            Data::Postgres(_) => self.swap_back().await,
            Data::Mysql(data) => mysql::put_back(self, data).await,
            Data::Redis(clues) => redis::put_back(self, clues).await,
        }
    }
}

/// Removes for good what served before a restore.
pub(super) async fn drop_kept(
    inner: &Inner,
    subject: &Subject,
    kept: &[DatabaseName],
) -> Result<(), BackupError> {
    match &subject.data {
        Data::Postgres(_) => {}
        Data::Mysql(data) => return mysql::drop_kept((inner, subject, data), kept).await,
        Data::Redis(_) => return redis::drop_kept(inner, subject, kept).await,
    }
    let postgres = admit::server(inner, subject).await?;
    for name in kept {
        let gone = postgres.drop_database(name).await;
        gone.map_err(|source| BackupError::Restoring {
            service: subject.service.clone(),
            source: source.into(),
        })?;
    }
    Ok(())
}
