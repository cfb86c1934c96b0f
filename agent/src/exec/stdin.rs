//! Standard input on its way to the command, with a bound on what may lie around when the command does not read.
//!
//! Owns the order of the bytes and their end. Must not know where they come from.

use std::{collections::VecDeque, io};

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::Stdin;

/// Above this nothing more is taken from the caller until the command has read some.
const HIGHEST: usize = 256 * 1024;

/// Bytes that the command has not yet read, and the writer that takes them.
pub(super) struct StdinQueue<W> {
    writer: Option<W>,
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    written_of_first: usize,
    closing: bool,
}

impl<W: AsyncWrite + Unpin> StdinQueue<W> {
    /// A queue in front of `writer`; closed at once when the command is not to read.
    pub(super) fn new(writer: Option<W>, stdin: Stdin) -> Self {
        Self {
            writer,
            waiting: VecDeque::new(),
            bytes: 0,
            written_of_first: 0,
            closing: stdin == Stdin::Closed,
        }
    }

    /// Whether the caller may send more.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < HIGHEST
    }

    /// Takes bytes; forgets them when the command has closed its end already, as a pipe would.
    pub(super) fn push(&mut self, chunk: Vec<u8>) {
        if self.writer.is_some() && !self.closing && !chunk.is_empty() {
            self.bytes = self.bytes.saturating_add(chunk.len());
            self.waiting.push_back(chunk);
        }
    }

    /// After what is waiting, the command reads the end of its input.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether [`Self::advance`] has something to do.
    pub(super) fn is_busy(&self) -> bool {
        self.writer.is_some() && (self.closing || !self.waiting.is_empty())
    }

    /// Writes some of what waits, or closes. Cancel-safe; to be called only when busy.
    pub(super) async fn advance(&mut self) {
        let Some(writer) = self.writer.as_mut() else {
            return;
        };
        let Some(first) = self.waiting.front() else {
            // Nothing can be done about an end that the command did not wait for.
            writer.shutdown().await.ok();
            self.writer = None;
            return;
        };
        let rest = first.get(self.written_of_first..).unwrap_or_default();
        let written = match writer.write(rest).await {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            outcome => outcome,
        };
        match written {
            Ok(length) if length == rest.len() => {
                self.bytes = self.bytes.saturating_sub(first.len());
                self.waiting.pop_front();
                self.written_of_first = 0;
            }
            Ok(length) => self.written_of_first = self.written_of_first.saturating_add(length),
            Err(_) => self.give_up(),
        }
    }

    fn give_up(&mut self) {
        self.writer = None;
        self.waiting.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn keeps_order_bound_and_end() {
        let (near, mut far) = tokio::io::duplex(3);
        let mut queue = StdinQueue::new(Some(near), Stdin::Open);
        queue.push(b"hello ".to_vec());
        queue.push(b"world".to_vec());
        queue.push(vec![b'.'; HIGHEST]);
        assert!(!queue.has_room());
        queue.close();
        queue.push(b"too late".to_vec());
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        });
        while queue.is_busy() {
            queue.advance().await;
        }
        assert!(queue.has_room());
        let all = reader.await.unwrap();
        assert!(all.starts_with(b"hello world.") && all.ends_with(b"."));
        assert_eq!(all.len(), 11 + HIGHEST);
    }

    #[tokio::test]
    async fn a_command_that_closed_its_input_is_no_error() {
        let (near, far) = tokio::io::duplex(3);
        drop(far);
        let mut queue = StdinQueue::new(Some(near), Stdin::Open);
        queue.push(b"unread".to_vec());
        queue.advance().await;
        assert!(!queue.is_busy() && queue.has_room());
    }

    #[tokio::test]
    async fn without_stdin_the_command_reads_its_end_at_once() {
        let (near, mut far) = tokio::io::duplex(3);
        let mut queue = StdinQueue::new(Some(near), Stdin::Closed);
        assert!(queue.is_busy());
        queue.advance().await;
        assert_eq!(far.read(&mut [0; 4]).await.unwrap(), 0);
    }
}
