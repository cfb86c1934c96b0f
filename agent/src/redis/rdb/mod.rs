//! RDB files as they pass: whether one is whole, and how many keys it holds.
//!
//! Owns the check of a file's end and the count. Changes nothing of the file, but for the mark that `redis-cli` leaves behind it.
//!
//! # Format
//! `REDIS0012`, or `VALKEY080` and so on; then fields, databases and their keys ([`census`]); then the byte 255 and eight bytes
//! of CRC-64 over all before them, the lowest first, or zeros where the server is told not to reckon it. A server that sends the
//! file as it makes it ends it with 40 hexadecimal digits, which `redis-cli --rdb -` passes on.

mod census;
mod crc;
mod cursor;
#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

use self::census::Census;
pub use self::census::{Counted, Keyspace};

const CHECKSUM: usize = 8;
const MARK: usize = 40;
/// What is kept back until it is known whether the file ends there: the last opcode, the checksum, the mark.
const HELD: usize = 1 + CHECKSUM + MARK;
const CHUNK: usize = 64 * 1024;
/// The shortest: a name with a version, and the end.
const SHORTEST: usize = 9 + 1 + CHECKSUM;

/// Why what a server sent is no whole RDB file.
#[derive(Debug, thiserror::Error)]
pub enum RdbError {
    /// It begins otherwise.
    #[error("what the server sent is no RDB file")]
    NotOne,
    /// It has no end.
    #[error("the RDB file that the server sent ends before its end")]
    CutOff,
    /// It does not match its checksum.
    #[error("the RDB file that the server sent does not match its checksum")]
    Checksum,
}

/// An RDB file as it passes. Reading it ends only where it is whole.
pub struct Rdb<R> {
    source: R,
    passed: u64,
    crc: u64,
    census: Tally,
    held: BytesMut,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Found,
}

/// What the count of a file came to, for somebody else.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<Census>>);

impl Tally {
    /// What it came to; none where the file has not passed whole.
    pub fn counted(&self) -> Option<Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).counted().cloned()
    }
}

impl<R> Rdb<R> {
    /// The file that this brings, and its count.
    pub fn of(source: R) -> (Self, Tally) {
        let census = Tally::default();
        let held = BytesMut::with_capacity(CHUNK + HELD);
        (Self { source, passed: 0, crc: 0, census: census.clone(), held, end: End::NotYet }, census)
    }

    /// How much of what is held may go on.
    fn ready(&self) -> usize {
        match self.end {
            End::NotYet => self.held.len().saturating_sub(HELD),
            End::Found => self.held.len(),
        }
    }

    fn pass(&mut self, buffer: &mut ReadBuf<'_>) {
        let now = self.ready().min(buffer.remaining());
        let piece = self.held.split_to(now).freeze();
        self.crc = crc::extend(self.crc, &piece);
        self.passed = self.passed.saturating_add(u64::try_from(now).unwrap_or(u64::MAX));
        buffer.put_slice(&piece);
        self.census.0.lock().unwrap_or_else(PoisonError::into_inner).go_on(piece);
    }

    /// Looks at the end of the file once there is no more, and takes away the mark.
    fn find_end(&mut self) -> Result<(), RdbError> {
        if self.passed == 0 {
            is_one(&self.held)?;
            if self.held.len() < SHORTEST {
                return Err(RdbError::CutOff);
            }
        }
        let whole = self.held.len();
        let marked = whole.checked_sub(MARK).filter(|end| is_mark(self.held.get(*end..).unwrap_or_default()));
        let end = match (marked, self.ending(whole)) {
            (Some(end), _) if self.ending(end).is_ok() => end,
            (_, Ok(())) => whole,
            (_, Err(error)) => return Err(error),
        };
        self.held.truncate(end);
        self.end = End::Found;
        Ok(())
    }

    /// Whether a file that ends there is whole.
    fn ending(&self, end: usize) -> Result<(), RdbError> {
        let at = end.checked_sub(CHECKSUM).ok_or(RdbError::CutOff)?;
        let (before, rest) = self.held.split_at_checked(at).ok_or(RdbError::CutOff)?;
        if before.last() != Some(&255) {
            return Err(RdbError::CutOff);
        }
        let mut told = rest;
        let told = told.try_get_u64_le().map_err(|_| RdbError::CutOff)?;
        if told == 0 || told == crc::extend(self.crc, before) { Ok(()) } else { Err(RdbError::Checksum) }
    }
}

fn is_one(beginning: &[u8]) -> Result<(), RdbError> {
    let is_one = beginning.starts_with(b"REDIS") || beginning.starts_with(b"VALKEY");
    if is_one { Ok(()) } else { Err(RdbError::NotOne) }
}

fn is_mark(bytes: &[u8]) -> bool {
    bytes.len() == MARK && bytes.iter().all(u8::is_ascii_hexdigit)
}

impl<R: AsyncRead + Unpin> AsyncRead for Rdb<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.ready() == 0 && this.end == End::NotYet {
            this.held.reserve(CHUNK);
            if ready!(poll_read_buf(Pin::new(&mut this.source), context, &mut this.held))? == 0 {
                this.find_end().map_err(io::Error::other)?;
            } else if this.passed == 0 && this.held.len() >= SHORTEST {
                is_one(&this.held).map_err(io::Error::other)?;
            }
        }
        this.pass(buffer);
        Poll::Ready(Ok(()))
    }
}
