//! Bytes that arrive piece by piece, for a reader that asks for them one by one.
//!
//! Owns what arrived and was not read yet: never more than one piece, for the reader reads all of it before the next arrives.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use bytes::{Buf as _, Bytes};

/// The place between who brings bytes and who reads them. Both have one.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor(Arc<Mutex<Bytes>>);

impl Cursor {
    /// Brings a piece; what was there before has been read.
    pub(super) fn bring(&self, piece: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = piece;
    }

    /// The next byte, once it has arrived.
    pub(super) async fn byte(&self) -> u8 {
        poll_fn(|_| {
            let mut here = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if here.has_remaining() { Poll::Ready(here.get_u8()) } else { Poll::Pending }
        })
        .await
    }

    /// So many bytes as a number, the highest first.
    pub(super) async fn number(&self, bytes: u32) -> u64 {
        let mut number = 0;
        for _ in 0..bytes {
            number = (number << 8) | u64::from(self.byte().await);
        }
        number
    }

    /// Reads over so many bytes.
    pub(super) async fn skip(&self, bytes: u64) {
        let mut left = bytes;
        poll_fn(|_| {
            let mut here = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = here.remaining().min(usize::try_from(left).unwrap_or(usize::MAX));
            here.advance(now);
            left = left.saturating_sub(u64::try_from(now).unwrap_or(u64::MAX));
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
