//! One command far away, with this machine's terminal at its end: standard input, output, size, signals, exit code.
//! It must not know which command it is, nor where; it speaks the contract's `ExecRequest` and `ExecResponse`.

mod stdin;
mod terminal;

use std::time::Duration;

use tidegate_proto::v1::{
    ExecRequest, ExecResponse, ExecStart, exec_request::Request as Sent, exec_response::Response as Got,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming};

use crate::{
    agents::{Agent, AgentError},
    output::{Printer, Stream},
};
pub use terminal::{Terminal, TerminalMode};

/// Signal numbers of the droplet's system, which is Linux.
const SIGINT: i32 = 2;
/// How often the terminal is asked for its size: every system knows that, few tell of a change.
const SIZE_INTERVAL: Duration = Duration::from_millis(400);

/// Whether this machine's standard input goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// It does, until its end.
    Forward,
    /// It does not.
    None,
}

/// Which of the three calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In a running container.
    Container,
    /// In a one-off container.
    OneOff,
    /// On the droplet itself.
    Host,
}

/// Runs a command and passes everything through until it ends; tells its exit code.
///
/// # Errors
/// When the agent refuses, or the connection is lost before the command's end.
pub async fn run(
    agent: &Agent,
    place: Where,
    mut start: ExecStart,
    input: Input,
    printer: &Printer,
) -> Result<u8, AgentError> {
    let terminal =
        Terminal::enter(if start.terminal.is_some() { TerminalMode::Raw } else { TerminalMode::Plain });
    if start.terminal.is_some() {
        start.terminal = Some(terminal.size());
    }
    start.stdin = input == Input::Forward;
    let (sender, receiver) = mpsc::channel(32);
    // The channel is empty: this cannot wait.
    let begun = sender.try_send(ExecRequest { request: Some(Sent::Start(start)) });
    if begun.is_err() {
        return Err(silent(agent));
    }
    if input == Input::Forward {
        stdin::forward(sender.clone());
    }
    let answered = call(agent, place, receiver).await.map_err(|status| agent.error(&status))?;
    let ended = exchange(agent, answered.into_inner(), sender, &terminal, printer).await;
    terminal.leave();
    ended
}

async fn call(
    agent: &Agent,
    place: Where,
    requests: mpsc::Receiver<ExecRequest>,
) -> Result<Response<Streaming<ExecResponse>>, Status> {
    let requests = ReceiverStream::new(requests);
    let mut client = agent.client();
    match place {
        Where::Container => client.exec_container(requests).await,
        Where::OneOff => client.run(requests).await,
        Where::Host => client.exec_host(requests).await,
    }
}

async fn exchange(
    agent: &Agent,
    mut responses: Streaming<ExecResponse>,
    sender: mpsc::Sender<ExecRequest>,
    terminal: &Terminal,
    printer: &Printer,
) -> Result<u8, AgentError> {
    let mut resizes = tokio::time::interval(SIZE_INTERVAL);
    // Without a terminal of ours nobody needs its size, and asking for it may start programs.
    let mut size = (terminal.mode() == TerminalMode::Raw).then(|| terminal.size());
    loop {
        tokio::select! {
            got = responses.message() => {
                let got = got.map_err(|status| agent.error(&status))?;
                let got = got.ok_or_else(|| silent(agent))?;
                if let Some(code) = show(got, printer) {
                    return Ok(code);
                }
            }
            _ = resizes.tick(), if terminal.mode() == TerminalMode::Raw => {
                let now = terminal.size();
                if size.replace(now) != Some(now) {
                    send(&sender, Sent::Resize(now));
                }
            }
            interrupted = tokio::signal::ctrl_c() => {
                if interrupted.is_ok() {
                    send(&sender, Sent::Signal(SIGINT));
                }
            }
        }
    }
}

fn silent(agent: &Agent) -> AgentError {
    AgentError::Contract {
        droplet: agent.name.clone(),
        what: "the call ended without the command's exit code".to_owned(),
    }
}

/// A full channel means that the command does not read: a resize or a signal more would not reach it either.
fn send(sender: &mpsc::Sender<ExecRequest>, request: Sent) {
    drop(sender.try_send(ExecRequest { request: Some(request) }));
}

/// Passes output on; an exit code when that was the last.
fn show(response: ExecResponse, printer: &Printer) -> Option<u8> {
    match response.response? {
        Got::Started(_) => None,
        Got::Stdout(bytes) => {
            printer.bytes(Stream::Out, &bytes);
            None
        }
        Got::Stderr(bytes) => {
            printer.bytes(Stream::Err, &bytes);
            None
        }
        Got::Exit(exit) => Some(u8::try_from(exit.code).unwrap_or(u8::MAX)),
    }
}
