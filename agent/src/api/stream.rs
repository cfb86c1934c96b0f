//! Streams of answers: a channel whose other end a task fills.
//!
//! Owns their bounds. Must not know what they carry.

use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// What a streaming RPC answers.
pub(super) type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// Answers on their way; few, so that a slow caller slows the source down instead of filling memory.
const WAITING: usize = 8;

/// A channel and the stream at its end.
pub(super) fn channel<T: Send + 'static>() -> (mpsc::Sender<Result<T, Status>>, Answers<T>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (sender, Box::pin(ReceiverStream::new(receiver)))
}
