//! A real Docker daemon for a test, in a network namespace of its own. Owns starting, ordering about and ending it
//! (through `docker/supervise.sh`), and what it holds at the start: no containers, networks or volumes, and no images but
//! those that [`Docker::load`] put there in an earlier test. Must not know what is tested.
//!
//! Each daemon has a *slot*: a data directory below `target/docker-tests/`, a directory of sockets below
//! `/run/tidegate-tests/`, and a network namespace, all named alike and locked while in use. Images stay in the slot's
//! data directory, so that the next test finds them loaded. When the owner ends, however it ends, the supervisor removes
//! the containers, the daemon and the namespace; should it be killed too, the next user of the slot does.

mod clean;
mod daemon;
mod images;
mod namespace;
mod registry;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use daemon::Supervisor;
pub use images::Image;
pub use namespace::run_inside;
pub use registry::Registry;

use crate::programs::ProgramError;

/// How long the daemon may take to answer after its start.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// What is special about a daemon.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether containers go on running while the daemon does not.
    pub live_restore: LiveRestore,
    /// Further command line arguments of dockerd, such as `--insecure-registry=10.0.2.100:5000`.
    pub flags: Vec<String>,
    /// Where the daemon keeps its data.
    pub disk: Disk,
}

/// Where a daemon keeps its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// With everything else of this machine; images stay for the next test.
    #[default]
    Shared,
    /// On a disk of its own (a tmpfs), which begins empty.
    Own {
        /// Its size.
        bytes: u64,
    },
}

/// Whether containers outlive a stopped daemon (`--live-restore`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiveRestore {
    /// They end with it, Docker's default.
    #[default]
    Off,
    /// They go on.
    On,
}

/// Why the test daemon is not there, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The target directory is not known.
    #[error("no place for the test daemon's data")]
    Place(#[from] ProgramError),
    /// The supervising shell could not be started or spoken to.
    #[error("the supervisor of the test daemon")]
    Supervisor(#[source] std::io::Error),
    /// The supervisor refused an order.
    #[error("the test daemon's supervisor answered `{answer}` to `{order}`")]
    Refused {
        /// The order given.
        order: &'static str,
        /// The supervisor's own words.
        answer: String,
    },
    /// All slots are in use.
    #[error("{0} test daemons run already; end those tests first")]
    NoFreeSlot(u32),
    /// The daemon did not answer in time; its log tells why.
    #[error("dockerd did not answer within {} s; its last lines:\n{log}", START_PATIENCE.as_secs())]
    NoAnswer {
        /// The end of dockerd's log.
        log: String,
    },
    /// The daemon's API refused a request.
    #[error("the test daemon refused to {action}")]
    Api {
        /// What was asked of it.
        action: String,
        /// Its answer.
        #[source]
        source: bollard::errors::Error,
    },
    /// An image could not be built or read.
    #[error("the image {image} is not to be had: {detail}")]
    Image {
        /// The recipe's name.
        image: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// A program inside the daemon's namespace failed.
    #[error("{program} in the test's network namespace: {detail}")]
    Program {
        /// The program.
        program: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// A thread could not enter the network namespace.
    #[error("cannot enter the network namespace {}", .path.display())]
    Namespace {
        /// Its file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Files of the daemon.
    #[error("files of the test daemon")]
    Io(#[source] std::io::Error),
}

impl DockerError {
    fn api(action: impl Into<String>) -> impl FnOnce(bollard::errors::Error) -> Self {
        let action = action.into();
        move |source| Self::Api { action, source }
    }
}

/// A running test daemon. Dropping it removes its containers and ends it.
#[derive(Debug)]
pub struct Docker {
    supervisor: Supervisor,
    client: bollard::Docker,
}

impl Docker {
    /// Starts a daemon with Docker's defaults.
    ///
    /// # Errors
    /// When the machine cannot run one: not root, packages missing, no free slot, or dockerd does not answer.
    pub async fn start() -> Result<Self, DockerError> {
        Self::start_with(Options::default()).await
    }

    /// Starts a daemon.
    ///
    /// # Errors
    /// As [`Docker::start`].
    pub async fn start_with(options: Options) -> Result<Self, DockerError> {
        let mut supervisor = Supervisor::in_a_free_slot(&options)?;
        if options.disk != Disk::Shared {
            // Of an earlier disk, which is gone.
            match fs_err::remove_file(&supervisor.slot.record) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(DockerError::Io(error));
                }
                _ => {}
            }
        }
        supervisor.order("start", "started")?;
        let client = supervisor.await_answer().await?;
        let docker = Self { supervisor, client };
        clean::empty(&docker.client, &docker.supervisor.slot).await?;
        Ok(docker)
    }

    /// A client of the daemon.
    pub fn client(&self) -> &bollard::Docker {
        &self.client
    }

    /// The daemon's unix socket, which is reachable from every network namespace.
    pub fn socket(&self) -> PathBuf {
        self.supervisor.slot.socket()
    }

    /// The daemon's address as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The file of the network namespace in which bridges, container addresses and published ports live.
    pub fn namespace(&self) -> PathBuf {
        self.supervisor.slot.namespace()
    }

    /// A command that will run inside the daemon's network namespace, with `DOCKER_HOST` set.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace().display())).arg("--").arg(program);
        command.env("DOCKER_HOST", self.host());
        command
    }

    /// Runs `work` on a thread of its own inside the daemon's network namespace: sockets opened there reach container
    /// addresses and published ports. A runtime that `work` makes must be a current-thread one.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or `work` panicked.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, DockerError> {
        namespace::run_inside(&self.namespace(), work)
    }

    /// Makes sure that the image is there, and gives its tag. The image is built if it was not built before.
    ///
    /// # Errors
    /// When it cannot be built, or the daemon refuses it.
    pub async fn load(&self, image: Image) -> Result<String, DockerError> {
        images::load(&self.client, &self.supervisor.slot, image).await
    }

    /// Starts a registry inside the namespace, at `127.0.0.1:5000`, to which the daemon pushes and from which it pulls.
    ///
    /// # Errors
    /// When docker-registry is not installed or does not answer.
    pub async fn registry(&self) -> Result<Registry, DockerError> {
        Registry::start(self).await
    }

    /// Stops the daemon as the service manager does, by TERM, and waits for its end.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn stop_daemon(&mut self) -> Result<(), DockerError> {
        self.supervisor.order("stop", "stopped")
    }

    /// Kills the daemon.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn kill_daemon(&mut self) -> Result<(), DockerError> {
        self.supervisor.order("kill", "killed")
    }

    /// Starts the daemon again after [`Docker::stop_daemon`] or [`Docker::kill_daemon`], and waits until it answers.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn start_daemon(&mut self) -> Result<(), DockerError> {
        self.supervisor.order("start", "started")?;
        self.client = self.supervisor.await_answer().await?;
        Ok(())
    }

    /// Makes the daemon's own disk larger or smaller; what is on it stays. See [`Disk::Own`].
    ///
    /// # Errors
    /// When it has none, or more is on it.
    pub fn resize_disk(&self, bytes: u64) -> Result<(), DockerError> {
        self.supervisor.slot.resize(bytes)
    }

    /// Leaves so many bytes free on the daemon's own disk, whoever writes to it meanwhile.
    ///
    /// # Errors
    /// When it has none.
    pub fn leave_on_disk(&self, bytes: u64) -> Result<(), DockerError> {
        self.supervisor.slot.leave(bytes)
    }

    /// Where the daemon keeps its data.
    pub fn data(&self) -> &Path {
        self.supervisor.slot.data()
    }

    /// What dockerd has logged so far.
    pub fn log(&self) -> String {
        self.supervisor.slot.log()
    }

    /// A directory for the test's own files that is emptied at the daemon's next start.
    pub fn scratch(&self) -> &Path {
        &self.supervisor.slot.scratch
    }
}

/// Runs `work` inside a daemon's network namespace (see [`Docker::namespace`]), as [`Docker::inside`] does, while somebody
/// else stops and starts the daemon.
///
/// # Errors
/// As [`Docker::inside`].
pub fn inside<T: Send>(namespace: &Path, work: impl FnOnce() -> T + Send) -> Result<T, DockerError> {
    namespace::run_inside(namespace, work)
}

#[cfg(test)]
#[path = "docker/tests.rs"]
mod tests;
