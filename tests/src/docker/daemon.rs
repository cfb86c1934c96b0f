//! Slots, and the supervising shell that holds one. Owns the words spoken with `supervise.sh` and the paths of a slot;
//! must not know images or containers.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use super::{Disk, DockerError, LiveRestore, Options, START_PATIENCE};
use crate::programs;

/// How many daemons may run at once from one target directory.
const SLOTS: u32 = 16;
/// The shell program that owns a daemon.
const SUPERVISE: &str = include_str!("supervise.sh");
/// How many of the last characters of dockerd's log an error shows.
const LOG_TAIL: usize = 3000;
/// How often a disk's size is tried while others write to it.
const RESIZES: u32 = 100;

/// The places of one daemon.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    /// Sockets, log and lock: a short path, because a socket's may have only 107 bytes.
    run: PathBuf,
    /// dockerd's data root.
    data: PathBuf,
    /// What was loaded into it.
    pub(super) record: PathBuf,
    /// The size of its disk, if it has one of its own.
    disk: Disk,
    pub(super) scratch: PathBuf,
}

impl Slot {
    fn new(target: &Path, number: u32, disk: Disk) -> Self {
        let directory = target.join("docker-tests").join(format!("slot-{number}"));
        let name = format!("tg{:08x}-{number}", fnv(target.as_os_str().as_encoded_bytes()));
        let (data, record) = match disk {
            Disk::Shared => ("data", "loaded.json"),
            Disk::Own { .. } => ("small", "loaded-small.json"),
        };
        Self {
            run: Path::new("/run/tidegate-tests").join(&name),
            data: directory.join(data),
            record: directory.join(record),
            disk,
            scratch: directory.join("scratch"),
            name,
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.run.join("docker.sock")
    }

    pub(super) fn namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Changes the size of its own disk.
    pub(super) fn resize(&self, bytes: u64) -> Result<(), DockerError> {
        let failed = |detail| DockerError::Program { program: "mount", detail };
        if self.disk == Disk::Shared {
            return Err(failed("the daemon has no disk of its own".to_owned()));
        }
        let mut command = Command::new("mount");
        command.arg("-o").arg(format!("remount,size={bytes}")).arg(&self.data);
        let output = command.output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
    }

    /// Leaves so many bytes free on its own disk. Whoever writes between the look and the change makes the new size too
    /// small, which is refused: then it is looked again.
    pub(super) fn leave(&self, bytes: u64) -> Result<(), DockerError> {
        let mut tries = 0;
        loop {
            let disk = rustix::fs::statvfs(&self.data).map_err(|error| DockerError::Io(error.into()))?;
            let used = disk.f_blocks.saturating_sub(disk.f_bavail).saturating_mul(disk.f_frsize);
            match self.resize(used.saturating_add(bytes)) {
                Err(_) if tries < RESIZES => tries += 1,
                other => return other,
            }
        }
    }

    /// dockerd's data root.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn log(&self) -> String {
        fs_err::read_to_string(self.run.join("dockerd.log")).unwrap_or_default()
    }
}

/// FNV-1a, folded to 32 bits: namespaces are named machine-wide, so each target directory needs names of its own.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The shell that owns a slot's daemon.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) slot: Slot,
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    pub(super) fn in_a_free_slot(options: &Options) -> Result<Self, DockerError> {
        let target = programs::target_directory()?;
        for number in 0..SLOTS {
            let mut supervisor = Self::spawn(Slot::new(&target, number, options.disk), options)?;
            let answer = supervisor.answer()?;
            match answer.as_str() {
                "ready" => return Ok(supervisor),
                "busy" => {}
                _ => {
                    return Err(DockerError::Refused { order: "take a slot", answer });
                }
            }
        }
        Err(DockerError::NoFreeSlot(SLOTS))
    }

    fn spawn(slot: Slot, options: &Options) -> Result<Self, DockerError> {
        let mut command = Command::new("bash");
        command.args(["-c", SUPERVISE, "supervise", &slot.name]).arg(&slot.run).arg(&slot.data);
        if let Disk::Own { bytes } = slot.disk {
            command.env("SMALL_DISK", bytes.to_string());
        }
        if options.live_restore == LiveRestore::On {
            command.arg("--live-restore");
        }
        command.args(&options.flags);
        // A process group of its own: what ends the tests by a signal to their group must not end the one who cleans up.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().map_err(DockerError::Supervisor)?;
        let gone = || DockerError::Supervisor(std::io::ErrorKind::BrokenPipe.into());
        let orders = shell.stdin.take().ok_or_else(gone)?;
        let answers = shell.stdout.take().ok_or_else(gone)?;
        Ok(Self { slot, shell, orders: Some(orders), answers: BufReader::new(answers) })
    }

    fn answer(&mut self) -> Result<String, DockerError> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(DockerError::Supervisor)?;
        Ok(line.trim_end().to_owned())
    }

    pub(super) fn order(&mut self, order: &'static str, expected: &str) -> Result<(), DockerError> {
        let gone = || DockerError::Supervisor(std::io::ErrorKind::BrokenPipe.into());
        let orders = self.orders.as_mut().ok_or_else(gone)?;
        orders.write_all(format!("{order}\n").as_bytes()).map_err(DockerError::Supervisor)?;
        let answer = self.answer()?;
        if answer == expected { Ok(()) } else { Err(DockerError::Refused { order, answer }) }
    }

    pub(super) async fn await_answer(&self) -> Result<bollard::Docker, DockerError> {
        let socket = self.slot.socket();
        let connected = tokio::time::timeout(START_PATIENCE, async {
            loop {
                if let Some(client) = connect(&socket).await {
                    return client;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        connected.map_err(|_| {
            let log = self.slot.log();
            let start = log.len().saturating_sub(LOG_TAIL);
            DockerError::NoAnswer { log: log.get(start..).unwrap_or(&log).to_owned() }
        })
    }
}

/// A client, if the daemon at that socket answers, that speaks the version of the two which is older.
async fn connect(socket: &Path) -> Option<bollard::Docker> {
    const REQUEST_SECONDS: u64 = 120;
    let path = socket.to_str()?;
    let client =
        bollard::Docker::connect_with_unix(path, REQUEST_SECONDS, bollard::API_DEFAULT_VERSION).ok()?;
    client.negotiate_version().await.ok()
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its last answers are of no interest; that it has ended is: the slot is free only then.
        let _ended = self.shell.wait();
    }
}
