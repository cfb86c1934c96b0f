//! Where backups are stored, behind one narrow trait: a directory of the host, a bucket.
//!
//! Owns what a destination has to promise: an object is there whole or not at all, and what it says about an object is so.
//! Must not know what the objects are (`layout`).

mod bucket;
mod error;
mod local;

use std::fmt::Debug;

use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::{BoxFuture, ready},
    stream::BoxStream,
};
use jiff::Timestamp;

pub use self::{
    bucket::{
        Bucket, BucketSettings, Capabilities, ConditionalPut, Deletes, ObjectLock, Patience, ProbeError,
        ProbeStep, SMALLEST_PART, SettingsError, Switch,
    },
    error::DestinationError,
    local::LocalDirectory,
};
use super::{ByteCount, ObjectName};

/// An object as a listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: ObjectName,
    /// Its size.
    pub bytes: ByteCount,
    /// When it was last written, by the destination's clock.
    pub modified: Timestamp,
}

/// The data of an object, in pieces.
pub type Pieces = BoxStream<'static, Result<Bytes, DestinationError>>;

/// What became of an object that was to be put only if absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there now.
    Done,
    /// One of that name was there before, and still is as it was.
    Existed,
}

/// Where backups are stored. Every call has a deadline.
pub trait Destination: Debug + Send + Sync {
    /// How people know it: `bucket backups at https://...`. Holds no secret.
    fn title(&self) -> &str;

    /// Begins to write an object. It is seen by nobody before [`Upload::finish`].
    fn begin<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Box<dyn Upload>, DestinationError>>;

    /// Reads an object as a stream.
    fn read<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Pieces, DestinationError>>;

    /// Reads an object whole; one larger than `most` is refused.
    fn read_small<'a>(
        &'a self,
        name: &'a ObjectName,
        most: ByteCount,
    ) -> BoxFuture<'a, Result<Vec<u8>, DestinationError>>;

    /// Writes a small object at once, wholly or not at all, where none of that name is.
    fn put_if_absent<'a>(
        &'a self,
        name: &'a ObjectName,
        content: Bytes,
    ) -> BoxFuture<'a, Result<Put, DestinationError>>;

    /// The objects below a folder, page by page, in no order. Names that cannot be ours are left out.
    fn list(&self, folder: &ObjectName) -> BoxStream<'static, Result<Listed, DestinationError>>;

    /// Deletes an object; that it is not there is no error.
    fn delete<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<(), DestinationError>>;

    /// Locks an object against deletion where this destination does that to all that is written there: for an object of which
    /// it is not known whether it was. A repeated call is harmless.
    fn lock<'a>(&'a self, _name: &'a ObjectName) -> BoxFuture<'a, Result<(), DestinationError>> {
        ready(Ok(())).boxed()
    }

    /// Until when an object cannot be deleted; none where it is not locked.
    fn locked_until<'a>(
        &'a self,
        _name: &'a ObjectName,
    ) -> BoxFuture<'a, Result<Option<Timestamp>, DestinationError>> {
        ready(Ok(None)).boxed()
    }

    /// Ends what was begun below a folder before a time, never finished, and is in no listing; how many there were.
    fn end_unfinished<'a>(
        &'a self,
        _folder: &'a ObjectName,
        _before: Timestamp,
    ) -> BoxFuture<'a, Result<usize, DestinationError>> {
        ready(Ok(0)).boxed()
    }

    /// How much more fits; none where the destination has no bound that it tells.
    fn free(&self) -> BoxFuture<'_, Result<Option<ByteCount>, DestinationError>>;
}

/// An object that is being written.
pub trait Upload: Send {
    /// Takes the next piece. After an error only [`Upload::abort`] may follow.
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), DestinationError>>;

    /// Makes the object visible and durable, as a whole. What it had begun goes where that fails.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>>;

    /// Removes what was written.
    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>>;
}
