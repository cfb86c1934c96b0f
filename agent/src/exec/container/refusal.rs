//! A command that never ran: Docker starts the stream first, and then writes its own complaint where the command's output
//! would stand.
//!
//! Owns telling the two apart, and the exit code a shell would give. Must not change any other output.

use tokio::sync::mpsc;

use crate::exec::{ExitCode, Output};

/// How Docker's complaint begins, in all versions from 17 to 29.
const BEGINNING: &[u8] = b"OCI runtime exec failed: ";

/// Docker's complaint, held back until it is known that the command never ran.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(Vec<u8>);

impl Refusal {
    /// What Docker answers to the start of a container whose program cannot be run; `None` when it is about something else.
    pub(super) fn at_start(message: &str) -> Option<Self> {
        let about_the_program = ["exec:", "executable file not found", "permission denied"];
        let is_one = message.contains("runtime create failed") || message.contains("create shim task");
        (is_one && about_the_program.iter().any(|words| message.contains(words)))
            .then(|| Self(message.as_bytes().to_vec()))
    }

    /// 127 when there is no such program, 126 when it cannot be run.
    pub(super) fn exit_code(&self) -> ExitCode {
        let text = String::from_utf8_lossy(&self.0);
        let missing = ["executable file not found", "no such file or directory"];
        ExitCode::exited(if missing.iter().any(|words| text.contains(words)) { 127 } else { 126 })
    }

    /// What to show of it.
    pub(super) fn message(&self) -> Vec<u8> {
        let mut message = self.0.trim_ascii_end().to_vec();
        message.push(b'\n');
        message
    }
}

/// Passes outputs on until they end; returns what looks like a complaint of Docker's, if all there was is that.
pub(super) async fn pass_on(mut from: mpsc::Receiver<Output>, to: mpsc::Sender<Output>) -> Option<Refusal> {
    let mut held = None;
    if let Some(first) = from.recv().await {
        match first {
            Output::Stdout(bytes) if bytes.starts_with(BEGINNING) => held = Some(bytes),
            other => to.send(other).await.ok()?,
        }
    }
    while let Some(next) = from.recv().await {
        if let Some(bytes) = held.take() {
            to.send(Output::Stdout(bytes)).await.ok()?;
        }
        to.send(next).await.ok()?;
    }
    held.map(Refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn through(outputs: Vec<Output>) -> (Option<Refusal>, Vec<Output>) {
        let (into, from) = mpsc::channel(8);
        let (to, mut out) = mpsc::channel(8);
        for output in outputs {
            into.send(output).await.unwrap();
        }
        drop(into);
        let refusal = pass_on(from, to).await;
        let mut passed = Vec::new();
        while let Some(output) = out.recv().await {
            passed.push(output);
        }
        (refusal, passed)
    }

    const MISSING: &[u8] =
        b"OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": \
                             executable file not found in $PATH: unknown\r\n";

    #[tokio::test]
    async fn a_lone_complaint_is_held_back() {
        let (refusal, passed) = through(vec![Output::Stdout(MISSING.to_vec())]).await;
        assert_eq!(refusal.as_ref().unwrap().exit_code().code(), 127);
        assert!(refusal.unwrap().message().ends_with(b"unknown\n"));
        assert!(passed.is_empty());
        let denied = b"OCI runtime exec failed: exec failed: permission denied: unknown".to_vec();
        assert_eq!(through(vec![Output::Stdout(denied)]).await.0.unwrap().exit_code().code(), 126);
    }

    #[tokio::test]
    async fn everything_else_passes_in_order() {
        let outputs = vec![Output::Stdout(MISSING.to_vec()), Output::Stderr(b"more".to_vec())];
        assert_eq!(through(outputs.clone()).await, (None, outputs));
        let outputs = vec![Output::Stderr(b"x".to_vec()), Output::Stdout(MISSING.to_vec())];
        assert_eq!(through(outputs.clone()).await, (None, outputs));
        assert_eq!(through(Vec::new()).await, (None, Vec::new()));
    }
}
