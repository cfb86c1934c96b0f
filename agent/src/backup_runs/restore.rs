//! A restore on trial: a copy of the backup into a scratch server without network, and the look at what came of it.
//!
//! Owns the course of it, and telling apart a backup that is bad from a trial that went wrong.

mod judge;
mod server;

use std::{io, sync::Arc, time::Duration};

use tokio::time::Instant;

use self::{
    judge::{compare, is_true, servers_own},
    server::ScratchServer,
};
use super::{
    BackupError, BackupRow, Inner, Progress, counted::Counted, find, progress::size, row::Facts, space,
    subject::Subject,
};
use crate::{
    backup::{
        Manifest, Part,
        catalog::Found,
        destination::Destination,
        layout::BackupFolder,
        manifest::Content,
        pipe::{OpenError, Opened, open},
        seal::{OneTimeKey, OpenKey},
    },
    postgres::{DatabaseName, Postgres, PostgresError},
};

/// What is tried.
pub(super) struct Trial<'a> {
    pub(super) subject: &'a Subject,
    pub(super) row: &'a BackupRow,
    pub(super) key: OneTimeKey,
    pub(super) progress: &'a Progress,
}

/// How long restore and comparison took.
pub(super) async fn trial(inner: &Inner, trial: Trial<'_>) -> Result<Duration, BackupError> {
    let Trial { subject, row, key, progress } = trial;
    let (manifest, destination) = copy(subject, row).await?;
    let restoring = Restoring {
        inner,
        subject,
        folder: BackupFolder::new(subject.folder.clone(), row.id),
        key,
        destination,
        progress,
    };
    progress.say(format!("restoring backup {} from {} on trial", row.id, restoring.destination.title()));
    let _used = if let Ok(free) = inner.scratch.try_lock() {
        free
    } else {
        progress.say("waiting until another backup is verified");
        inner.scratch.lock().await
    };
    space::check_for_restore(inner, Facts::of(&manifest, Vec::new()).plain).await?;
    let server = ScratchServer::start(inner, subject, &manifest).await?;
    let restored = Box::pin(restoring.all(server.postgres(), &manifest)).await;
    let removed = server.remove().await;
    let took = restored?;
    // It holds the data in clear: that it is gone is part of the trial.
    removed.map_err(BackupError::Scratch)?;
    Ok(took)
}

/// The copy that is tried: the one at `local`, which is the first destination, else the first that is complete.
async fn copy(subject: &Subject, row: &BackupRow) -> Result<(Manifest, Arc<dyn Destination>), BackupError> {
    let catalog = find::look(&subject.destinations, &subject.folder).await;
    let unseen = catalog.unseen.iter().map(|unseen| {
        format!("{} could not be looked at: {}", unseen.at, crate::release::chain(&unseen.error))
    });
    let mut seen: Vec<String> = unseen.collect();
    let found: Option<Found> = catalog.backups.into_iter().find(|found| found.folder.id() == row.id);
    let Some(Found { manifest: Some(manifest), copies, .. }) = found.as_ref() else {
        seen.extend(found.iter().flat_map(told));
        return Err(BackupError::NoCopy { id: row.id, seen });
    };
    let is_whole = |destination: &&Arc<dyn Destination>| {
        copies.iter().any(|copy| copy.at == destination.title() && copy.damage.is_empty())
    };
    if let Some(destination) = subject.destinations.iter().find(is_whole) {
        return Ok((manifest.clone(), Arc::clone(destination)));
    }
    seen.extend(found.iter().flat_map(told));
    Err(BackupError::NoCopy { id: row.id, seen })
}

fn told(found: &Found) -> Vec<String> {
    let copies = find::copies(found).into_iter();
    copies.map(|copy| format!("{}: {}", copy.at, copy.damage.join(", "))).collect()
}

struct Restoring<'a> {
    inner: &'a Inner,
    subject: &'a Subject,
    folder: BackupFolder,
    key: OneTimeKey,
    destination: Arc<dyn Destination>,
    progress: &'a Progress,
}

impl Restoring<'_> {
    /// Everything, in the order in which a server takes it: roles first.
    async fn all(&self, postgres: &Postgres, manifest: &Manifest) -> Result<Duration, BackupError> {
        let begun = Instant::now();
        for part in manifest.parts.iter().filter(|part| part.content == Content::PostgresGlobals) {
            let what = "the restore of roles and tablespaces";
            let (opened, _) = Counted::new(self.open(part).await?);
            let restored = postgres.restore_globals((opened, self.deadline())).await;
            restored.map_err(|error| self.failed(part, what, error))?;
        }
        let mut differences = Vec::new();
        for (part, database) in databases(manifest) {
            differences.extend(self.database(postgres, part, &database).await?);
        }
        let took = begun.elapsed();
        if !differences.is_empty() {
            return Err(BackupError::Differs {
                id: self.folder.id(),
                differences: judge::bounded(differences),
            });
        }
        self.checks(postgres, manifest).await?;
        Ok(took)
    }

    async fn database(
        &self,
        postgres: &Postgres,
        part: &Part,
        database: &DatabaseName,
    ) -> Result<Vec<String>, BackupError> {
        let what = format!("the restore of database {}", database.0);
        let failed = |error| self.failed(part, &what, error);
        server::make_empty(postgres, database).await.map_err(failed)?;
        let (opened, count) = Counted::new(self.open(part).await?);
        let restore = postgres.restore(database, (opened, self.deadline()));
        count.told((self.progress, &what), restore).await.map_err(failed)?;
        let counting = format!("counting the rows of database {}", database.0);
        let rows = postgres.rows(database, self.deadline()).await;
        let rows = rows.map_err(|error| self.failed(part, &counting, error))?;
        let restored = size(part.plain.bytes);
        self.progress.say(format!("database {}: {} tables, {restored} restored", database.0, rows.len()));
        Ok(compare(database, &part.tables, &rows))
    }

    /// The user's statements, in every database of the backup. The maintenance database, where nobody named it and it holds
    /// nothing, is none that they could be about.
    async fn checks(&self, postgres: &Postgres, manifest: &Manifest) -> Result<(), BackupError> {
        let named = &self.subject.databases.names;
        let count = databases(manifest).count();
        for (part, database) in databases(manifest) {
            if count > 1 && named.is_empty() && server::is_maintenance(&database) && part.tables.is_empty() {
                continue;
            }
            for statement in &self.subject.databases.checks {
                let answered = postgres.value(&database, (statement, self.deadline())).await;
                let answer = match answered {
                    Ok(answer) if is_true(&answer) => continue,
                    Ok(answer) => answer,
                    Err(PostgresError::SessionEnded { complaints }) if !servers_own(&complaints) => {
                        complaints
                    }
                    Err(error) => return Err(BackupError::Scratch(error)),
                };
                let (id, statement) = (self.folder.id(), statement.clone());
                return Err(BackupError::Check { id, database: database.0, statement, answer });
            }
        }
        Ok(())
    }

    async fn open(&self, part: &Part) -> Result<Opened, BackupError> {
        let object = self.folder.part(&part.name).map_err(BackupError::Name)?;
        let stored = self.destination.read(&object).await;
        let stored = stored.map_err(|error| self.unread(part, io::Error::other(error)))?;
        let limits = self.inner.settings.patience.limits();
        Ok(open(part.clone(), OpenKey::OneTime(self.key.clone()), stored, limits))
    }

    /// What went wrong: the stored part, the way to it, the server's own troubles, or what the part holds.
    fn failed(&self, part: &Part, what: &str, error: PostgresError) -> BackupError {
        let id = self.folder.id();
        match error {
            PostgresError::Source(source) => match OpenError::of(&source) {
                Some(
                    OpenError::Truncated { .. } | OpenError::Altered { .. } | OpenError::WrongKey { .. },
                ) => BackupError::Damaged {
                    id,
                    part: part.name.clone(),
                    at: self.destination.title().to_owned(),
                    source,
                },
                _ => self.unread(part, source),
            },
            PostgresError::Program { ref complaints, .. }
            | PostgresError::SessionEnded { ref complaints }
                if !servers_own(complaints) =>
            {
                BackupError::Restore { id, what: what.to_owned(), source: Box::new(error) }
            }
            other => BackupError::Scratch(other),
        }
    }

    fn unread(&self, part: &Part, source: io::Error) -> BackupError {
        let at = self.destination.title().to_owned();
        BackupError::Unread { id: self.folder.id(), part: part.name.clone(), at, source }
    }

    /// The whole trial has one; no single question has less.
    fn deadline(&self) -> Duration {
        self.inner.settings.patience.verification
    }
}

fn databases(manifest: &Manifest) -> impl Iterator<Item = (&Part, DatabaseName)> {
    manifest.parts.iter().filter_map(|part| match &part.content {
        Content::PostgresDump { database } => Some((part, DatabaseName(database.clone()))),
        _ => None,
    })
}
