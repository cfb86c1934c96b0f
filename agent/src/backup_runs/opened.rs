//! A copy of a backup that can be read: where it lies, what opens it, and what a trouble on the way means.
//!
//! Owns the choice of the copy, and telling apart a backup that is bad from a way to it that failed. Must not know what becomes
//! of the data.

pub(super) mod mysql;
mod postgres;

use std::{io, sync::Arc, time::Duration};

use futures::StreamExt as _;

use super::{BackupError, Inner, Progress, ServerError, find, keys::Keys, origin::Chosen, subject::Subject};
use crate::backup::{
    Manifest, ObjectName, Part, PartName,
    catalog::Found,
    destination::Destination,
    layout::BackupFolder,
    manifest::Content,
    pipe::{Limits, OpenError, Opened, open},
    seal::Header,
};

/// A backup whose parts can be read.
pub(super) struct OpenBackup<'a> {
    pub(super) folder: BackupFolder,
    pub(super) manifest: Manifest,
    pub(super) destination: Arc<dyn Destination>,
    keys: Keys,
    limits: Limits,
    progress: &'a Progress,
    deadline: Duration,
}

/// The copy that is read: the one at `local`, which is the first destination, else the first that is complete.
pub(super) async fn copy(
    destinations: &[Arc<dyn Destination>],
    Chosen { row, folder }: &Chosen,
) -> Result<(Manifest, Arc<dyn Destination>), BackupError> {
    let catalog = find::look(destinations, folder).await;
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
    if let Some(destination) = destinations.iter().find(is_whole) {
        return Ok((manifest.clone(), Arc::clone(destination)));
    }
    seen.extend(found.iter().flat_map(told));
    Err(BackupError::NoCopy { id: row.id, seen })
}

fn told(found: &Found) -> Vec<String> {
    let copies = find::copies(found).into_iter();
    copies.map(|copy| format!("{}: {}", copy.at, copy.damage.join(", "))).collect()
}

/// The beginnings of a backup's parts, by which who holds the secret key of a recipient unwraps their file keys.
pub(super) async fn headers(
    inner: &Inner,
    destinations: &[Arc<dyn Destination>],
    chosen: &Chosen,
) -> Result<Vec<(PartName, Vec<u8>)>, BackupError> {
    let (manifest, destination) = copy(destinations, chosen).await?;
    let folder = BackupFolder::new(chosen.folder.clone(), chosen.row.id);
    let mut all = Vec::new();
    for part in &manifest.parts {
        let object = folder.part(&part.name).map_err(BackupError::Name)?;
        let reading = read_beginning(destination.as_ref(), (&object, part));
        let read = match tokio::time::timeout(inner.settings.patience.silence, reading).await {
            Ok(read) => read,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        };
        let at = || destination.title().to_owned();
        let read = read.map_err(|source| BackupError::Unread {
            id: chosen.row.id,
            part: part.name.clone(),
            at: at(),
            source,
        })?;
        let header = Header::of(&read).map_err(|error| BackupError::Damaged {
            id: chosen.row.id,
            part: part.name.clone(),
            at: at(),
            source: io::Error::other(error),
        })?;
        all.push((part.name.clone(), header.bytes().to_vec()));
    }
    Ok(all)
}

/// A part's bytes up to the end of its header.
async fn read_beginning(
    destination: &dyn Destination,
    (object, part): (&ObjectName, &Part),
) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(part.header.bytes.get()).unwrap_or(usize::MAX);
    let mut stored = destination.read(object).await.map_err(io::Error::other)?;
    let mut beginning = Vec::new();
    while beginning.len() < wanted
        && let Some(piece) = stored.next().await
    {
        beginning.extend_from_slice(&piece.map_err(io::Error::other)?);
    }
    beginning.truncate(wanted);
    Ok(beginning)
}

/// Refuses a backup that was made of something else than the service has now.
pub(super) fn is_of(manifest: &Manifest, subject: &Subject) -> Result<(), BackupError> {
    let (backup, now) = (manifest.engine.kind, subject.data.kind());
    if backup == now {
        return Ok(());
    }
    let (id, service) = (manifest.id, subject.service.clone());
    Err(BackupError::OtherEngine { id, backup: backup.name(), service, now: now.name() })
}

impl<'a> OpenBackup<'a> {
    /// The copy of that backup, with what opens it. Nothing is read yet but its manifest.
    pub(super) async fn find(
        inner: &Inner,
        (subject, chosen): (&Subject, &Chosen),
        keys: Keys,
        progress: &'a Progress,
    ) -> Result<Self, BackupError> {
        let (manifest, destination) = copy(&subject.destinations, chosen).await?;
        let patience = &inner.settings.patience;
        Ok(Self {
            folder: BackupFolder::new(chosen.folder.clone(), chosen.row.id),
            manifest,
            destination,
            keys,
            limits: patience.limits(),
            progress,
            deadline: patience.verification,
        })
    }

    /// A part's data, as it was before it was stored.
    pub(super) async fn open(&self, part: &Part) -> Result<Opened, BackupError> {
        let object = self.folder.part(&part.name).map_err(BackupError::Name)?;
        let key = self.keys.of_part(self.folder.id(), &part.name)?;
        let stored = self.destination.read(&object).await;
        let stored = stored.map_err(|error| self.unread(part, io::Error::other(error)))?;
        Ok(open(part.clone(), key, stored, self.limits))
    }

    /// What went wrong: the stored part, the way to it, the server's own troubles, or what the part holds.
    pub(super) fn failed(&self, part: &Part, what: &str, error: impl Into<ServerError>) -> BackupError {
        match error.into().of_reading() {
            Ok(source) => self.unreadable(part, source),
            Err(error) if error.is_about_data() => {
                let id = self.folder.id();
                BackupError::Restore { id, what: what.to_owned(), source: Box::new(error) }
            }
            Err(other) => BackupError::Scratch(other),
        }
    }

    /// Refuses one that was made of something else than the service has now.
    pub(super) fn is_of(&self, subject: &Subject) -> Result<(), BackupError> {
        is_of(&self.manifest, subject)
    }

    /// The parts that hold this.
    pub(super) fn parts(&self, content: Content) -> impl Iterator<Item = &Part> {
        self.manifest.parts.iter().filter(move |part| part.content == content)
    }

    /// What it means that a part could not be read to its end.
    pub(super) fn unreadable(&self, part: &Part, source: io::Error) -> BackupError {
        match OpenError::of(&source) {
            Some(OpenError::Truncated { .. } | OpenError::Altered { .. } | OpenError::WrongKey { .. }) => {
                BackupError::Damaged {
                    id: self.folder.id(),
                    part: part.name.clone(),
                    at: self.destination.title().to_owned(),
                    source,
                }
            }
            _ => self.unread(part, source),
        }
    }

    fn unread(&self, part: &Part, source: io::Error) -> BackupError {
        let at = self.destination.title().to_owned();
        BackupError::Unread { id: self.folder.id(), part: part.name.clone(), at, source }
    }

    /// Who is told how far it is.
    pub(super) fn progress(&self) -> &Progress {
        self.progress
    }

    /// A whole restore has one; no single question has less.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}
