//! Backups: what one is, how it is sealed and stored, found again, opened, and when it goes.
//!
//! Owns the form of backups at their destinations, from the pipe that seals a stream of data to the rule that says which
//! backups go. Must not know databases, Docker, the agent's own database or who asks: data comes as a stream and leaves as
//! one.
//!
//! The way of a backup: a [`pipe::seal`] per part, to all destinations at once; then the [`Manifest`], last, at each
//! destination that has all parts. The way back: [`catalog::look`] finds it, [`pipe::open`] yields a part's data.

pub mod catalog;
pub mod destination;
mod digest;
mod id;
pub mod layout;
pub mod manifest;
#[cfg(test)]
mod memory;
mod names;
pub mod pipe;
pub mod rotation;
#[cfg(test)]
pub(crate) mod sample;
pub mod seal;

pub use self::{
    digest::{ByteCount, DigestError, Measure, Sha256Digest},
    id::{BackupId, BackupIdError},
    manifest::{Manifest, Part},
    names::{EnrolmentId, NameError, ObjectName, PartName},
};
