//! What the agent itself takes, as the kernel tells it in `/proc/self`.

use std::{path::Path, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// What the agent takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Memory that is its own or shared with others and in the machine's memory now, in bytes; none where that is not told.
    pub resident: Option<u64>,
    /// Processor time since its start.
    pub cpu: Duration,
    /// Open files and connections; none where that is not told.
    pub files: Option<u64>,
}

/// Looks.
pub fn look() -> Process {
    let own = Path::new("/proc/self");
    let status = fs_err::read_to_string(own.join("status")).unwrap_or_default();
    let files = fs_err::read_dir(own.join("fd")).ok().map(Iterator::count);
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    Process {
        resident: resident(&status),
        cpu: Duration::try_from(cpu).unwrap_or_default(),
        files: files.and_then(|files| u64::try_from(files).ok()),
    }
}

/// `VmRSS:     19876 kB`
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_memory_time_and_files() {
        let process = look();
        assert!(process.resident.is_some_and(|bytes| bytes > 1 << 20), "{process:?}");
        assert!(process.cpu > Duration::ZERO && process.files.is_some_and(|files| files > 2), "{process:?}");
        assert_eq!(resident("Name:\ta\nVmRSS:\t   12 kB\nRssAnon: 4 kB\n"), Some(12 * 1024));
        assert_eq!(resident("VmRSS: much\n"), None);
    }
}
