//! Processes that outlive the one that started them. A process is known by number, start time and the boot it belongs to, so
//! that a number which was given to someone else is never signalled. Knows nothing of what the processes are.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::{process::Command, time::Instant};

const POLL: Duration = Duration::from_millis(20);

/// One process, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the host's boot.
    pub start_ticks: u64,
    /// The host's boot.
    pub boot_id: String,
}

/// What is known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It ended.
    Ended,
    /// The host was restarted since.
    EndedWithHost,
}

impl ProcessId {
    /// The process that has this number now; `None` if there is none.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        match stat(pid)? {
            Some(stat) if !stat.is_dead() => {
                Ok(Some(Self { pid, start_ticks: stat.start_ticks, boot_id: boot_id()? }))
            }
            _ => Ok(None),
        }
    }

    /// Whether it lives.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn life(&self) -> io::Result<Life> {
        if boot_id()? != self.boot_id {
            return Ok(Life::EndedWithHost);
        }
        Ok(match stat(self.pid)? {
            Some(stat) if stat.start_ticks == self.start_ticks && !stat.is_dead() => Life::Alive,
            _ => Life::Ended,
        })
    }

    /// Whether it runs.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn is_alive(&self) -> io::Result<bool> {
        Ok(self.life()? == Life::Alive)
    }

    /// Sends it a signal; nothing happens if it is gone.
    ///
    /// # Errors
    /// When it may not be signalled.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let number = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(number) = number else { return Ok(()) };
        // The handle is taken before the start time is compared: from then on it cannot come to mean someone else.
        let handle = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if !self.is_alive()? {
            return Ok(());
        }
        match pidfd_send_signal(&handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it is gone, at most `patience`; tells whether it is.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub async fn wait(&self, patience: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + patience;
        loop {
            if !self.is_alive()? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks it to end, and ends it after `patience`.
    ///
    /// # Errors
    /// When it cannot be signalled, or is still there after being killed.
    pub async fn end(&self, patience: Duration) -> io::Result<()> {
        self.signal(Signal::TERM)?;
        if self.wait(patience).await? {
            return Ok(());
        }
        self.signal(Signal::KILL)?;
        if self.wait(Duration::from_secs(10)).await? {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("process {} does not end, even when killed", self.pid),
        ))
    }
}

/// A program to be started in a session of its own, so that it does not end with the terminal or the daemon.
#[derive(Debug)]
pub struct Detached<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [String],
    /// Its working directory.
    pub dir: &'a Path,
    /// Where its output goes; replaced.
    pub log: PathBuf,
}

impl Detached<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started, or ended at once (its log says why).
    pub fn spawn(&self) -> io::Result<ProcessId> {
        let (log, _path) = fs_err::File::create(&self.log)?.into_parts();
        // `setsid` replaces itself by the program, so the number is the program's.
        let mut child = Command::new("setsid")
            .arg("--")
            .arg(self.program)
            .args(self.args)
            .current_dir(self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("a new process has no number"))?;
        let process = ProcessId::of(pid)?;
        tokio::spawn(async move { child.wait().await });
        process.ok_or_else(|| io::Error::other(format!("{} ended at once", self.program.display())))
    }
}

/// What `/proc/PID/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    threads: u32,
    start_ticks: u64,
}

impl Stat {
    /// A process whose first thread has ended is told as a zombie while others of its threads still run, and hold its ports.
    fn is_dead(self) -> bool {
        match self.state {
            'Z' => self.threads <= 1,
            state => matches!(state, 'X' | 'x'),
        }
    }

    /// The name, second and in parentheses, may contain anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        // Fields 3, 20 and 22 of the whole line.
        let state = fields.next()?.chars().next()?;
        let threads = fields.nth(16)?.parse().ok()?;
        let start_ticks = fields.nth(1)?.parse().ok()?;
        Some(Self { state, threads, start_ticks })
    }
}

fn stat(pid: u32) -> io::Result<Option<Stat>> {
    let text = match fs_err::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => text,
        Err(error) if gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    Stat::parse(&text).map(Some).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not as expected"))
    })
}

fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

fn boot_id() -> io::Result<String> {
    Ok(fs_err::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> ProcessId {
        let detached =
            Detached { program: Path::new("sleep"), args: &["60".to_owned()], dir, log: dir.join("log") };
        detached.spawn().unwrap()
    }

    #[test]
    fn a_process_lives_while_any_of_its_threads_does() {
        let line = |state: char, threads: u32| {
            let text = format!("7 (a) b (c) {state} 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 {threads} 0 4711 1 2");
            Stat::parse(&text).unwrap()
        };
        assert_eq!(line('S', 1), Stat { state: 'S', threads: 1, start_ticks: 4711 });
        assert!(!line('Z', 4).is_dead());
        assert!(line('Z', 1).is_dead());
        assert!(line('X', 4).is_dead());
    }

    #[tokio::test]
    async fn a_process_is_found_ended_and_gone() {
        let dir = tempfile::tempdir().unwrap();
        let process = sleeper(dir.path());
        assert!(process.is_alive().unwrap());
        assert_eq!(ProcessId::of(process.pid).unwrap().as_ref(), Some(&process));
        process.end(Duration::from_secs(5)).await.unwrap();
        assert_eq!(process.life().unwrap(), Life::Ended);
        process.signal(Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn a_number_that_was_given_to_someone_else_is_not_signalled() {
        let dir = tempfile::tempdir().unwrap();
        let process = sleeper(dir.path());
        let earlier = ProcessId { start_ticks: process.start_ticks - 1, ..process.clone() };
        let other_boot = ProcessId { boot_id: "another".to_owned(), ..process.clone() };
        assert_eq!(earlier.life().unwrap(), Life::Ended);
        assert_eq!(other_boot.life().unwrap(), Life::EndedWithHost);
        earlier.signal(Signal::KILL).unwrap();
        other_boot.signal(Signal::KILL).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(process.is_alive().unwrap());
        process.end(Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn a_missing_program_is_told_by_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let detached =
            Detached { program: Path::new("no-such-program"), args: &[], dir: dir.path(), log: log.clone() };
        if let Ok(process) = detached.spawn() {
            assert!(process.wait(Duration::from_secs(5)).await.unwrap());
        }
        assert!(fs_err::read_to_string(log).unwrap().contains("no-such-program"));
    }
}
