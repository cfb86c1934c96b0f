//! A directory of the host as a destination: another disk, or a mounted share.
//!
//! Owns the directory below its root. Must not follow symbolic links there, nor know what the objects are. Its work is done in
//! blocking threads, each piece with a deadline: a share that hangs holds a thread, but nobody waits for it.
//!
//! # On disk
//!
//! Objects are files (0600) in folders (0700). An object is written as `<name>.partial`, synced, then renamed, and the folder
//! is synced: a loss of power leaves all of it or a `.partial`, which goes with its backup's folder. Empty folders go with
//! their last object.

mod root;
#[cfg(test)]
mod tests;
mod upload;
mod walk;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use self::root::Root;
use super::{Destination, DestinationError, Listed, Pieces, Put, Upload};
use crate::backup::{ByteCount, ObjectName};

/// One piece of work: a write of one chunk, a sync, a listing of one page. A sync has to write all that the system holds back.
const DEADLINE: Duration = Duration::from_mins(5);
/// How much is read at a time.
const READ: usize = 256 * 1024;

/// A directory of the host.
#[derive(Clone, Debug)]
pub struct LocalDirectory {
    root: Arc<Root>,
    deadline: Duration,
}

impl LocalDirectory {
    /// Opens the directory, and makes it (0700) where its parent is there. Blocking: for the start.
    ///
    /// # Errors
    /// When it cannot be made or opened, or is no directory.
    pub fn open(path: &Path) -> Result<Self, DestinationError> {
        Ok(Self { root: Arc::new(Root::open(path)?), deadline: DEADLINE })
    }

    /// Does something in a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> Result<T, DestinationError> + Send + 'static,
    ) -> Result<T, DestinationError> {
        let root = Arc::clone(&self.root);
        within(self.deadline, &self.root, move || work(&root)).await
    }
}

async fn within<T: Send + 'static>(
    deadline: Duration,
    root: &Root,
    work: impl FnOnce() -> Result<T, DestinationError> + Send + 'static,
) -> Result<T, DestinationError> {
    match tokio::time::timeout(deadline, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(DestinationError::Broken { at: root.title().to_owned() }),
        Err(_) => Err(DestinationError::Timeout { at: root.title().to_owned(), after: deadline }),
    }
}

impl Destination for LocalDirectory {
    fn title(&self) -> &str {
        self.root.title()
    }

    fn begin<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Box<dyn Upload>, DestinationError>> {
        let (name, root, deadline) = (name.clone(), Arc::clone(&self.root), self.deadline);
        let begun = self.blocking(move |root| root.begin(&name));
        async move {
            let begun = begun.await?;
            let upload: Box<dyn Upload> = Box::new(upload::LocalUpload::new(root, begun, deadline));
            Ok(upload)
        }
        .boxed()
    }

    fn read<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Pieces, DestinationError>> {
        async move {
            let wanted = name.clone();
            let file = self.blocking(move |root| root.file(&wanted)).await?;
            let (at, name) = (self.root.title().to_owned(), name.clone());
            let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file), READ);
            let told = move |piece: std::io::Result<Bytes>| {
                piece.map_err(|source| DestinationError::of_io(&at, &name, "read a file", source))
            };
            Ok(pieces.map(told).boxed())
        }
        .boxed()
    }

    fn read_small<'a>(
        &'a self,
        name: &'a ObjectName,
        most: ByteCount,
    ) -> BoxFuture<'a, Result<Vec<u8>, DestinationError>> {
        async move {
            let wanted = name.clone();
            let file = self.blocking(move |root| root.file(&wanted)).await?;
            let mut content = Vec::new();
            let mut bounded = tokio::fs::File::from_std(file).take(most.get().saturating_add(1));
            let at = || self.root.title().to_owned();
            let read = tokio::time::timeout(self.deadline, bounded.read_to_end(&mut content)).await;
            let read = read.map_err(|_| DestinationError::Timeout { at: at(), after: self.deadline })?;
            read.map_err(|source| DestinationError::of_io(self.title(), name, "read a file", source))?;
            if ByteCount::of(&content) > most {
                return Err(DestinationError::TooLarge { at: at(), name: name.clone(), most });
            }
            Ok(content)
        }
        .boxed()
    }

    fn put_if_absent<'a>(
        &'a self,
        name: &'a ObjectName,
        content: Bytes,
    ) -> BoxFuture<'a, Result<Put, DestinationError>> {
        let name = name.clone();
        self.blocking(move |root| root.put_if_absent(&name, &content)).boxed()
    }

    fn list(&self, folder: &ObjectName) -> BoxStream<'static, Result<Listed, DestinationError>> {
        let walk = walk::Walk::new(Arc::clone(&self.root), folder.clone());
        let deadline = self.deadline;
        let pages = stream::unfold(Some(walk), move |walk| async move {
            let mut walk = walk?;
            let root = walk.root();
            let page = within(deadline, &root, move || {
                let page = walk.page()?;
                Ok((page, walk))
            });
            match page.await {
                Ok((page, _)) if page.is_empty() => None,
                Ok((page, walk)) => Some((stream::iter(page.into_iter().map(Ok)).boxed(), Some(walk))),
                Err(error) => Some((stream::iter([Err(error)]).boxed(), None)),
            }
        });
        pages.flatten().boxed()
    }

    fn delete<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<(), DestinationError>> {
        let name = name.clone();
        self.blocking(move |root| root.delete(&name)).boxed()
    }

    fn free(&self) -> BoxFuture<'_, Result<Option<ByteCount>, DestinationError>> {
        self.blocking(|root| root.free().map(Some)).boxed()
    }
}
