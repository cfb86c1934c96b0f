//! Writing a backup: its parts, one after the other, each to all destinations at once; then its manifest.
//!
//! A destination that fails is left behind, and has no manifest of this backup; one that stays is enough.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    BackupError, Inner, Progress, counted::Counted, progress::size, source::Source, subject::Subject,
};
use crate::{
    backup::{
        BackupId, Manifest, Part, PartName,
        destination::{Destination, Put},
        layout::BackupFolder,
        manifest::{Content, Engine, EngineKind, LARGEST_MANIFEST, TableCount},
        pipe::{Level, Sealing, Target, seal},
        seal::OneTimeKey,
    },
    postgres::{DatabaseName, Dump, PostgresError, TableRows},
    release::chain,
};

/// The part with roles and tablespaces.
const GLOBALS: &str = "globals.sql.zst.age";

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
        for (index, database) in self.source.databases.iter().enumerate() {
            self.database(&part_name(index)?, database).await?;
        }
        let what = "roles and tablespaces";
        let dump = self.source.postgres.dump_globals().await;
        let dump = dump.map_err(|source| BackupError::Dump { what: what.to_owned(), source })?;
        let name = PartName::new(GLOBALS).map_err(BackupError::Name)?;
        self.part((name, what), (Content::PostgresGlobals, Vec::new()), dump).await
    }

    async fn database(&mut self, name: &PartName, database: &DatabaseName) -> Result<(), BackupError> {
        let what = format!("database {}", database.0);
        let failed = |source: PostgresError| BackupError::Dump { what: what.clone(), source };
        let now = self.inner.clock.now();
        let mut snapshot = self.source.postgres.snapshot(database).await.map_err(failed)?;
        // What was committed before this moment is in it.
        self.taken_at.get_or_insert(now);
        self.progress.say(format!("{what}: counting the rows"));
        let rows = snapshot.rows(self.subject.backed.backup.timeout).await.map_err(failed)?;
        if let Some(revision) = snapshot.revision().await.map_err(failed)? {
            self.revisions.push((database.0.clone(), revision.revision));
        }
        let dump = self.source.postgres.dump(&snapshot).await.map_err(failed)?;
        let content = Content::PostgresDump { database: database.0.clone() };
        let counts = rows.into_iter().map(count).collect();
        self.part((name.clone(), &what), (content, counts), dump).await?;
        // The dump has ended well; the snapshot did its part.
        if let Err(error) = snapshot.close().await {
            tracing::debug!(error = chain(&error), "a snapshot's session did not end by itself");
        }
        Ok(())
    }

    async fn part(
        &mut self,
        (name, what): (PartName, &str),
        (content, tables): (Content, Vec<TableCount>),
        dump: Dump,
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
        self.progress.say(format!(
            "{what}: {} tables, {} of data, {} stored",
            tables.len(),
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
                kind: EngineKind::PostgreSql,
                server_version: self.source.versions.server.to_string(),
                tool_version: self.source.versions.tool.clone(),
                image: subject.backed.image.clone(),
                image_id: self.source.image_id.clone(),
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

/// The names of all parts that a run may write, for whoever clears up after it.
pub(super) fn part_names(source: &Source) -> Result<Vec<PartName>, BackupError> {
    let databases = (0..source.databases.len()).map(part_name);
    databases.chain([PartName::new(GLOBALS).map_err(BackupError::Name)]).collect()
}

/// A database's name may hold anything: it stands in the manifest.
fn part_name(index: usize) -> Result<PartName, BackupError> {
    PartName::new(format!("database-{}.dump.zst.age", index.saturating_add(1))).map_err(BackupError::Name)
}

fn count(table: TableRows) -> TableCount {
    let TableRows { schema, name, rows } = table;
    TableCount { schema, name, rows }
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

    #[test]
    fn parts_are_numbered_from_one() {
        assert_eq!(part_name(0).unwrap().as_str(), "database-1.dump.zst.age");
        assert!(PartName::new(GLOBALS).is_ok());
    }
}
