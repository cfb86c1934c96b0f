//! An object of a local destination that is being written.

use std::{io::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};

use super::{
    super::{DestinationError, Upload},
    root::{Begun, Root},
    within,
};

pub(super) struct LocalUpload {
    root: Arc<Root>,
    /// None while a thread has it; after a deadline it stays there.
    begun: Option<Begun>,
    deadline: Duration,
}

impl LocalUpload {
    pub(super) fn new(root: Arc<Root>, begun: Begun, deadline: Duration) -> Self {
        Self { root, begun: Some(begun), deadline }
    }

    fn lost(&self) -> DestinationError {
        DestinationError::Broken { at: self.root.title().to_owned() }
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), DestinationError> {
        let mut begun = self.begun.take().ok_or_else(|| self.lost())?;
        let wrote = within(self.deadline, &self.root, move || {
            let wrote = begun.file.write_all(&piece);
            Ok((begun, wrote))
        });
        let (begun, wrote) = wrote.await?;
        let failed =
            |source| DestinationError::of_io(self.root.title(), begun.name(), "write a file", source);
        let wrote = wrote.map_err(failed);
        self.begun = Some(begun);
        wrote
    }

    async fn finish(mut self) -> Result<(), DestinationError> {
        let begun = self.begun.take().ok_or_else(|| self.lost())?;
        let root = Arc::clone(&self.root);
        within(self.deadline, &self.root, move || {
            root.finish(&begun).inspect_err(|_| {
                // Why it is not there says more than why the rest could not be removed.
                drop(root.abort(begun));
            })
        })
        .await
    }

    async fn abort(mut self) -> Result<(), DestinationError> {
        let begun = self.begun.take().ok_or_else(|| self.lost())?;
        let root = Arc::clone(&self.root);
        within(self.deadline, &self.root, move || root.abort(begun)).await
    }
}

impl Upload for LocalUpload {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), DestinationError>> {
        self.write(piece).boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        Self::finish(*self).boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        Self::abort(*self).boxed()
    }
}
