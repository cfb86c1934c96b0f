//! How a command is handed to a process that waits for one outside the agent's sandboxing.
//!
//! Owns the words between the two, over a pair of unix sockets, and the waiting side. Must not know systemd.
//!
//! The agent sends one byte with the command's descriptors (output, error, input where there is one), then a [`Handover`] as
//! JSON, then its end. The other side answers with one byte, and becomes the program. An end without that byte means that the
//! command was not begun. Both sides are of one version of the agent: one starts the other from its own file.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::PathBuf,
    process::{self, ExitCode, Stdio},
    time::Duration,
};

use rustix::{
    cmsg_space,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags,
    },
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longest JSON that is read: a command has at most 512 KiB, of which JSON makes at most six times as much.
const LONGEST: u64 = 4 * 1024 * 1024;
/// How long the other side, which may have been started a moment ago, has to take the command.
const DEADLINE: Duration = Duration::from_secs(20);
const BEGUN: u8 = b'1';

/// A command, ready to be executed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The program's file.
    pub path: PathBuf,
    /// What it is told, its own name first.
    pub argv: Vec<String>,
    /// Variables beside those that the waiting process has.
    pub variables: BTreeMap<String, String>,
    /// Where it runs, if that can be entered; else where the waiting process is.
    pub directory: Option<PathBuf>,
}

/// Why a command was not taken.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The other side is gone, and has not begun.
    #[error("the waiting process was gone before the command could be given to it")]
    NotBegun(#[source] io::Error),
    /// It may have begun.
    #[error("the waiting process has not answered within {} s: it is not known whether the command ran", DEADLINE.as_secs())]
    Silent,
}

impl Handover {
    /// Hands the command over with its descriptors, and waits until it is about to be executed.
    ///
    /// # Errors
    /// [`HandoverError::NotBegun`] when it certainly was not executed.
    pub async fn send(&self, to: UnixStream, descriptors: &[BorrowedFd<'_>]) -> Result<(), HandoverError> {
        let text = serde_json::to_vec(self).map_err(|error| HandoverError::NotBegun(error.into()))?;
        send_descriptors(&to, descriptors).map_err(HandoverError::NotBegun)?;
        tokio::time::timeout(DEADLINE, converse(to, &text))
            .await
            .map_err(|_| HandoverError::Silent)?
            .map_err(HandoverError::NotBegun)
    }
}

async fn converse(to: UnixStream, text: &[u8]) -> io::Result<()> {
    to.set_nonblocking(true)?;
    let mut to = tokio::net::UnixStream::from_std(to)?;
    to.write_all(text).await?;
    to.shutdown().await?;
    to.read_u8().await.map(drop)
}

fn send_descriptors(to: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(to, &[IoSlice::new(&[BEGUN])], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The waiting side: takes one command from standard input, which is a socket, and becomes it.
///
/// Comes back when there will be no command (success), or when the program cannot be executed: the code is then a shell's.
///
/// # Errors
/// When standard input is no such socket, or what came is no command.
pub fn wait_and_become() -> io::Result<ExitCode> {
    let mut from = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut descriptors = receive_descriptors(&from)?.into_iter();
    let (Some(stdout), Some(stderr)) = (descriptors.next(), descriptors.next()) else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut text = Vec::new();
    (&from).take(LONGEST).read_to_end(&mut text)?;
    let Handover { path, argv, variables, directory } = serde_json::from_slice(&text)?;
    let mut complaints = stderr.try_clone()?;
    let mut command = process::Command::new(&path);
    let mut argv = argv.into_iter();
    command.arg0(argv.next().unwrap_or_default()).args(argv).envs(variables);
    // Its errors go to the caller, not to the journal.
    command.env_remove("JOURNAL_STREAM");
    if let Some(directory) = directory.filter(|directory| directory.is_dir()) {
        command.current_dir(directory);
    }
    command.stdin(descriptors.next().map_or_else(Stdio::null, Stdio::from)).stdout(stdout).stderr(stderr);
    from.write_all(&[BEGUN])?;
    Ok(failed(&path.display().to_string(), &command.exec(), &mut complaints))
}

fn failed(program: &str, error: &io::Error, complaints: &mut OwnedFd) -> ExitCode {
    let text = format!("tidegate: {program}: {error}\n");
    // Where even this cannot be written, the exit code says it.
    rustix::io::write(complaints, text.as_bytes()).ok();
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

fn receive_descriptors(from: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    rustix::net::recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)?;
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(rights.flatten().collect())
}
