//! How far a stream is, told from time to time.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::{AsyncRead, ReadBuf};

use super::progress::{Progress, size};
use crate::backup::ByteCount;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(10);

/// Counts what is read through it.
pub(super) struct Counted<R> {
    source: R,
    count: Count,
}

/// The count, for somebody else.
#[derive(Clone, Debug, Default)]
pub(super) struct Count(Arc<AtomicU64>);

impl<R> Counted<R> {
    pub(super) fn new(source: R) -> (Self, Count) {
        let count = Count::default();
        (Self { source, count: count.clone() }, count)
    }
}

impl Count {
    /// Does the work, and tells every ten seconds how much of `what` went past.
    pub(super) async fn told<T>(
        &self,
        (progress, what): (&Progress, &str),
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(EVERY, &mut work).await {
                return done;
            }
            let read = ByteCount::new(self.0.load(Ordering::Relaxed));
            progress.say(format!("{what}: {} until now", size(read)));
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.source).poll_read(context, buffer);
        let more = buffer.filled().len().saturating_sub(before);
        self.count.0.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
        read
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, sync::mpsc};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_stream_tells_how_far_it_is() {
        let (sender, mut reader) = mpsc::channel(10);
        let progress = Progress::to(sender);
        let (mut source, count) = Counted::new(&b"0123456789"[..]);
        let work = async {
            source.read_exact(&mut [0; 4]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(15)).await;
            source.read_to_end(&mut Vec::new()).await.unwrap()
        };
        assert_eq!(count.told((&progress, "database shop"), work).await, 6);
        drop(progress);
        assert_eq!(reader.recv().await.as_deref(), Some("database shop: 4 bytes until now"));
        assert_eq!(reader.recv().await, None);
    }
}
