//! What a dumping program writes, with its end: a program that failed is an error, never an early end of the stream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, ReadBuf};

use super::{ENDING, ProgramError, checked};
use crate::docker::{Pipe, PipeOutput};

/// A dump as it is written. Reading it ends only when its program has ended well.
pub struct Dump {
    output: PipeOutput,
    end: BoxFuture<'static, Result<(), ProgramError>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Writing,
    Ending,
    Ended,
}

impl Dump {
    pub(crate) fn of(program: &'static str, mut pipe: Pipe) -> Self {
        let output = pipe.take_output();
        let end = async move {
            let end = pipe.end(ENDING).await.map_err(ProgramError::Docker)?;
            checked(program, &end)
        };
        Self { output, end: Box::pin(end), state: State::Writing }
    }
}

impl AsyncRead for Dump {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.state == State::Writing {
            let before = buffer.filled().len();
            match Pin::new(&mut self.output).poll_read(context, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() == before && buffer.remaining() > 0 => {
                    self.state = State::Ending;
                }
                other => return other,
            }
        }
        if self.state == State::Ended {
            return Poll::Ready(Ok(()));
        }
        let Poll::Ready(ended) = self.end.as_mut().poll(context) else { return Poll::Pending };
        self.state = State::Ended;
        Poll::Ready(ended.map_err(io::Error::other))
    }
}
