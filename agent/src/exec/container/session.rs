//! The conversation with a command in a container, however it was started.
//!
//! Owns passing both directions on until the end. Must not know how Docker is asked about the command: its [`Handle`]
//! does.

use tokio::{io::WriteHalf, sync::mpsc, task::JoinHandle};

use super::{
    ContainerExecError, outputs,
    refusal::{self, Refusal},
};
use crate::{
    docker_stream::{Duplex, Framing},
    exec::{Command, ExitCode, Input, Output, Session, Signal, TerminalSize, stdin::StdinQueue},
};

/// What a conversation needs of the command, beside the stream to it.
pub(super) trait Handle: Send + Sync {
    /// Told to the caller first.
    fn id(&self) -> &str;

    /// The caller's terminal has this size.
    fn resize(&self, size: TerminalSize) -> impl Future<Output = ()> + Send;

    /// Passes a signal on; a command that has ended needs none.
    fn signal(&self, signal: Signal) -> impl Future<Output = Result<(), ContainerExecError>> + Send;

    /// The stream has ended: how did the command? `refusal` is what looks like Docker's own words about it.
    fn exit(
        &self,
        refusal: Option<&Refusal>,
    ) -> impl Future<Output = Result<ExitCode, ContainerExecError>> + Send;

    /// The caller is gone: so shall be the command.
    fn end(&self) -> impl Future<Output = Result<(), ContainerExecError>> + Send;
}

/// A command that was started, and the stream to it.
pub(super) struct Running<H> {
    handle: H,
    stdin: StdinQueue<WriteHalf<Duplex>>,
    reader: JoinHandle<Option<Refusal>>,
    inputs: mpsc::Receiver<Input>,
    outputs: mpsc::Sender<Output>,
    size: Option<TerminalSize>,
}

impl<H: Handle> Running<H> {
    pub(super) fn new(handle: H, command: &Command, stream: Duplex, session: Session) -> Self {
        let Session { inputs, outputs } = session;
        let framing = if command.terminal().is_some() { Framing::Raw } else { Framing::Frames };
        let (read, write) = tokio::io::split(stream);
        let (sender, received) = mpsc::channel(4);
        // Between the stream and the caller stands the watch for Docker's own words about a command that never ran.
        tokio::spawn(outputs::read_outputs(read, framing, sender));
        let reader = tokio::spawn(refusal::pass_on(received, outputs.clone()));
        let stdin = StdinQueue::new(Some(write), command.stdin());
        Self { handle, stdin, reader, inputs, outputs, size: command.terminal() }
    }

    /// Until the command ends or its caller is gone.
    pub(super) async fn converse(mut self) -> Result<(), ContainerExecError> {
        if self.outputs.send(Output::Started(self.handle.id().to_owned())).await.is_err() {
            return self.handle.end().await;
        }
        if let Some(size) = self.size {
            // For a Docker that does not know `ConsoleSize` (before API 1.42).
            self.handle.resize(size).await;
        }
        let mut more_input = true;
        let refusal = loop {
            tokio::select! {
                refusal = &mut self.reader => break refusal.map_err(|_| ContainerExecError::Lost)?,
                () = self.outputs.closed() => return self.handle.end().await,
                () = self.stdin.advance(), if self.stdin.is_busy() => {}
                input = self.inputs.recv(), if more_input && self.stdin.has_room() => {
                    more_input = input.is_some();
                    match input.unwrap_or(Input::StdinClosed) {
                        Input::Stdin(chunk) => self.stdin.push(chunk),
                        Input::StdinClosed => self.stdin.close(),
                        Input::Resize(size) => self.handle.resize(size).await,
                        Input::Signal(signal) => self.handle.signal(signal).await?,
                    }
                }
            }
        };
        let exit = self.handle.exit(refusal.as_ref()).await?;
        if let Some(refusal) = refusal {
            self.outputs.send(Output::Stderr(refusal.message())).await.ok();
        }
        // A caller that went in this very moment has nobody to tell.
        self.outputs.send(Output::Exit(exit)).await.ok();
        Ok(())
    }
}
