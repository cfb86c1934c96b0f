//! A command in a running container whose input and output are streams: dumps, restores, a session with a database.
//!
//! Owns the command from its start to its end: one that nobody waits for any more is killed. Must not know what it does.
//! Nothing is kept of its output but the last lines of what it complains of.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bollard::{container::LogOutput, models::ExecConfig};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_util::io::StreamReader;

use super::{
    Docker, DockerError, OutputLine,
    client::{CALL, within},
    exec,
    output::{LAST_LINES, LastLines, Lines},
};

/// A command for a container. Its arguments and variables may hold secrets: they are not printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PipeCommand {
    /// The program, looked for in the container's `PATH`, and its arguments.
    pub argv: Vec<String>,
    /// Variables beside the container's own, as `NAME=value`.
    pub environment: Vec<String>,
    /// Who runs it, as `uid:gid`; none for whom the container runs as.
    pub user: Option<String>,
}

impl fmt::Debug for PipeCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeCommand").field("program", &self.program()).finish_non_exhaustive()
    }
}

impl PipeCommand {
    /// A program with its arguments.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }
}

/// A command that runs. Its output has to be read, or it stands still.
pub struct Pipe {
    /// What it reads; taken and dropped, or shut down, its input ends.
    pub input: Option<PipeInput>,
    /// What it writes. It ends when the command closes it, whether that went well or not: see [`Pipe::end`].
    pub output: PipeOutput,
    running: Running,
    complaints: Arc<Mutex<Complaints>>,
}

/// What a command reads.
pub type PipeInput = Pin<Box<dyn AsyncWrite + Send>>;

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a command writes to its standard output.
pub struct PipeOutput(StreamReader<Chunks, Bytes>);

impl Default for PipeOutput {
    /// One that has ended.
    fn default() -> Self {
        Self(StreamReader::new(Box::pin(futures::stream::empty())))
    }
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipeEnd {
    /// Its exit code.
    pub exit_code: i64,
    /// The last lines of its standard error.
    pub complaints: Vec<OutputLine>,
}

impl Docker {
    /// Starts a command in a running container.
    ///
    /// # Errors
    /// When the container does not run. A program that is not there is told by [`Pipe::end`], as exit code 126 or 127.
    pub async fn pipe(&self, container: &str, command: &PipeCommand) -> Result<Pipe, DockerError> {
        // Its arguments may hold secrets.
        let doing = format!("run `{}` in {container}", command.program());
        let api = self.api().await?;
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.argv.clone()),
            env: Some(command.environment.clone()),
            user: command.user.clone(),
            ..ExecConfig::default()
        };
        let id = within(&doing, CALL, api.create_exec(container, config)).await?.id;
        let (output, input) = exec::attach(api, &doing, &id).await?;
        let complaints = Arc::new(Mutex::new(Complaints::none()));
        let chunks = only_output(output, Arc::clone(&complaints));
        Ok(Pipe {
            input: Some(input),
            output: PipeOutput(StreamReader::new(chunks)),
            running: Running { docker: self.clone(), id, doing, is_over: false },
            complaints,
        })
    }
}

/// Standard output's chunks; standard error goes to the complaints on the way.
fn only_output(
    output: impl Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send + 'static,
    complaints: Arc<Mutex<Complaints>>,
) -> Chunks {
    Box::pin(output.filter_map(move |chunk| {
        let kept = match chunk {
            Ok(LogOutput::StdErr { message }) => {
                complaints.lock().unwrap_or_else(PoisonError::into_inner).push(&message);
                None
            }
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => Some(Ok(message)),
            Ok(LogOutput::StdIn { .. }) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        };
        std::future::ready(kept.filter(|chunk| !matches!(chunk, Ok(bytes) if bytes.is_empty())))
    }))
}

impl Pipe {
    /// Its output, for a reader of its own, which has to read it to its end before [`Pipe::end`] is asked.
    pub fn take_output(&mut self) -> PipeOutput {
        std::mem::take(&mut self.output)
    }

    /// Ends its input, waits until the command has ended and throws away what it still writes.
    ///
    /// # Errors
    /// When it does not end in time, and is killed then, or Docker lost it.
    pub async fn end(&mut self, deadline: Duration) -> Result<PipeEnd, DockerError> {
        let ended = async {
            if let Some(mut input) = self.input.take() {
                // One that has ended already reads no more.
                input.shutdown().await.ok();
            }
            let mut rest = vec![0; 16 * 1024];
            let lost = |error: io::Error| DockerError::Refused {
                doing: self.running.doing.clone(),
                message: format!("the stream broke: {error}"),
            };
            while self.output.read(&mut rest).await.map_err(lost)? > 0 {}
            let api = self.running.docker.api().await?;
            exec::exit_code(api, &self.running.doing, &self.running.id).await
        };
        let outcome = tokio::time::timeout(deadline, ended).await;
        let Ok(exit_code) = outcome else {
            return Err(DockerError::Deadline { doing: self.running.doing.clone(), deadline });
        };
        let exit_code = exit_code?;
        self.running.is_over = true;
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner).lines();
        Ok(PipeEnd { exit_code, complaints })
    }
}

impl AsyncRead for PipeOutput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

/// A command until its end is known.
struct Running {
    docker: Docker,
    id: String,
    doing: String,
    is_over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_over {
            return;
        }
        let (docker, id, doing) = (self.docker.clone(), self.id.clone(), self.doing.clone());
        runtime.spawn(async move {
            if let Err(error) = exec::kill(&docker, &doing, &id).await {
                tracing::warn!(doing, %error, "a command that nobody waits for could not be ended");
            }
        });
    }
}

/// The last lines of a command's standard error.
#[derive(Debug)]
struct Complaints {
    open: Lines,
    last: LastLines,
}

impl Complaints {
    fn none() -> Self {
        Self { open: Lines::default(), last: LastLines::at_most(LAST_LINES) }
    }

    fn push(&mut self, chunk: &[u8]) {
        let last = &mut self.last;
        self.open.push(chunk, |line| last.keep(line));
    }

    fn lines(&mut self) -> Vec<OutputLine> {
        let last = &mut self.last;
        std::mem::take(&mut self.open).finish(|line| last.keep(line));
        last.all()
    }
}
