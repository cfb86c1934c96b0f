//! The three pipes, or the one terminal, between a command on the droplet and the agent.
//!
//! Owns the file descriptors on both sides. Must not know systemd, except that it takes descriptors or a terminal's path.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags},
    pty::OpenptFlags,
    termios::Winsize,
};
use tokio::{
    net::unix::pipe::{Receiver, Sender},
    sync::mpsc,
    task::JoinSet,
};

use super::HostExecError;
use crate::exec::{self, Command, Output, Stdin, TerminalSize, stdin::StdinQueue};

/// Makes an output of what was read.
type Wrap = fn(Vec<u8>) -> Output;

/// The agent's side.
pub(super) struct Stdio {
    stdin: Option<Sender>,
    wants_stdin: Stdin,
    outputs: Vec<(Receiver, Wrap)>,
    terminal: Option<OwnedFd>,
}

/// The command's side.
pub(super) enum Theirs {
    /// Input (none: the null device), output and error.
    Pipes {
        /// What the command reads.
        stdin: Option<OwnedFd>,
        /// Where it writes.
        stdout: OwnedFd,
        /// Where it complains.
        stderr: OwnedFd,
    },
    /// A terminal, by its path; held open so that the agent does not read its end before the command has opened it.
    Terminal {
        /// Such as `/dev/pts/3`.
        path: String,
        /// The agent's hold on it.
        hold: OwnedFd,
    },
}

impl Theirs {
    /// Output, error and input, where they are pipes: what can be given to a process that runs.
    pub(super) fn descriptors(&self) -> Option<Vec<BorrowedFd<'_>>> {
        match self {
            Self::Pipes { stdin, stdout, stderr } => {
                let outputs = [stdout.as_fd(), stderr.as_fd()];
                Some(outputs.into_iter().chain(stdin.as_ref().map(AsFd::as_fd)).collect())
            }
            Self::Terminal { .. } => None,
        }
    }

    /// What has to stay open after the start: the terminal, not the pipes.
    pub(super) fn after_start(self) -> Option<OwnedFd> {
        match self {
            Self::Pipes { .. } => None,
            Self::Terminal { hold, .. } => Some(hold),
        }
    }
}

/// What Ctrl-D types: a terminal has no other end of input.
const END_OF_INPUT: u8 = 4;

impl Stdio {
    /// Makes both sides.
    pub(super) fn open(command: &Command) -> Result<(Self, Theirs), HostExecError> {
        match command.terminal() {
            Some(size) => {
                terminal(size).map_err(|source| HostExecError::Stdio { what: "a terminal", source })
            }
            None => {
                pipes(command.stdin()).map_err(|source| HostExecError::Stdio { what: "the pipes", source })
            }
        }
    }

    /// Passes output on, each stream in a task of its own.
    pub(super) fn spawn_pumps(&mut self, outputs: &mpsc::Sender<Output>) -> JoinSet<()> {
        let mut pumps = JoinSet::new();
        for (from, wrap) in self.outputs.drain(..) {
            pumps.spawn(exec::pump(from, outputs.clone(), wrap));
        }
        pumps
    }

    /// The queue in front of the command's standard input.
    pub(super) fn take_stdin(&mut self) -> StdinQueue<Sender> {
        StdinQueue::new(self.stdin.take(), self.wants_stdin)
    }

    /// The caller sends nothing more.
    pub(super) fn close_stdin(&self, queue: &mut StdinQueue<Sender>) {
        match self.terminal {
            Some(_) => queue.push(vec![END_OF_INPUT]),
            None => queue.close(),
        }
    }

    /// The caller's terminal has another size; the kernel tells the command.
    pub(super) fn resize(&self, size: TerminalSize) {
        if let Some(terminal) = &self.terminal
            && let Err(error) = set_size(terminal.as_fd(), size)
        {
            tracing::debug!(%error, "the terminal keeps its size");
        }
    }
}

fn pipes(stdin: Stdin) -> io::Result<(Stdio, Theirs)> {
    let (ours_out, stdout) = io::pipe()?;
    let (ours_err, stderr) = io::pipe()?;
    let (their_in, our_in) = match stdin {
        Stdin::Open => io::pipe().map(|(reader, writer)| (Some(reader.into()), Some(writer)))?,
        Stdin::Closed => (None, None),
    };
    let stdin_writer = match our_in {
        Some(writer) => {
            rustix::io::ioctl_fionbio(&writer, true)?;
            Some(Sender::from_owned_fd(writer.into())?)
        }
        None => None,
    };
    rustix::io::ioctl_fionbio(&ours_out, true)?;
    rustix::io::ioctl_fionbio(&ours_err, true)?;
    let ours = Stdio {
        stdin: stdin_writer,
        wants_stdin: stdin,
        outputs: vec![
            (Receiver::from_owned_fd(ours_out.into())?, Output::Stdout),
            (Receiver::from_owned_fd(ours_err.into())?, Output::Stderr),
        ],
        terminal: None,
    };
    Ok((ours, Theirs::Pipes { stdin: their_in, stdout: stdout.into(), stderr: stderr.into() }))
}

fn terminal(size: TerminalSize) -> io::Result<(Stdio, Theirs)> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    set_size(master.as_fd(), size)?;
    let path = rustix::pty::ptsname(&master, Vec::new())?
        .into_string()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let hold =
        rustix::fs::open(path.as_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::ioctl_fionbio(&master, true)?;
    let ours = Stdio {
        // These are no pipes, but read and written like some.
        stdin: Some(Sender::from_file_unchecked(master.try_clone()?.into())?),
        wants_stdin: Stdin::Open,
        outputs: vec![(Receiver::from_file_unchecked(master.try_clone()?.into())?, Output::Stdout)],
        terminal: Some(master),
    };
    Ok((ours, Theirs::Terminal { path, hold }))
}

fn set_size(terminal: BorrowedFd<'_>, size: TerminalSize) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn command(terminal: Option<TerminalSize>) -> Command {
        Command::new(vec!["cat".to_owned()]).unwrap().with_stdin(Stdin::Open).with_terminal(terminal)
    }

    async fn collect(mut pumps: JoinSet<()>, mut received: mpsc::Receiver<Output>) -> Vec<Output> {
        while pumps.join_next().await.is_some() {}
        received.close();
        let mut all = Vec::new();
        while let Some(output) = received.recv().await {
            all.push(output);
        }
        all
    }

    #[tokio::test]
    async fn pipes_carry_both_outputs_to_their_end() {
        let (mut ours, theirs) = Stdio::open(&command(None)).unwrap();
        let Theirs::Pipes { stdin, stdout, stderr } = theirs else { panic!("no pipes") };
        let (sender, received) = mpsc::channel(8);
        let pumps = ours.spawn_pumps(&sender);
        let mut queue = ours.take_stdin();
        queue.push(b"question".to_vec());
        ours.close_stdin(&mut queue);
        while queue.is_busy() {
            queue.advance().await;
        }
        let mut asked = String::new();
        fs_err::File::from_parts(std::fs::File::from(stdin.unwrap()), "stdin")
            .read_to_string(&mut asked)
            .unwrap();
        assert_eq!(asked, "question");
        std::fs::File::from(stdout).write_all(b"answer").unwrap();
        std::fs::File::from(stderr).write_all(b"complaint").unwrap();
        let mut all = collect(pumps, received).await;
        all.sort_by_key(|output| matches!(output, Output::Stderr(_)));
        assert_eq!(all, [Output::Stdout(b"answer".to_vec()), Output::Stderr(b"complaint".to_vec())]);
    }

    #[tokio::test]
    async fn a_terminal_has_its_size_echoes_and_ends_when_the_command_closes_it() {
        let (mut ours, theirs) =
            Stdio::open(&command(Some(TerminalSize { columns: 132, rows: 43 }))).unwrap();
        let Theirs::Terminal { path, hold } = theirs else { panic!("no terminal") };
        assert!(path.starts_with("/dev/pts/"), "{path}");
        let size = rustix::termios::tcgetwinsize(&hold).unwrap();
        assert_eq!((size.ws_col, size.ws_row), (132, 43));
        ours.resize(TerminalSize { columns: 80, rows: 24 });
        assert_eq!(rustix::termios::tcgetwinsize(&hold).unwrap().ws_col, 80);
        let (sender, received) = mpsc::channel(8);
        let pumps = ours.spawn_pumps(&sender);
        let mut queue = ours.take_stdin();
        queue.push(b"hi\n".to_vec());
        queue.advance().await;
        let mut line = [0; 16];
        let mut slave = std::fs::File::from(hold);
        let length = slave.read(&mut line).unwrap();
        assert_eq!(line.get(..length), Some(&b"hi\n"[..]));
        drop(slave);
        let echoed = collect(pumps, received).await;
        assert_eq!(echoed, [Output::Stdout(b"hi\r\n".to_vec())]);
    }
}
