//! A run whose caller reads its lines, and then how it ended.
//!
//! Owns the stream, and that the run goes on when its caller is gone. Must not know what is run.

use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{deed, errors, stream::Answers};
use crate::{
    audit::Begun,
    backup_runs::{BackupError, Progress},
};

/// Lines that wait for a slow caller; those after them are not told.
pub(super) const LINES: usize = 64;

/// How a run is told: its lines, and what it came to.
pub(super) struct Told<T, E> {
    /// A line of it.
    pub(super) line: fn(String) -> E,
    /// Its end.
    pub(super) end: fn(T) -> E,
}

/// Does this in a task of its own; its lines, then its end.
pub(super) fn follow<T, E, W>(
    begun: Begun,
    Told { line, end }: Told<T, E>,
    work: impl FnOnce(Progress) -> W,
) -> Answers<E>
where
    T: Send + 'static,
    E: Send + 'static,
    W: Future<Output = Result<T, BackupError>> + Send + 'static,
{
    let (sender, lines) = mpsc::channel(LINES);
    let work = work(Progress::to(sender));
    let run = deed::begin(begun, async move { work.await.map_err(|error| errors::backup(&error)) });
    let lines = ReceiverStream::new(lines).map(move |text| Ok(line(text)));
    let end = stream::once(async move { run.await.map_err(|_| errors::broken())?.map(end) });
    lines.chain(end).boxed()
}
