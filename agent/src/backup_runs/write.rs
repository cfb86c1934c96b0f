//! Writing a backup: its parts, one after the other, each to all destinations at once; then its manifest.
//!
//! Owns what all engines have in common; what a part holds is below. A destination that fails is left behind, and has no manifest of this backup; one that stays is enough.

mod mysql;
mod postgres;
pub(super) mod redis;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use tokio::io::AsyncRead;

use super::{
    BackupError, Inner, Progress, counted::Counted, progress::size, source::Source, subject::Subject,
};
use crate::{
    backup::{
        BackupId, Manifest, Part, PartName,
        destination::{Destination, Put},
        layout::BackupFolder,
        manifest::{Content, Engine, LARGEST_MANIFEST, TableCount},
        pipe::{Level, Sealing, Target, seal},
        seal::OneTimeKey,
    },
    release::chain,
};

/// A backup that is being written.
pub(super) struct Writing<'a> {
    inner: &'a Inner,
    subject: &'a Subject,
    source: &'a Source,
    folder: BackupFolder,
    sealing: Sealing,
    progress: &'a Progress,
    /// Those that have all parts until now.
    complete: Vec<Arc<dyn Destination>>,
    troubles: Vec<String>,
    parts: Vec<Part>,
    taken_at: Option<Timestamp>,
    revisions: Vec<(String, String)>,
}

/// A backup that is stored.
pub(super) struct Written {
    pub(super) manifest: Manifest,
    /// The titles of the destinations that have it.
    pub(super) copies: Vec<String>,
    /// What went wrong at others.
    pub(super) troubles: Vec<String>,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        (subject, source): (&'a Subject, &'a Source),
        (id, key): (BackupId, OneTimeKey),
        progress: &'a Progress,
    ) -> Self {
        Self {
            inner,
            subject,
            source,
            folder: BackupFolder::new(subject.folder.clone(), id),
            sealing: Sealing {
                recipients: subject.recipients.clone(),
                key,
                level: Level::default(),
                limits: inner.settings.patience.limits(),
            },
            progress,
            complete: subject.to.clone(),
            troubles: subject.closed.clone(),
            parts: Vec::new(),
            taken_at: None,
            revisions: Vec::new(),
        }
    }

    /// Writes all parts.
    ///
    /// # Errors
    /// When one could not be dumped, or no destination has all of them.
    pub(super) async fn parts(&mut self) -> Result<(), BackupError> {
        match self.source {
            Source::Postgres(source) => self.postgres(source).await,
            Source::Mysql(source) => self.mysql(source).await,
            Source::Redis(source) => self.redis(source).await,
        }
    }

    /// One part, from what brings it; what is in it is asked once it has passed.
    async fn part(
        &mut self,
        (name, what): (PartName, &str),
        (content, tables): (Content, impl FnOnce() -> InPart),
        dump: impl AsyncRead + Send + Unpin,
    ) -> Result<(), BackupError> {
        let object = self.folder.part(&name).map_err(BackupError::Name)?;
        let target = |destination: &Arc<dyn Destination>| Target {
            destination: Arc::clone(destination),
            name: object.clone(),
        };
        let targets = self.complete.iter().map(target).collect();
        let (dump, count) = Counted::new(dump);
        let sealing = seal(dump, &self.sealing, targets);
        let sealed = count.told((self.progress, what), sealing).await;
        let sealed =
            sealed.map_err(|source| BackupError::Seal { what: what.to_owned(), source: Box::new(source) })?;
        let mut left = Vec::new();
        for (destination, outcome) in std::mem::take(&mut self.complete).into_iter().zip(sealed.outcomes) {
            match outcome.stored {
                Ok(()) => left.push(destination),
                Err(error) => self.trouble(destination.as_ref(), &chain(&error)),
            }
        }
        self.complete = left;
        let InPart { tables, told } = tables();
        self.progress.say(format!(
            "{what}: {told}, {} of data, {} stored",
            size(sealed.plain.bytes),
            size(sealed.stored.bytes)
        ));
        let (plain, stored, header) = (sealed.plain, sealed.stored, sealed.header);
        self.parts.push(Part { name, content, plain, stored, header, tables });
        Ok(())
    }

    /// Writes the manifest wherever all parts are. Each destination has its own deadline for that; nothing else cuts it off.
    ///
    /// # Errors
    /// When no destination took it.
    pub(super) async fn manifest(mut self) -> Result<Written, BackupError> {
        let manifest = self.content();
        let bytes = Bytes::from(manifest.write().map_err(BackupError::Manifest)?);
        let object = self.folder.manifest().map_err(BackupError::Name)?;
        let mut copies = Vec::new();
        for destination in std::mem::take(&mut self.complete) {
            let put = match destination.put_if_absent(&object, bytes.clone()).await {
                Ok(Put::Done) => Ok(()),
                // An answer that was lost on its way: what is there may be ours.
                Ok(Put::Existed) => match destination.read_small(&object, LARGEST_MANIFEST).await {
                    Ok(there) if there == bytes => {
                        destination.lock(&object).await.map_err(|error| chain(&error))
                    }
                    Ok(_) => Err("another backup's manifest lies there".to_owned()),
                    Err(error) => Err(chain(&error)),
                },
                Err(error) => Err(chain(&error)),
            };
            match put {
                Ok(()) => copies.push(destination.title().to_owned()),
                Err(why) => self.trouble(destination.as_ref(), &why),
            }
        }
        if copies.is_empty() {
            return Err(BackupError::NoDestination(self.troubles));
        }
        Ok(Written { manifest, copies, troubles: self.troubles })
    }

    fn content(&mut self) -> Manifest {
        let (subject, droplet) = (self.subject, self.subject.folder.droplet().clone());
        let now = self.inner.clock.now();
        let (kind, server_version, tool_version) = self.source.engine();
        Manifest {
            id: self.folder.id(),
            taken_at: self.taken_at.unwrap_or(now),
            finished_at: now,
            fleet: droplet.fleet,
            environment: droplet.environment,
            droplet: droplet.droplet,
            enrolment: droplet.enrolment,
            app: subject.app.clone(),
            service: subject.service.clone(),
            release: Some(subject.backed.release),
            migration: revision(&self.revisions),
            engine: Engine {
                kind,
                server_version,
                tool_version,
                image: subject.backed.image.clone(),
                image_id: self.source.image_id().to_owned(),
            },
            parts: std::mem::take(&mut self.parts),
            recipients: subject.recipients.texts(),
        }
    }

    fn trouble(&mut self, destination: &dyn Destination, why: &str) {
        let at = destination.title();
        self.progress.say(format!("{at} is left behind: {why}"));
        self.troubles.push(format!("{at}: {why}"));
    }
}

/// What a part holds.
struct InPart {
    tables: Vec<TableCount>,
    /// `14 tables`
    told: String,
}

/// `0009`, or with the databases' names where several tell one.
fn revision(revisions: &[(String, String)]) -> Option<String> {
    match revisions {
        [] => None,
        [(_, only)] => Some(only.clone()),
        several => {
            let told: Vec<String> =
                several.iter().map(|(database, revision)| format!("{database} {revision}")).collect();
            Some(told.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_names_its_database_where_there_are_several() {
        let told = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            revision(&pairs)
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("shop", "0009")]).as_deref(), Some("0009"));
        assert_eq!(told(&[("shop", "0009"), ("stock", "3")]).as_deref(), Some("shop 0009, stock 3"));
    }
}
