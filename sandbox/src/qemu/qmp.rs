//! QEMU's monitor (QMP): one JSON object a line over the machine's socket. Only what the driver needs of it. One client at
//! a time: the driver holds the machine's lock while it talks.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// How long the monitor may take to answer: its main loop can be busy with an emulated processor.
const ANSWER: Duration = Duration::from_secs(20);
/// Nothing it says to us is longer.
const MAX_LINE: u64 = 256 * 1024;

/// Why the monitor did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The socket.
    #[error("the machine's monitor cannot be reached")]
    Io(#[from] std::io::Error),
    /// It closed the connection: the machine is off.
    #[error("the machine's monitor went away")]
    Closed,
    /// It did not answer.
    #[error("the machine's monitor did not answer within {} s", ANSWER.as_secs())]
    Silent,
    /// It said something that is not its protocol.
    #[error("the machine's monitor said something unknown: {0}")]
    Malformed(String),
    /// It refused.
    #[error("the machine's monitor refused `{command}`: {reason}")]
    Refused {
        /// The command.
        command: &'static str,
        /// Its words.
        reason: String,
    },
}

/// A connection to a monitor.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    // A line that was begun: reading it may be given up in the middle and gone on with later.
    line: Vec<u8>,
    events: Vec<String>,
}

impl Qmp {
    /// Connects and greets.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn connect(socket: &Path) -> Result<Self, QmpError> {
        timeout(ANSWER, async {
            let (reader, writer) = UnixStream::connect(socket).await?.into_split();
            let mut qmp =
                Self { reader: BufReader::new(reader), writer, line: Vec::new(), events: Vec::new() };
            let greeting = qmp.read().await?;
            if greeting.get("QMP").is_none() {
                return Err(QmpError::Malformed(greeting.to_string()));
            }
            qmp.ask("qmp_capabilities", json!({})).await?;
            Ok(qmp)
        })
        .await
        .unwrap_or(Err(QmpError::Silent))
    }

    /// Runs a command.
    ///
    /// # Errors
    /// When it is refused or nobody answers.
    pub async fn run(&mut self, command: &'static str, arguments: Value) -> Result<Value, QmpError> {
        timeout(ANSWER, self.ask(command, arguments)).await.unwrap_or(Err(QmpError::Silent))
    }

    async fn ask(&mut self, command: &'static str, arguments: Value) -> Result<Value, QmpError> {
        let mut line = json!({"execute": command, "arguments": arguments}).to_string();
        line.push('\n');
        self.writer.write_all(line.as_bytes()).await?;
        loop {
            let mut message = self.read().await?;
            if let Some(answer) = message.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = message.get("error") {
                let reason =
                    error.get("desc").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
                return Err(QmpError::Refused { command, reason });
            }
            self.note(&message);
        }
    }

    /// Waits until one of these events happens; `None` when none did within `patience`.
    ///
    /// # Errors
    /// When the connection ends: the machine is off then.
    pub async fn event(&mut self, names: &[&str], patience: Duration) -> Result<Option<String>, QmpError> {
        let wait = async {
            loop {
                if let Some(at) = self.events.iter().position(|event| names.contains(&event.as_str())) {
                    return Ok(self.events.remove(at));
                }
                let message = self.read().await?;
                self.note(&message);
            }
        };
        timeout(patience, wait).await.map_or(Ok(None), |event| event.map(Some))
    }

    fn note(&mut self, message: &Value) {
        /// More than happen in any exchange of ours.
        const KEPT: usize = 64;
        if let Some(event) = message.get("event").and_then(Value::as_str) {
            if self.events.len() >= KEPT {
                self.events.remove(0);
            }
            self.events.push(event.to_owned());
        }
    }

    async fn read(&mut self) -> Result<Value, QmpError> {
        let mut limited = (&mut self.reader).take(MAX_LINE);
        limited.read_until(b'\n', &mut self.line).await?;
        if !self.line.ends_with(b"\n") {
            return Err(QmpError::Closed);
        }
        let line = std::mem::take(&mut self.line);
        serde_json::from_slice(&line)
            .map_err(|_| QmpError::Malformed(String::from_utf8_lossy(&line).chars().take(200).collect()))
    }
}
