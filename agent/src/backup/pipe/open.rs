//! The way back: a stored part as a stream of its data.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::mpsc,
    task::spawn_blocking,
    time::timeout,
};

use super::{
    CHUNK, Limits, OpenError, QUEUE,
    unpress::{Out, unpress},
};
use crate::backup::{Part, PartName, destination::Pieces, seal::OpenKey};

/// The data of a part. It ends only where the part was whole; else reading it fails, with an [`OpenError`] in the error
/// ([`OpenError::of`]), and what came before is not to be used as complete. It never yields more than the manifest says.
#[derive(Debug)]
pub struct Opened {
    part: PartName,
    data: mpsc::Receiver<Result<Out, OpenError>>,
    chunk: Bytes,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Failed,
}

/// Opens a part as it is stored. Dropped before its end, it stops reading.
pub fn open(part: Part, key: OpenKey, stored: Pieces, limits: Limits) -> Opened {
    let (pieces, to_unpress) = mpsc::channel(QUEUE);
    let (out, data) = mpsc::channel(QUEUE);
    let name = part.name.clone();
    tokio::spawn(feed(name.clone(), stored, pieces, limits.silence));
    // Not waited for: it ends when nobody sends or nobody listens.
    drop(spawn_blocking(move || unpress(&part, &key, to_unpress, &out)));
    Opened { part: name, data, chunk: Bytes::new(), state: State::Open }
}

/// Sends on what is stored, in pieces of bounded size.
async fn feed(
    part: PartName,
    mut stored: Pieces,
    pieces: mpsc::Sender<Result<Bytes, OpenError>>,
    silence: Duration,
) {
    loop {
        let mut piece = match timeout(silence, stored.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(None) => return,
            Ok(Some(Err(source))) => {
                let error = OpenError::Read { part, source };
                return drop(pieces.send(Err(error)).await);
            }
            Err(_) => {
                let error = OpenError::Silent { part, after: silence };
                return drop(pieces.send(Err(error)).await);
            }
        };
        while !piece.is_empty() {
            let next = piece.split_to(piece.len().min(CHUNK));
            if pieces.send(Ok(next)).await.is_err() {
                return;
            }
        }
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let part = || this.part.clone();
        while this.chunk.is_empty() {
            match this.state {
                State::Open => {}
                State::Ended => return Poll::Ready(Ok(())),
                State::Failed => {
                    return Poll::Ready(Err(io::Error::other(OpenError::Failed { part: part() })));
                }
            }
            let error = match ready!(this.data.poll_recv(context)) {
                Some(Ok(Out::Data(chunk))) => {
                    this.chunk = chunk;
                    continue;
                }
                Some(Ok(Out::End)) => {
                    this.state = State::Ended;
                    continue;
                }
                Some(Err(error)) => error,
                // It ended without a word: that is no end of the data.
                None => OpenError::Broken { part: part() },
            };
            this.state = State::Failed;
            return Poll::Ready(Err(io::Error::other(error)));
        }
        let amount = this.chunk.len().min(buffer.remaining());
        let taken = this.chunk.split_to(amount);
        buffer.put_slice(taken.chunk());
        Poll::Ready(Ok(()))
    }
}
