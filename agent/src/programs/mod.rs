//! Programs that run in an app's container through Docker's exec: what they print, what they write, what they are fed.
//!
//! Owns that a program which failed is an error and never an early end, and that whatever it says is bounded. Must not know
//! which programs these are.

mod dump;
mod error;
mod feed;

use std::time::Duration;

pub use dump::Dump;
pub use error::ProgramError;
pub(crate) use error::words;
pub use feed::feed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::docker::{Docker, Pipe, PipeCommand, PipeEnd, PipeOutput};

/// How long a command may take to end once its output has.
pub const ENDING: Duration = Duration::from_secs(30);
/// An answer longer than this is refused: the counts of a hundred thousand tables are shorter.
pub const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// What a program printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Its standard output, as text.
    pub text: String,
    /// How it ended.
    pub end: PipeEnd,
}

impl Printed {
    /// What it printed, where it ended well.
    ///
    /// # Errors
    /// When it did not.
    pub fn checked(self, program: &str) -> Result<String, ProgramError> {
        checked(program, &self.end)?;
        Ok(self.text)
    }
}

/// Runs a program in a running container to its end; what it printed.
///
/// # Errors
/// When the container does not run, or it prints too much or takes too long. A program that fails is told in [`Printed::end`].
pub async fn printed(
    docker: &Docker,
    container: &str,
    (command, deadline): (&PipeCommand, Duration),
) -> Result<Printed, ProgramError> {
    let mut pipe = docker.pipe(container, command).await.map_err(ProgramError::Docker)?;
    let text = read_bounded(&mut pipe.output, deadline).await?;
    let end = pipe.end(ENDING).await.map_err(ProgramError::Docker)?;
    Ok(Printed { text, end })
}

/// The same of one that reads this first.
///
/// # Errors
/// As [`printed`].
pub async fn answered(
    docker: &Docker,
    container: &str,
    (command, deadline): (&PipeCommand, Duration),
    asked: &[u8],
) -> Result<Printed, ProgramError> {
    let mut pipe = docker.pipe(container, command).await.map_err(ProgramError::Docker)?;
    let mut input = pipe.input.take();
    let write = async {
        if let Some(input) = input.as_mut() {
            // One that ended says why on its standard error.
            drop(input.write_all(asked).await);
            drop(input.shutdown().await);
        }
    };
    let ((), text) = tokio::join!(write, read_bounded(&mut pipe.output, deadline));
    let text = text?;
    let end = pipe.end(ENDING).await.map_err(ProgramError::Docker)?;
    Ok(Printed { text, end })
}

/// What a program writes, as it writes it.
///
/// # Errors
/// When the container does not run.
pub async fn dump(
    docker: &Docker,
    container: &str,
    (program, command): (&'static str, &PipeCommand),
) -> Result<Dump, ProgramError> {
    let pipe: Pipe = docker.pipe(container, command).await.map_err(ProgramError::Docker)?;
    Ok(Dump::of(program, pipe))
}

/// All that a program prints, as text.
pub(crate) async fn read_bounded(
    output: &mut PipeOutput,
    deadline: Duration,
) -> Result<String, ProgramError> {
    let mut text = String::new();
    let most = u64::try_from(LONGEST_ANSWER).unwrap_or(u64::MAX);
    let mut bounded = output.take(most);
    match tokio::time::timeout(deadline, bounded.read_to_string(&mut text)).await {
        Ok(Ok(_)) if bounded.limit() == 0 => Err(ProgramError::TooLong(LONGEST_ANSWER)),
        Ok(Ok(_)) => Ok(text),
        Ok(Err(error)) => Err(ProgramError::Stream(error)),
        Err(_) => Err(ProgramError::Deadline(deadline)),
    }
}

/// Whether a program ended well.
pub(crate) fn checked(program: &str, end: &PipeEnd) -> Result<(), ProgramError> {
    if end.exit_code == 0 {
        return Ok(());
    }
    Err(ProgramError::Failed {
        program: program.to_owned(),
        exit_code: end.exit_code,
        complaints: end.complaints.join("\n"),
    })
}
