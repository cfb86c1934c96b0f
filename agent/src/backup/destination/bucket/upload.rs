//! An object that is being written to a bucket: one request where it is small, else parts, one after the other.

use std::{mem, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use object_store::{
    MultipartId, ObjectStoreExt as _, PutPayload,
    multipart::{MultipartStore as _, PartId},
    path::Path,
};

use super::{parts, requests::Requests};
use crate::backup::{
    ByteCount, ObjectName,
    destination::{DestinationError, Upload},
};

pub(super) struct BucketUpload {
    requests: Arc<Requests>,
    name: ObjectName,
    path: Path,
    /// What the store calls the upload; none before the first part.
    id: Option<MultipartId>,
    sent: Vec<PartId>,
    waiting: Vec<Bytes>,
    waiting_bytes: u64,
}

impl BucketUpload {
    pub(super) fn new(requests: Arc<Requests>, name: &ObjectName) -> Result<Self, DestinationError> {
        let path = requests.path(name)?;
        let name = name.clone();
        Ok(Self { requests, name, path, id: None, sent: Vec::new(), waiting: Vec::new(), waiting_bytes: 0 })
    }

    fn told(&self) -> impl Fn(object_store::Error) -> DestinationError + '_ {
        |error| self.requests.told(Some(&self.name), &error)
    }

    async fn write(&mut self, mut piece: Bytes) -> Result<(), DestinationError> {
        while !piece.is_empty() {
            let size = parts::size(self.requests.part_size, self.sent.len());
            let size = size.ok_or_else(|| self.too_much())?;
            let room = ByteCount::new(size.get().saturating_sub(self.waiting_bytes)).to_usize();
            let taken = piece.split_to(room.min(piece.len()));
            self.waiting_bytes = self.waiting_bytes.saturating_add(ByteCount::of(&taken).get());
            self.waiting.push(taken);
            if self.waiting_bytes >= size.get() {
                self.send().await?;
            }
        }
        Ok(())
    }

    fn too_much(&self) -> DestinationError {
        DestinationError::TooMuch {
            at: self.requests.title.clone(),
            most: parts::most(self.requests.part_size),
        }
    }

    fn payload(&mut self) -> PutPayload {
        self.waiting_bytes = 0;
        mem::take(&mut self.waiting).into_iter().collect()
    }

    /// Sends what waits as a part.
    async fn send(&mut self) -> Result<(), DestinationError> {
        let id = if let Some(id) = &self.id {
            id.clone()
        } else {
            let id = self.requests.writes.create_multipart(&self.path).await.map_err(self.told())?;
            self.id.insert(id).clone()
        };
        let payload = self.payload();
        let put = self.requests.writes.put_part(&self.path, &id, self.sent.len(), payload);
        let part = put.await.map_err(self.told())?;
        self.sent.push(part);
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), DestinationError> {
        if self.id.is_none() {
            let payload = self.payload();
            self.requests.writes.put(&self.path, payload).await.map_err(self.told())?;
            return Ok(());
        }
        if self.waiting_bytes > 0 {
            self.send().await?;
        }
        let (Some(id), sent) = (&self.id, mem::take(&mut self.sent)) else { return Ok(()) };
        let completed = self.requests.writes.complete_multipart(&self.path, id, sent).await;
        completed.map(drop).map_err(self.told())
    }

    async fn finish(mut self) -> Result<(), DestinationError> {
        if let Err(error) = self.complete().await {
            if let Err(error) = self.abort().await {
                tracing::warn!(%error, "an upload that failed could not be aborted: pruning ends it a day later");
            }
            return Err(error);
        }
        self.requests.lock(&self.name, &self.path).await
    }

    async fn abort(&self) -> Result<(), DestinationError> {
        let Some(id) = &self.id else { return Ok(()) };
        self.requests.writes.abort_multipart(&self.path, id).await.map_err(self.told())
    }
}

impl Upload for BucketUpload {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), DestinationError>> {
        self.write(piece).boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        Self::finish(*self).boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        async move { Self::abort(&self).await }.boxed()
    }
}
