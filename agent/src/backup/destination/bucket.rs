//! A bucket of any S3-compatible store as a destination.
//!
//! Owns the requests, their deadlines and budgets of retries, and what the store's errors mean. Must not know what the objects
//! are. The credentials are in none of its errors and not in its `Debug`.
//!
//! Small objects go in one request, larger ones in parts that are sent one after the other, so that an upload holds one part
//! in memory. What is begun and not finished is invisible, but a store keeps (and bills) it until it is aborted. What an agent
//! that lost power cannot abort is found and ended later (`unfinished`).

mod lock;
mod parts;
mod probe;
mod requests;
mod settings;
mod signed;
mod unfinished;
mod upload;
mod words;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use object_store::{ObjectMeta, ObjectStore as _, ObjectStoreExt as _, PutMode, path::Path};

pub use self::{
    lock::ObjectLock,
    parts::SMALLEST_PART,
    probe::{Capabilities, Deletes, ProbeError, ProbeStep, Switch},
    settings::{BucketSettings, ConditionalPut, Patience, SettingsError},
};
use self::{requests::Requests, upload::BucketUpload};
use super::{Destination, DestinationError, Listed, Pieces, Put, Upload};
use crate::backup::{ByteCount, ObjectName};

/// A bucket.
#[derive(Clone)]
pub struct Bucket {
    requests: Arc<Requests>,
}

impl Bucket {
    /// Makes ready to use a bucket; nothing is asked of it yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: BucketSettings) -> Result<Self, SettingsError> {
        Ok(Self { requests: Arc::new(Requests::new(settings)?) })
    }

    /// Asks the bucket whether it can be used, and what it can do. Writes and deletes one small object below the prefix, of
    /// which nothing is left where the access key may delete.
    ///
    /// # Errors
    /// Which step failed, and why.
    pub async fn probe(&self) -> Result<Capabilities, ProbeError> {
        probe::probe(&self.requests).await
    }

    fn told(&self, name: &ObjectName) -> impl Fn(object_store::Error) -> DestinationError + use<> {
        let (requests, name) = (Arc::clone(&self.requests), name.clone());
        move |error| requests.told(Some(&name), &error)
    }

    async fn absent(&self, name: &ObjectName, path: &Path) -> Result<bool, DestinationError> {
        match self.requests.reads.head(path).await {
            Ok(_) => Ok(false),
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(self.told(name)(error)),
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.title()).finish()
    }
}

impl Destination for Bucket {
    fn title(&self) -> &str {
        &self.requests.title
    }

    fn begin<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Box<dyn Upload>, DestinationError>> {
        async move {
            let upload: Box<dyn Upload> = Box::new(BucketUpload::new(Arc::clone(&self.requests), name)?);
            Ok(upload)
        }
        .boxed()
    }

    fn read<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Pieces, DestinationError>> {
        async move {
            let path = self.requests.path(name)?;
            let got = self.requests.reads.get(&path).await.map_err(self.told(name))?;
            Ok(got.into_stream().map_err(self.told(name)).boxed())
        }
        .boxed()
    }

    fn read_small<'a>(
        &'a self,
        name: &'a ObjectName,
        most: ByteCount,
    ) -> BoxFuture<'a, Result<Vec<u8>, DestinationError>> {
        async move {
            let mut pieces = self.read(name).await?;
            let mut content = Vec::new();
            while let Some(piece) = pieces.try_next().await? {
                content.extend_from_slice(&piece);
                if ByteCount::of(&content) > most {
                    let at = self.title().to_owned();
                    return Err(DestinationError::TooLarge { at, name: name.clone(), most });
                }
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
        async move {
            let path = self.requests.path(name)?;
            let mode = match self.requests.conditional_put {
                ConditionalPut::Supported => PutMode::Create,
                ConditionalPut::Unsupported if self.absent(name, &path).await? => PutMode::Overwrite,
                ConditionalPut::Unsupported => return Ok(Put::Existed),
            };
            match self.requests.writes.put_opts(&path, content.into(), mode.into()).await {
                Ok(_) => self.requests.lock(name, &path).await.map(|()| Put::Done),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(Put::Existed),
                Err(error) => Err(self.told(name)(error)),
            }
        }
        .boxed()
    }

    fn list(&self, folder: &ObjectName) -> BoxStream<'static, Result<Listed, DestinationError>> {
        let path = match self.requests.path(folder) {
            Ok(path) => path,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let requests = Arc::clone(&self.requests);
        let found = self.requests.reads.list(Some(&path));
        let ours = move |found: object_store::Result<ObjectMeta>| {
            let found = match found {
                Ok(found) => requests.listed(&found).map(Ok),
                // No object is meant: a store that finds nothing has no such bucket.
                Err(error) => Some(Err(requests.told(None, &error))),
            };
            futures::future::ready(found)
        };
        found.filter_map(ours).boxed()
    }

    fn delete<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<(), DestinationError>> {
        async move {
            let path = self.requests.path(name)?;
            match self.requests.reads.delete(&path).await.map_err(self.told(name)) {
                Ok(()) | Err(DestinationError::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn lock<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<(), DestinationError>> {
        async move { self.requests.lock(name, &self.requests.path(name)?).await }.boxed()
    }

    fn locked_until<'a>(
        &'a self,
        name: &'a ObjectName,
    ) -> BoxFuture<'a, Result<Option<Timestamp>, DestinationError>> {
        async move { self.requests.locked_until(name, &self.requests.path(name)?).await }.boxed()
    }

    fn end_unfinished<'a>(
        &'a self,
        folder: &'a ObjectName,
        before: Timestamp,
    ) -> BoxFuture<'a, Result<usize, DestinationError>> {
        self.requests.end_unfinished(folder, before).boxed()
    }

    fn free(&self) -> BoxFuture<'_, Result<Option<ByteCount>, DestinationError>> {
        futures::future::ready(Ok(None)).boxed()
    }
}

impl Requests {
    /// An object of a listing; none where its name cannot be ours.
    fn listed(&self, found: &ObjectMeta) -> Option<Listed> {
        let name = found.location.as_ref();
        let name = match &self.prefix {
            Some(prefix) => name.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
            None => name,
        };
        let modified = Timestamp::from_second(found.last_modified.timestamp()).ok()?;
        Some(Listed { name: name.parse().ok()?, bytes: ByteCount::new(found.size), modified })
    }
}
