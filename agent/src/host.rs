//! What this machine is: system, resources, load.
//!
//! Owns the measuring. Must not know who asks.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Where it is measured.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// The first of these that is there tells whose disk is told: Docker's data, else the agent's.
    disks: Vec<PathBuf>,
}

/// What was measured. Sizes are bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The machine's name.
    pub hostname: String,
    /// `Debian GNU/Linux 13 (trixie)`
    pub os: String,
    /// The kernel's version.
    pub kernel: String,
    /// Processors.
    pub cpus: u32,
    /// Memory.
    pub memory_total: u64,
    /// Memory that programs can have.
    pub memory_available: u64,
    /// Size of the disk.
    pub disk_total: u64,
    /// What is free of it for ordinary users.
    pub disk_available: u64,
    /// Since the start of the machine.
    pub uptime: Duration,
    /// Load average over one minute.
    pub load_1: f64,
    /// 1 or 2.
    pub cgroup_version: u32,
}

/// Why it could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No disk.
    #[error("the disk below {} could not be measured", .path.display())]
    Disk {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: rustix::io::Errno,
    },
    /// The system does not tell.
    #[error("memory, load or uptime could not be measured")]
    System(#[source] sysinfo::Error),
    /// It took too long: a file system hangs.
    #[error("the machine could not be measured within {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// What is free on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// In bytes, for ordinary users.
    pub bytes: u64,
    /// How many more files there may be; none where the file system has no such bound.
    pub files: Option<u64>,
}

/// What is free on the disk of a path.
///
/// # Errors
/// When it cannot be measured, or not in time.
pub async fn free(path: &Path) -> Result<Free, HostError> {
    let path = path.to_owned();
    let measure = move || match rustix::fs::statvfs(&path) {
        Ok(disk) => Ok(Free {
            bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            files: (disk.f_files > 0).then_some(disk.f_favail),
        }),
        Err(source) => Err(HostError::Disk { path, source }),
    };
    match tokio::time::timeout(TIMEOUT, tokio::task::spawn_blocking(measure)).await {
        Ok(Ok(free)) => free,
        Ok(Err(_)) | Err(_) => Err(HostError::Timeout),
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);

impl HostFacts {
    /// Measures the disk of Docker's data, or of the agent's state where there is no Docker.
    pub fn new(state_directory: &Path) -> Self {
        Self { disks: vec![PathBuf::from("/var/lib/docker"), state_directory.to_owned()] }
    }

    /// Measures now.
    ///
    /// # Errors
    /// When the disk cannot be measured.
    pub async fn measure(&self) -> Result<Measured, HostError> {
        let disks = self.disks.clone();
        let task = tokio::task::spawn_blocking(move || measure(&disks));
        match tokio::time::timeout(TIMEOUT, task).await {
            Ok(Ok(measured)) => measured,
            Ok(Err(_)) | Err(_) => Err(HostError::Timeout),
        }
    }
}

fn measure(disks: &[PathBuf]) -> Result<Measured, HostError> {
    let path = disks.iter().find(|path| path.exists()).cloned().unwrap_or_else(|| PathBuf::from("/"));
    let disk = rustix::fs::statvfs(&path).map_err(|source| HostError::Disk { path, source })?;
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let has_version_2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory).map_err(HostError::System)?;
    Ok(Measured {
        hostname: System::host_name().unwrap_or_default(),
        os: pretty_name().unwrap_or_default(),
        kernel: System::kernel_version().unwrap_or_default(),
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
        memory_total: system.total_memory(),
        memory_available: system.available_memory(),
        disk_total: disk.f_blocks.saturating_mul(disk.f_frsize),
        disk_available: disk.f_bavail.saturating_mul(disk.f_frsize),
        uptime: Duration::from_secs(System::uptime().map_err(HostError::System)?),
        load_1: System::load_average().map_err(HostError::System)?.one,
        cgroup_version: if has_version_2 { 2 } else { 1 },
    })
}

/// As the distribution calls itself.
fn pretty_name() -> Option<String> {
    let text = fs_err::read_to_string("/etc/os-release").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_can_be_measured() {
        let measured = HostFacts::new(Path::new("/")).measure().await.unwrap();
        assert!(!measured.hostname.is_empty() && !measured.kernel.is_empty() && !measured.os.is_empty());
        assert!(measured.cpus > 0 && measured.uptime > Duration::ZERO);
        assert!(measured.memory_available > 0 && measured.memory_available <= measured.memory_total);
        assert!(measured.disk_available <= measured.disk_total && measured.disk_total > 0);
        assert!(free(Path::new("/")).await.unwrap().bytes <= measured.disk_total);
        assert!(matches!(free(Path::new("/nowhere")).await, Err(HostError::Disk { .. })));
    }
}
