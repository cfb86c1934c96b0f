//! Running a command for somebody far away: in a service's container, or on the droplet itself.
//!
//! Owns the session between the two ends: what comes in (stdin, resizes, signals), what goes out (output, one exit code)
//! and the end of the command when its caller is gone. Must not know gRPC, certificates or apps' releases.
//!
//! Exit codes are a shell's: 127 when there is no such command, 126 when it cannot be run, 128+n when signal n ended it.

pub mod container;
pub mod host;

mod command;
mod stdin;

pub use command::{Command, CommandError, Stdin, TerminalSize};

use tokio::sync::mpsc;

/// What the caller sends after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Bytes for the command's standard input.
    Stdin(Vec<u8>),
    /// No more of them will come.
    StdinClosed,
    /// The caller's terminal has another size now.
    Resize(TerminalSize),
    /// Send this signal to the command.
    Signal(Signal),
}

/// What the caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The command runs; its exec id, container or unit name.
    Started(String),
    /// What it wrote to its standard output, or to its terminal.
    Stdout(Vec<u8>),
    /// What it wrote to its standard error.
    Stderr(Vec<u8>),
    /// It ended. Nothing follows.
    Exit(ExitCode),
}

/// A Linux signal's number, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    /// `None` when there is no such signal.
    pub fn new(number: i32) -> Option<Self> {
        (1..=64).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> i32 {
        self.0
    }
}

/// What a command ended with, as a shell would tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode(u8);

impl ExitCode {
    /// The command exited by itself.
    pub fn exited(status: u8) -> Self {
        Self(status)
    }

    /// A signal ended it.
    pub fn signalled(signal: u8) -> Self {
        Self(signal.saturating_add(128))
    }

    /// 0 to 255.
    pub fn code(self) -> u8 {
        self.0
    }
}

/// One end of a running command: the far end holds the other ends of both channels.
///
/// `outputs` being closed means that the caller is gone, and the command is ended. `inputs` being closed only means that
/// nothing more will come in.
#[derive(Debug)]
pub struct Session {
    /// What the caller sends.
    pub inputs: mpsc::Receiver<Input>,
    /// What the caller gets.
    pub outputs: mpsc::Sender<Output>,
}

/// How much of a command's output is read at a time.
const CHUNK: usize = 16 * 1024;

/// Reads until the end and passes everything on; waits when the caller is slow, ends when it is gone.
async fn pump(
    mut from: impl tokio::io::AsyncRead + Unpin,
    to: mpsc::Sender<Output>,
    wrap: impl Fn(Vec<u8>) -> Output,
) {
    use tokio::io::AsyncReadExt;

    let mut buffer = vec![0; CHUNK];
    // An error is an end as well: a terminal gives EIO when the last program has closed it.
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Some(chunk) = buffer.get(..length) else { return };
        if to.send(wrap(chunk.to_vec())).await.is_err() {
            return;
        }
    }
}
