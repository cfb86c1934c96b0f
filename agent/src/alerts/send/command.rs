//! Commands that are given a message on their standard input.
//!
//! Owns two ways to run one: in a transient unit, as everything that the agent runs on the droplet, and as a child process, for
//! where no agent is. Must not know messages.

use std::{process::Stdio, sync::Arc};

use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command as Process,
    sync::mpsc,
};

use super::Redactor;
use crate::{
    exec::{Command, CommandError, Input, Output, Session, Stdin, host::HostExec},
    release::chain,
};

/// What is kept of what a command says.
const LONGEST_OUTPUT: usize = 4096;
/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Whom the journal names.
const ACTOR: &str = "alerts";

/// Why a command did not take a message. Its texts are without secrets only after [`CommandFailed::redacted`].
#[derive(Debug, thiserror::Error)]
pub enum CommandFailed {
    /// It cannot be run at all.
    #[error("the command cannot be run")]
    Command(#[source] CommandError),
    /// It was not started, or its end is not known.
    #[error("the command could not be run: {0}")]
    Run(String),
    /// It ended with something else than 0.
    #[error("the command ended with exit code {code}{said}")]
    Ended {
        /// As a shell tells it.
        code: u8,
        /// `: ` and the first line of its output, or nothing.
        said: String,
    },
}

impl CommandFailed {
    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Command(error) => Self::Command(error),
            Self::Run(why) => Self::Run(redactor.first_line(&why)),
            Self::Ended { code, said } => {
                let said = redactor.first_line(&said);
                Self::Ended { code, said: if said.is_empty() { said } else { format!(": {said}") } }
            }
        }
    }
}

/// Runs commands of receivers. Who drops what is returned ends the command.
pub trait Commands: Send + Sync {
    /// Runs one to its end, with this on its standard input.
    fn run<'a>(&'a self, argv: &'a [String], input: Vec<u8>) -> BoxFuture<'a, Result<(), CommandFailed>>;
}

/// In transient units of systemd.
#[derive(Clone, Debug)]
pub struct HostCommands(pub Arc<HostExec>);

impl Commands for HostCommands {
    fn run<'a>(&'a self, argv: &'a [String], input: Vec<u8>) -> BoxFuture<'a, Result<(), CommandFailed>> {
        Box::pin(async move {
            let command =
                Command::new(argv.to_vec()).map_err(CommandFailed::Command)?.with_stdin(Stdin::Open);
            let (inputs, queue) = mpsc::channel(2);
            for part in [Input::Stdin(input), Input::StdinClosed] {
                // There is room for both.
                inputs.try_send(part).ok();
            }
            let (outputs, received) = mpsc::channel(16);
            let session = Session { inputs: queue, outputs };
            let exec = Arc::clone(&self.0);
            // In a task of its own: who drops this drops `received`, and by that the command is ended.
            let running = tokio::spawn(async move { exec.run(&command, ACTOR, session).await });
            let (code, said) = end_of(received).await;
            let ran =
                running.await.map_err(|_| CommandFailed::Run("a part of the agent broke".to_owned()))?;
            ran.map_err(|error| CommandFailed::Run(chain(&error)))?;
            ended(code, &said)
        })
    }
}

/// What a command said, and its exit code; none where it did not end.
async fn end_of(mut received: mpsc::Receiver<Output>) -> (Option<u8>, Vec<u8>) {
    let (mut code, mut said) = (None, Vec::new());
    while let Some(output) = received.recv().await {
        match output {
            Output::Started(_) => {}
            Output::Stdout(bytes) | Output::Stderr(bytes) => keep(&mut said, &bytes),
            Output::Exit(exit) => code = Some(exit.code()),
        }
    }
    (code, said)
}

fn keep(said: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST_OUTPUT.saturating_sub(said.len());
    said.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

fn ended(code: Option<u8>, said: &[u8]) -> Result<(), CommandFailed> {
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(CommandFailed::Ended { code, said: String::from_utf8_lossy(said).into_owned() }),
        None => Err(CommandFailed::Run("its end is not known".to_owned())),
    }
}

/// As children of this process, with nothing of its environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChildCommands;

impl Commands for ChildCommands {
    fn run<'a>(&'a self, argv: &'a [String], input: Vec<u8>) -> BoxFuture<'a, Result<(), CommandFailed>> {
        Box::pin(async move {
            let checked = Command::new(argv.to_vec()).map_err(CommandFailed::Command)?;
            let unstarted = |error: std::io::Error| CommandFailed::Run(error.to_string());
            let mut child = Process::new(checked.program())
                .args(argv.iter().skip(1))
                .env_clear()
                .env("PATH", PATH)
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .map_err(unstarted)?;
            let stdin = child.stdin.take();
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let feed = async move {
                if let Some(mut stdin) = stdin {
                    // Who does not read all of it may have heard enough: the exit code says.
                    stdin.write_all(&input).await.ok();
                }
            };
            let ((), said, complained, status) =
                tokio::join!(feed, first_bytes(stdout), first_bytes(stderr), child.wait());
            let status = status.map_err(unstarted)?;
            let signalled =
                || std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| signal + 128);
            let code = status.code().or_else(signalled).and_then(|code| u8::try_from(code).ok());
            ended(code, if complained.is_empty() { &said } else { &complained })
        })
    }
}

/// Reads to the end, and keeps the beginning.
async fn first_bytes(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut said = Vec::new();
    let Some(mut from) = from else { return said };
    let mut buffer = vec![0; LONGEST_OUTPUT];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        keep(&mut said, buffer.get(..length).unwrap_or_default());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str, input: &str) -> Result<(), String> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let ran = ChildCommands.run(&argv, input.as_bytes().to_vec()).await;
        ran.map_err(|failed| failed.to_string())
    }

    #[tokio::test]
    async fn a_command_gets_the_message_and_nothing_of_our_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("got");
        run(&format!("cat >{0}; env >>{0}", file.display()), "{\"a\":1}\n").await.unwrap();
        let got = fs_err::read_to_string(file).unwrap();
        assert!(got.starts_with("{\"a\":1}\n"), "{got}");
        assert!(!got.contains("HOME=") && !got.contains("CARGO"), "{got}");
    }

    #[tokio::test]
    async fn how_it_ended_is_told_without_its_arguments() {
        assert_eq!(run("exit 3", "").await.unwrap_err(), "the command ended with exit code 3");
        let argv =
            ["sh", "-c", "echo no hunter2hunter2 >&2; kill -9 $$", "hunter2hunter2"].map(str::to_owned);
        let failed = ChildCommands.run(&argv, vec![b'x'; 1 << 20]).await.unwrap_err();
        let receiver = crate::alerts::settings::Receiver {
            name: crate::alerts::settings::ReceiverName::new("x").unwrap(),
            least: crate::alerts::settings::Severity::Warning,
            kind: crate::alerts::settings::ReceiverKind::Command(argv.to_vec()),
        };
        let told = failed.redacted(&Redactor::new(&receiver, None)).to_string();
        assert_eq!(told, "the command ended with exit code 137: no [secret]");
        let missing = ["/nonexistent/x".to_owned()];
        let told = ChildCommands.run(&missing, Vec::new()).await.unwrap_err().to_string();
        assert!(told.starts_with("the command could not be run: "), "{told}");
    }

    #[tokio::test]
    async fn who_says_too_much_is_read_to_the_end() {
        assert!(run("head -c 1000000 /dev/zero", "").await.is_ok());
    }
}
