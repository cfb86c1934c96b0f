//! Feeding a program that reads a stream. What it reads has to come to its proper end: one that breaks off must not look whole.

use std::{pin::pin, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::{ENDING, ProgramError, checked};
use crate::docker::{Pipe, PipeInput};

const CHUNK: usize = 256 * 1024;

/// Gives a program its input, to the end, and waits until it has ended. Where the source fails the program is killed. A
/// program that ends well without having read everything does not hide a source that would have failed: it is read to its end.
///
/// # Errors
/// When the source cannot be read to its end, the program fails, or it takes longer than the deadline.
pub async fn feed(
    program: &str,
    mut pipe: Pipe,
    (mut source, deadline): (impl AsyncRead + Send + Unpin, Duration),
) -> Result<(), ProgramError> {
    let Some(mut input) = pipe.input.take() else { return Ok(()) };
    let mut output = pipe.take_output();
    let fed = async {
        // Read meanwhile, or it would stand still; its complaints come the same way, and its end.
        let mut thrown_away = tokio::io::sink();
        let mut ended = pin!(tokio::io::copy(&mut output, &mut thrown_away));
        let read = tokio::select! {
            read = &mut ended => read,
            copied = copy(&mut source, &mut input) => {
                copied?;
                ended.await
            }
        };
        read.map_err(ProgramError::Stream)?;
        let end = pipe.end(ENDING).await.map_err(ProgramError::Docker)?;
        checked(program, &end)?;
        tokio::io::copy(&mut source, &mut tokio::io::sink()).await.map(drop).map_err(ProgramError::Source)
    };
    tokio::time::timeout(deadline, fed).await.map_err(|_| ProgramError::Deadline(deadline))?
}

/// All of the source; the input is ended only when the source did end.
async fn copy(source: &mut (impl AsyncRead + Unpin), input: &mut PipeInput) -> Result<(), ProgramError> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = source.read(&mut chunk).await.map_err(ProgramError::Source)?;
        let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else { break };
        if input.write_all(read).await.is_err() {
            // It reads no more: its exit code and its words tell why.
            return Ok(());
        }
    }
    input.shutdown().await.ok();
    Ok(())
}
