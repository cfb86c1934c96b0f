//! What containers print, as lines: the last ones, or all of a one-off's. Bounded.

use std::collections::VecDeque;

use bollard::{container::LogOutput, query_parameters::LogsOptionsBuilder};
use futures::StreamExt as _;

use super::{Docker, DockerError, client::CALL};

/// A line longer than this is cut.
const MAX_LINE: usize = 4096;

/// A line that a container printed.
pub type OutputLine = String;

/// Puts chunks together to lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Vec<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, chunk: &[u8], mut line: impl FnMut(OutputLine)) {
        for byte in chunk {
            match byte {
                b'\n' => self.flush(&mut line),
                b'\r' => {}
                _ if self.open.len() < MAX_LINE => self.open.push(*byte),
                _ => {}
            }
        }
    }

    fn flush(&mut self, line: &mut impl FnMut(OutputLine)) {
        line(String::from_utf8_lossy(&std::mem::take(&mut self.open)).into_owned());
    }

    pub(super) fn finish(mut self, mut line: impl FnMut(OutputLine)) {
        if !self.open.is_empty() {
            self.flush(&mut line);
        }
    }
}

/// How many of its last lines are kept of a command in a container.
pub(super) const LAST_LINES: usize = 20;

/// The last lines of what something printed, up to a number.
#[derive(Debug)]
pub struct LastLines {
    most: usize,
    lines: VecDeque<OutputLine>,
}

impl LastLines {
    /// None yet, and never more than so many.
    pub fn at_most(most: usize) -> Self {
        Self { most, lines: VecDeque::new() }
    }

    /// One more; the oldest goes when there are too many.
    pub fn keep(&mut self, line: OutputLine) {
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<OutputLine> {
        self.lines.iter().cloned().collect()
    }
}

impl Docker {
    /// The last lines that a container printed, both streams in order.
    ///
    /// # Errors
    /// When there is no such container, or its logs cannot be read.
    pub async fn last_lines(&self, container: &str, count: u32) -> Result<Vec<OutputLine>, DockerError> {
        let mut lines = Vec::new();
        let options =
            LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&count.to_string()).build();
        let doing = format!("read the log of {container}");
        let read = self.read_lines(container, (&doing, options), |line| lines.push(line));
        match tokio::time::timeout(CALL, read).await {
            Ok(result) => result.map(|()| lines),
            Err(_) => Err(DockerError::Deadline { doing, deadline: CALL }),
        }
    }

    /// Everything a container printed, from its first line on, until it ends. The caller sets the deadline.
    ///
    /// # Errors
    /// When there is no such container, or its logs cannot be read.
    pub async fn follow(
        &self,
        container: &str,
        line: impl FnMut(OutputLine) + Send,
    ) -> Result<(), DockerError> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).follow(true).build();
        let doing = format!("read the log of {container}");
        self.read_lines(container, (&doing, options), line).await
    }

    async fn read_lines(
        &self,
        container: &str,
        (doing, options): (&str, bollard::query_parameters::LogsOptions),
        mut line: impl FnMut(OutputLine) + Send,
    ) -> Result<(), DockerError> {
        let api = self.api().await?;
        let mut stream = api.logs(container, Some(options));
        let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
        while let Some(chunk) = stream.next().await {
            match chunk.map_err(|error| DockerError::new(doing, error))? {
                LogOutput::StdErr { message } => stderr.push(&message, &mut line),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    stdout.push(&message, &mut line);
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        stdout.finish(&mut line);
        stderr.finish(&mut line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_become_lines() {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        lines.push(b"one\r\ntw", |line| seen.push(line));
        lines.push(b"o\nthree", |line| seen.push(line));
        lines.push(&[b'x'; 5000], |line| seen.push(line));
        lines.finish(|line| seen.push(line));
        assert_eq!(seen[..2], ["one", "two"]);
        assert_eq!(seen[2].len(), MAX_LINE);
    }
}
