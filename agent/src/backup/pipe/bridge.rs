//! Between async channels of chunks and the blocking readers and writers that zstd and age are.
//!
//! Owns the counting and hashing of what passes. Blocking.

use std::{
    cell::RefCell,
    io::{self, BufRead, Read, Write},
    rc::Rc,
};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::CHUNK;
use crate::backup::{ByteCount, Measure, digest::Meter};

/// Where the thread writes what is to be stored. Clones share one stream: age keeps its writer to itself.
#[derive(Clone)]
pub(super) struct Outlet(Rc<RefCell<Out>>);

struct Out {
    sender: mpsc::Sender<Bytes>,
    chunk: Vec<u8>,
    meter: Meter,
}

impl Outlet {
    pub(super) fn new(sender: mpsc::Sender<Bytes>) -> Self {
        Self(Rc::new(RefCell::new(Out { sender, chunk: Vec::new(), meter: Meter::default() })))
    }

    /// What went through until now.
    pub(super) fn measure(&self) -> Measure {
        self.0.borrow().meter.measure()
    }

    /// Sends what has not made a whole chunk.
    pub(super) fn end(&self) -> io::Result<()> {
        self.0.borrow_mut().send()
    }
}

impl Out {
    fn send(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.chunk));
        // Nobody takes it any more: they know why.
        self.sender.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = self.0.borrow_mut();
        let room = CHUNK.saturating_sub(out.chunk.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        if out.chunk.capacity() == 0 {
            out.chunk.reserve_exact(CHUNK);
        }
        out.chunk.extend_from_slice(taken);
        out.meter.update(taken);
        if out.chunk.len() >= CHUNK {
            out.send()?;
        }
        Ok(taken.len())
    }

    /// A chunk is sent when it is full; only the end sends less.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the thread reads what was stored. Clones share one stream.
pub(super) struct Inlet<E> {
    state: Rc<RefCell<In<E>>>,
    chunk: Bytes,
}

struct In<E> {
    receiver: mpsc::Receiver<Result<Bytes, E>>,
    meter: Meter,
    most: ByteCount,
    end: Option<End<E>>,
}

/// How a stream ended.
#[derive(Debug)]
pub(super) enum End<E> {
    /// Where it ends by itself.
    Clean,
    /// There is more than there may be.
    TooLong,
    /// By an error.
    Failed(E),
}

/// Looks after an [`Inlet`] that a decoder has.
pub(super) struct Watch<E>(Rc<RefCell<In<E>>>);

impl<E> Inlet<E> {
    pub(super) fn new(receiver: mpsc::Receiver<Result<Bytes, E>>, most: ByteCount) -> (Self, Watch<E>) {
        let state = In { receiver, meter: Meter::default(), most, end: None };
        let state = Rc::new(RefCell::new(state));
        (Self { state: Rc::clone(&state), chunk: Bytes::new() }, Watch(state))
    }
}

impl<E> Watch<E> {
    /// What came until now.
    pub(super) fn measure(&self) -> Measure {
        self.0.borrow().meter.measure()
    }

    /// How it ended; none where it did not yet.
    pub(super) fn take_end(&self) -> Option<End<E>> {
        self.0.borrow_mut().end.take()
    }

    /// Lets the rest of the stream come and go.
    pub(super) fn drain(&self) {
        while self.0.borrow_mut().next().is_some() {}
    }
}

impl<E> In<E> {
    /// The next chunk; none at the end, whatever it is.
    fn next(&mut self) -> Option<Bytes> {
        if self.end.is_some() {
            return None;
        }
        match self.receiver.blocking_recv() {
            Some(Ok(chunk)) => {
                self.meter.update(&chunk);
                if self.meter.bytes() > self.most {
                    self.end = Some(End::TooLong);
                    return None;
                }
                Some(chunk)
            }
            Some(Err(error)) => {
                self.end = Some(End::Failed(error));
                None
            }
            None => {
                self.end = Some(End::Clean);
                None
            }
        }
    }
}

impl<E> BufRead for Inlet<E> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            let mut state = self.state.borrow_mut();
            match state.next() {
                Some(chunk) => self.chunk = chunk,
                // age and zstd take an end for what it is: they notice where it comes too early.
                None if matches!(state.end, Some(End::Clean)) => break,
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount.min(self.chunk.len()));
    }
}

impl<E> Read for Inlet<E> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
