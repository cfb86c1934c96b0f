//! `ExecContainer`, `Run` and `ExecHost`: the messages of a session, and the audit of what was run.
//!
//! Owns the conversion between messages and sessions. Must not run anything itself.

use std::sync::Arc;

use futures::StreamExt;
use tidegate_proto::{
    limits::MAX_CHUNK_BYTES,
    v1::{self, ExecExit, ExecRequest, ExecResponse, ExecStart, ExecStarted, exec_request, exec_response},
};
use tokio::sync::{mpsc, oneshot};
use tonic::{Request, Status, Streaming};

use super::{
    Context,
    caller::Caller,
    errors,
    stream::{self, Answers},
};
use crate::{
    audit::{Begun, Deed, Outcome},
    exec::{
        Command, ExitCode, Input, Output, Session, Signal, Stdin, TerminalSize,
        container::{ContainerExec, OneOffRun, Target},
    },
    release::{OneOffSpec, Terminal},
};

/// Messages between the two ends of a session.
const WAITING: usize = 8;

/// What the first message of a session asks for.
struct Asked {
    caller: Caller,
    start: ExecStart,
    command: Command,
    requests: Streaming<ExecRequest>,
}

/// What an empty command means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Empty {
    IsRefused,
    IsTheServicesOwn,
}

async fn asked(request: Request<Streaming<ExecRequest>>, empty: Empty) -> Result<Asked, Status> {
    let caller = Caller::from_request(&request)?;
    let mut requests = request.into_inner();
    let first = requests.next().await.ok_or_else(|| errors::out_of_order("start"))??;
    let Some(exec_request::Request::Start(start)) = first.request else {
        return Err(errors::out_of_order("start"));
    };
    let command = command(&start, empty)?;
    Ok(Asked { caller, start, command, requests })
}

/// `ExecContainer`.
pub(super) async fn in_container(
    context: Arc<Context>,
    request: Request<Streaming<ExecRequest>>,
) -> Result<Answers<ExecResponse>, Status> {
    const RPC: &str = "/tidegate.v1.Agent/ExecContainer";
    let Asked { caller, start, command, requests } = asked(request, Empty::IsRefused).await?;
    context.may(&caller, RPC, &start.app)?;
    let target = Target {
        app: start.app.clone(),
        service: start.service.clone(),
        index: (start.index != 0).then_some(start.index),
    };
    let (docker, streams) = context.docker().await?;
    let deed = deed(&caller, "exec-container", format!("{}/{}", target.app, target.service), &command);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let (session, far_end, answers) = session(requests);
    tokio::spawn(async move {
        let exec = ContainerExec::new(docker, streams);
        let run = async {
            exec.run(&target, &command, session).await.map_err(|error| errors::container_exec(&error))
        };
        finish(run, far_end, begun).await;
    });
    Ok(answers)
}

/// `Run`.
pub(super) async fn in_one_off(
    context: Arc<Context>,
    request: Request<Streaming<ExecRequest>>,
) -> Result<Answers<ExecResponse>, Status> {
    const RPC: &str = "/tidegate.v1.Agent/Run";
    let Asked { caller, start, command, requests } = asked(request, Empty::IsTheServicesOwn).await?;
    let app = context.may(&caller, RPC, &start.app)?;
    let (docker, streams) = context.docker().await?;
    let deed = deed(&caller, "run", format!("{app}/{}", start.service), &command);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let one_off = match context.engine.one_off(&app, &start.service, one_off_spec(&command)).await {
        Ok(one_off) => one_off,
        Err(error) => {
            let status = errors::engine(&error);
            begun.end(Outcome::Failed(errors::reason(&status))).await;
            return Err(status);
        }
    };
    let (session, far_end, answers) = session(requests);
    tokio::spawn(async move {
        let exec = OneOffRun::new(docker, streams);
        let run = async {
            let ran = exec.run(&one_off.name, &command, session).await;
            ran.map_err(|error| errors::container_exec(&error))
        };
        finish(run, far_end, begun).await;
    });
    Ok(answers)
}

fn one_off_spec(command: &Command) -> OneOffSpec {
    let terminal = if command.terminal().is_some() { Terminal::Attached } else { Terminal::None };
    OneOffSpec {
        command: command.argv().to_vec(),
        environment: command.environment().clone(),
        user: command.user().unwrap_or_default().to_owned(),
        working_directory: command.working_directory().unwrap_or_default().to_owned(),
        terminal,
        stdin: command.stdin() == Stdin::Open,
    }
}

/// `ExecHost`.
pub(super) async fn on_host(
    context: Arc<Context>,
    request: Request<Streaming<ExecRequest>>,
) -> Result<Answers<ExecResponse>, Status> {
    let Asked { caller, command, requests, .. } = asked(request, Empty::IsRefused).await?;
    let deed = deed(&caller, "exec-host", "droplet".to_owned(), &command);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let (session, far_end, answers) = session(requests);
    tokio::spawn(async move {
        let actor = caller.actor();
        let run = async {
            context.host_exec.run(&command, &actor, session).await.map_err(|error| errors::host_exec(&error))
        };
        finish(run, far_end, begun).await;
    });
    Ok(answers)
}

fn deed(caller: &Caller, action: &'static str, subject: String, command: &Command) -> Deed {
    // The program's name and how many arguments, never their values: those may be secrets.
    Deed::new(caller.actor(), action, subject)
        .with("program", command.program())
        .with("arguments", &command.argv().len().saturating_sub(1))
        .with("terminal", if command.terminal().is_some() { "yes" } else { "no" })
}

fn command(start: &ExecStart, empty: Empty) -> Result<Command, Status> {
    let environment = start.environment.clone().into_iter().collect();
    let stdin = if start.stdin { Stdin::Open } else { Stdin::Closed };
    let command = match empty {
        Empty::IsTheServicesOwn if start.command.is_empty() => Ok(Command::of_service()),
        _ => Command::new(start.command.clone()),
    };
    command
        .and_then(|command| command.with_environment(environment))
        .and_then(|command| command.with_user(&start.user))
        .and_then(|command| command.with_working_directory(&start.working_directory))
        .map(|command| command.with_stdin(stdin).with_terminal(start.terminal.map(size)))
        .map_err(|error| errors::command(&error))
}

fn size(size: v1::TerminalSize) -> TerminalSize {
    let clamp = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    TerminalSize { columns: clamp(size.columns), rows: clamp(size.rows) }
}

/// Connects the caller's messages with a session, in both directions.
fn session(requests: Streaming<ExecRequest>) -> (Session, FarEnd, Answers<ExecResponse>) {
    let (inputs_sender, inputs) = mpsc::channel(WAITING);
    let (outputs_sender, outputs) = mpsc::channel(WAITING);
    let (answers_sender, answers) = stream::channel();
    let (refusal_sender, refusal) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(status) = pass_inputs(requests, inputs_sender).await {
            // A session that has ended needs none.
            refusal_sender.send(status).ok();
        }
    });
    let session = Session { inputs, outputs: outputs_sender };
    (session, FarEnd { outputs, answers: answers_sender, refusal }, answers)
}

/// Passes messages on until there are no more. A broken connection ends the answers as well, which ends the command.
async fn pass_inputs(
    mut requests: Streaming<ExecRequest>,
    inputs: mpsc::Sender<Input>,
) -> Result<(), Status> {
    while let Some(Ok(message)) = requests.next().await {
        let input = input(message.request)?;
        if inputs.send(input).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn input(request: Option<exec_request::Request>) -> Result<Input, Status> {
    match request {
        None | Some(exec_request::Request::Start(_)) => Err(errors::out_of_order("stdin, resize or signal")),
        Some(exec_request::Request::Stdin(bytes)) if bytes.len() > MAX_CHUNK_BYTES => {
            Err(errors::chunk_too_long())
        }
        Some(exec_request::Request::Stdin(bytes)) => Ok(Input::Stdin(bytes)),
        Some(exec_request::Request::StdinClosed(_)) => Ok(Input::StdinClosed),
        Some(exec_request::Request::Resize(to)) => Ok(Input::Resize(size(to))),
        Some(exec_request::Request::Signal(number)) => {
            Signal::new(number).map(Input::Signal).ok_or_else(|| errors::no_signal(number))
        }
    }
}

/// What the handler holds of a session.
struct FarEnd {
    outputs: mpsc::Receiver<Output>,
    answers: mpsc::Sender<Result<ExecResponse, Status>>,
    refusal: oneshot::Receiver<Status>,
}

/// How the outputs of a session ended.
enum End {
    Exit(ExitCode),
    /// The caller is gone, or the session failed by itself.
    Cut,
    /// The caller sent nonsense.
    Refused(Status),
}

impl FarEnd {
    /// Passes outputs on to their end, and tells it. Closing them is what tells the session that its caller is gone.
    async fn pass_outputs(&mut self) -> End {
        let mut end = End::Cut;
        let mut listening = true;
        loop {
            let output = tokio::select! {
                output = self.outputs.recv() => output,
                () = self.answers.closed() => None,
                refused = &mut self.refusal, if listening => {
                    listening = false;
                    match refused {
                        Ok(status) => { end = End::Refused(status); None }
                        Err(_) => continue,
                    }
                }
            };
            match output {
                Some(Output::Exit(code)) => end = End::Exit(code),
                Some(output) => {
                    self.answers.send(Ok(response(output))).await.ok();
                }
                None => break,
            }
        }
        self.outputs.close();
        // What the session still tries to send is for nobody.
        while self.outputs.recv().await.is_some() {}
        end
    }
}

/// Runs the session to its end, and writes that into the audit log before the caller hears it.
async fn finish(run: impl Future<Output = Result<(), Status>>, mut far_end: FarEnd, begun: Begun) {
    let (ran, end) = tokio::join!(run, far_end.pass_outputs());
    let last = match (ran, end) {
        (_, End::Refused(status)) | (Err(status), _) => {
            begun.end(Outcome::Failed(errors::reason(&status))).await;
            Err(status)
        }
        (Ok(()), End::Exit(code)) => {
            begun.with("exit", &code.code()).end(Outcome::Succeeded).await;
            Ok(response(Output::Exit(code)))
        }
        (Ok(()), End::Cut) => return begun.end(Outcome::Failed("CALLER_GONE".to_owned())).await,
    };
    far_end.answers.send(last).await.ok();
}

fn response(output: Output) -> ExecResponse {
    use exec_response::Response;

    let response = match output {
        Output::Started(id) => Response::Started(ExecStarted { id }),
        Output::Stdout(bytes) => Response::Stdout(bytes),
        Output::Stderr(bytes) => Response::Stderr(bytes),
        Output::Exit(code) => Response::Exit(ExecExit { code: i32::from(code.code()) }),
    };
    ExecResponse { response: Some(response) }
}
