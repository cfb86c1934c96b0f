//! A Redis that is backed up: the server, and what it tells of itself.

use tokio::time::Instant;

use super::{
    super::{BackupError, Inner, ServerError, progress::size, subject::Subject},
    postgres::{LOOK, RETURN},
    running,
};
use crate::{
    backup::{ByteCount, PartName},
    redis::{Clues, Facts, Redis, RedisError},
};

/// The part with all databases.
const SNAPSHOT: &str = "snapshot.rdb.zst.age";

/// A Redis that answers.
pub(in crate::backup_runs) struct RedisSource {
    pub(in crate::backup_runs) redis: Redis,
    pub(in crate::backup_runs) facts: Facts,
    /// `sha256:...` of the image that it runs.
    pub(in crate::backup_runs) image_id: String,
}

impl RedisSource {
    /// Looks for the server and asks it.
    pub(in crate::backup_runs) async fn find(
        inner: &Inner,
        (subject, clues): (&Subject, &Clues),
    ) -> Result<Self, BackupError> {
        let container = running(inner, subject).await?;
        let failed = |source: RedisError| BackupError::Server {
            service: subject.service.clone(),
            source: ServerError::Redis(source),
        };
        let redis = Redis::find(inner.engine.docker(), &container.name, clues).await.map_err(failed)?;
        let facts = redis.facts().await.map_err(failed)?;
        if facts.is_loading {
            let told = "it is reading its data".to_owned();
            return Err(failed(RedisError::NotReady { told }));
        }
        Ok(Self { redis, facts, image_id: container.image_id })
    }

    /// What it is, in a few words.
    pub(in crate::backup_runs) fn told(&self) -> String {
        let Facts { program, version, memory, keys, .. } = &self.facts;
        let count = keys.values().fold(0_u64, |sum, keys| sum.saturating_add(*keys));
        let bytes = size(ByteCount::new(*memory));
        format!("{count} keys in {} databases, {bytes} in memory, {program} {version}", keys.len())
    }

    /// The name of its only part.
    pub(in crate::backup_runs) fn part_name() -> Result<PartName, BackupError> {
        PartName::new(SNAPSHOT).map_err(BackupError::Name)
    }

    pub(super) fn part_names() -> Result<Vec<PartName>, BackupError> {
        Self::part_name().map(|name| vec![name])
    }
}

/// The server, once it answers and has read its data.
pub(in crate::backup_runs) async fn answering_redis(
    inner: &Inner,
    (subject, clues): (&Subject, &Clues),
) -> Result<RedisSource, BackupError> {
    let begun = Instant::now();
    loop {
        let error = match RedisSource::find(inner, (subject, clues)).await {
            Ok(source) => return Ok(source),
            // It stands still for a restore, and not for a backup.
            Err(BackupError::Server { service, source }) => BackupError::Restoring { service, source },
            Err(other) => other,
        };
        // No time will open the door.
        let is_shut = matches!(
            error,
            BackupError::Restoring { source: ServerError::Redis(RedisError::Login { .. }), .. }
        );
        if is_shut || begun.elapsed() >= RETURN {
            return Err(error);
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_part_has_a_name() {
        assert_eq!(RedisSource::part_names().unwrap()[0].as_str(), SNAPSHOT);
    }
}
