//! One machine: its directory, its process, and what is served to it. Its owner holds a lock while it calls; nothing here
//! is done twice at once for the same machine.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    net::UnixStream,
    process::Command,
    time::{Instant, sleep, timeout},
};

use super::{
    Shared,
    command::{self, BootFiles},
    metadata::MetadataService,
    power,
    qmp::{Qmp, QmpError},
    record::{Record, Wanted},
};
use crate::{
    files::{last_lines, private_dir, remove_if_there},
    machine::{MachineError, MachineSpec, MachineState},
    process::{Detached, Life, ProcessId},
};

/// How long QEMU may take until its monitor answers.
const START: Duration = Duration::from_mins(1);
/// How long a killed process may take to be gone.
const KILL: Duration = Duration::from_secs(30);
/// How long `qemu-img` may take.
const DISK: Duration = Duration::from_mins(1);
/// A console log that is larger is put aside at the next start.
const CONSOLE_LIMIT: u64 = 4 * 1024 * 1024;
const QEMU_LOG: &str = "qemu.log";

/// One machine.
#[derive(Debug)]
pub(super) struct Machine {
    droplet_id: u64,
    dir: PathBuf,
    shared: Arc<Shared>,
    metadata: Option<MetadataService>,
}

impl Machine {
    pub(super) fn new(droplet_id: u64, shared: Arc<Shared>) -> Self {
        let dir = shared.machines_dir.join(droplet_id.to_string());
        Self { droplet_id, dir, shared, metadata: None }
    }

    pub(super) async fn create(&mut self, spec: &MachineSpec) -> Result<(), MachineError> {
        if self.record()?.is_none() {
            let base = self.shared.images.find(&spec.image)?;
            private_dir(&self.dir)?;
            self.make_disk(&base.disk(), spec.disk_gib).await?;
            Record::new(spec.clone(), base.dir).write(&self.dir)?;
        }
        self.power_on(spec).await
    }

    pub(super) async fn power_on(&mut self, spec: &MachineSpec) -> Result<(), MachineError> {
        let mut record = self.existing().await?;
        record.spec = spec.clone();
        record.wanted = Wanted::Running;
        record.write(&self.dir)?;
        self.serve(spec)?;
        if alive(&record)? {
            return Ok(());
        }
        self.start(&mut record).await
    }

    pub(super) async fn adopt(&mut self, spec: &MachineSpec) -> Result<MachineState, MachineError> {
        let Some(record) = self.load().await? else {
            return Ok(MachineState::Absent);
        };
        let life = record.process.as_ref().map(ProcessId::life).transpose()?;
        match (life, record.wanted) {
            (Some(Life::Alive), _) => {
                self.serve(spec)?;
                power::end_pause(&self.qmp_socket()).await.map_err(|error| self.monitor_failed(&error))?;
                Ok(MachineState::Running)
            }
            // It slept with the sandbox, or the host went down under it; a guest that switched itself off stays off.
            (_, Wanted::Asleep) | (Some(Life::EndedWithHost), Wanted::Running) => {
                self.power_on(spec).await?;
                Ok(MachineState::Running)
            }
            _ => Ok(MachineState::Off),
        }
    }

    pub(super) fn state(&self) -> Result<MachineState, MachineError> {
        Ok(match self.record()? {
            None => MachineState::Absent,
            Some(record) if alive(&record)? => MachineState::Running,
            Some(_) => MachineState::Off,
        })
    }

    pub(super) async fn power_off(&mut self, wanted: Wanted) -> Result<(), MachineError> {
        let Some(mut record) = self.load().await? else {
            return Ok(());
        };
        if let Some(process) = &record.process {
            // Power is cut, not switched off: what the guest did not sync is lost, as it would be.
            self.kill(process).await?;
        }
        record.wanted = wanted;
        record.process = None;
        record.write(&self.dir)?;
        self.unserve();
        Ok(())
    }

    pub(super) async fn shutdown(&mut self, patience: Duration, wanted: Wanted) -> Result<(), MachineError> {
        let Some(record) = self.load().await? else {
            return Ok(());
        };
        if let Some(process) = record.process.as_ref().filter(|_| alive(&record).unwrap_or(true)) {
            let deadline = Instant::now() + patience;
            let mut off = false;
            while !off && Instant::now() < deadline {
                self.press_power_button(process).await?;
                let left = deadline.saturating_duration_since(Instant::now());
                off = process.wait(left.min(power::PRESS_AGAIN)).await?;
            }
            if !off && process.is_alive()? {
                return Err(self.timed_out("shut down", patience));
            }
        }
        self.power_off(wanted).await
    }

    pub(super) async fn reboot(&mut self) -> Result<(), MachineError> {
        let record = self.existing().await?;
        if !alive(&record)? {
            return Err(MachineError::NotRunning(self.droplet_id));
        }
        match power::reboot(&self.qmp_socket()).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.monitor_failed(&error)),
        }
    }

    pub(super) async fn destroy(&mut self) -> Result<(), MachineError> {
        if let Some(process) = self.load().await?.and_then(|record| record.process) {
            self.kill(&process).await?;
        }
        self.unserve();
        match fs_err::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn record(&self) -> io::Result<Option<Record>> {
        Record::read(&self.dir)
    }

    /// The record, with the process that really runs: a sandbox killed between starting QEMU and writing that down left
    /// one that the record does not know, but whose monitor answers.
    async fn load(&self) -> io::Result<Option<Record>> {
        let Some(mut record) = self.record()? else {
            return Ok(None);
        };
        if alive(&record)? {
            return Ok(Some(record));
        }
        let Ok(monitor) = UnixStream::connect(self.qmp_socket()).await else {
            return Ok(Some(record));
        };
        let pid = monitor.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
        if let Some(process) = pid.map(ProcessId::of).transpose()?.flatten() {
            record.process = Some(process);
            record.write(&self.dir)?;
        }
        Ok(Some(record))
    }

    async fn existing(&self) -> Result<Record, MachineError> {
        self.load().await?.ok_or(MachineError::NoMachine(self.droplet_id))
    }

    /// What the guest needs of this process: its metadata, and its cable to the VPC.
    fn serve(&mut self, spec: &MachineSpec) -> io::Result<()> {
        if let Some(service) = &self.metadata {
            service.update(spec);
        } else {
            self.metadata = Some(MetadataService::start(spec, &self.dir.join(command::METADATA_SOCKET))?);
        }
        if let Some(vpc) = &spec.vpc {
            self.shared.hub.plug(&vpc.id, self.droplet_id, &self.dir)?;
        }
        Ok(())
    }

    fn unserve(&mut self) {
        self.metadata = None;
        self.shared.hub.unplug(self.droplet_id);
    }

    async fn make_disk(&self, base: &Path, gib: u32) -> Result<(), MachineError> {
        let beside = self.dir.join("disk.qcow2.new");
        let mut program = Command::new("qemu-img");
        program
            .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
            .arg(base)
            .arg(&beside)
            .arg(format!("{gib}G"));
        run("qemu-img", &mut program, DISK).await?;
        fs_err::rename(&beside, self.dir.join(command::DISK))?;
        Ok(())
    }

    async fn start(&self, record: &mut Record) -> Result<(), MachineError> {
        self.turn_console_log()?;
        let boot = BootFiles { kernel: record.base.join("kernel"), initrd: record.base.join("initrd") };
        if !boot.kernel.exists() {
            return Err(MachineError::BaseGone(record.base.clone()));
        }
        // Sockets of the run before would be taken for this one's.
        for name in [command::QMP_SOCKET, command::VPC_SOCKET] {
            remove_if_there(&self.dir.join(name))?;
        }
        let args = command::arguments(&record.spec, &boot, &self.shared.host);
        let detached = Detached {
            program: Path::new(command::QEMU),
            args: &args,
            dir: &self.dir,
            log: self.dir.join(QEMU_LOG),
        };
        let process = detached.spawn().map_err(|error| self.qemu_failed(&error.to_string()))?;
        record.process = Some(process.clone());
        record.write(&self.dir)?;
        self.until_it_answers(&process).await
    }

    async fn until_it_answers(&self, process: &ProcessId) -> Result<(), MachineError> {
        let deadline = Instant::now() + START;
        loop {
            match Qmp::connect(&self.qmp_socket()).await {
                Ok(_) => return Ok(()),
                Err(_) if !process.is_alive()? => return Err(self.qemu_failed("it ended at once")),
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(30)).await,
                Err(error) => {
                    process.signal(Signal::KILL)?;
                    return Err(self.monitor_failed(&error));
                }
            }
        }
    }

    /// Presses the power button; that nobody is there to see it is told by the process.
    async fn press_power_button(&self, process: &ProcessId) -> Result<(), MachineError> {
        match power::press_button(&self.qmp_socket()).await {
            Err(error) if process.is_alive()? => Err(self.monitor_failed(&error)),
            _ => Ok(()),
        }
    }

    fn qmp_socket(&self) -> PathBuf {
        self.dir.join(command::QMP_SOCKET)
    }

    async fn kill(&self, process: &ProcessId) -> Result<(), MachineError> {
        process.signal(Signal::KILL)?;
        // The disk is locked until it is really gone.
        if process.wait(KILL).await? { Ok(()) } else { Err(self.timed_out("end", KILL)) }
    }

    fn turn_console_log(&self) -> io::Result<()> {
        let log = self.dir.join(command::CONSOLE_LOG);
        match fs_err::metadata(&log) {
            Ok(about) if about.len() > CONSOLE_LIMIT => fs_err::rename(&log, self.dir.join("console.log.1")),
            _ => Ok(()),
        }
    }

    fn timed_out(&self, action: &'static str, waited: Duration) -> MachineError {
        MachineError::TimedOut { droplet_id: self.droplet_id, action, waited }
    }

    fn monitor_failed(&self, error: &QmpError) -> MachineError {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        MachineError::Program {
            program: command::QEMU,
            detail: format!("droplet {}: {error}{cause}", self.droplet_id),
        }
    }

    fn qemu_failed(&self, what: &str) -> MachineError {
        let log = self.dir.join(QEMU_LOG);
        let said = last_lines(&fs_err::read_to_string(&log).unwrap_or_default(), 5);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        MachineError::Program {
            program: command::QEMU,
            detail: format!("{what}{said} ({}); `script/setup-sandbox` installs it", log.display()),
        }
    }
}

fn alive(record: &Record) -> io::Result<bool> {
    record.process.as_ref().map_or(Ok(false), ProcessId::is_alive)
}

async fn run(name: &'static str, program: &mut Command, patience: Duration) -> Result<(), MachineError> {
    let failed = |detail: String| MachineError::Program { program: name, detail };
    let output = timeout(patience, program.kill_on_drop(true).output())
        .await
        .map_err(|_| failed(format!("it did not end within {} s", patience.as_secs())))?
        .map_err(|error| failed(format!("{error}; `script/setup-sandbox` installs it")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(last_lines(&String::from_utf8_lossy(&output.stderr), 5)))
}
