//! What is on disk about a machine, in `machines/<droplet id>/` (mode 0700) of the state directory:
//!
//! | file | what |
//! |---|---|
//! | `machine.json` | [`Record`]: layout version, the spec, files it boots from, its process; 0600, for user data holds secrets |
//! | `disk.qcow2` | an overlay on the base image in the cache, which must stay there |
//! | `console.log` | the serial console, appended at every start |
//! | `qemu.log` | what QEMU said since the last start |
//! | `qmp.sock`, `metadata.sock`, `vpc.sock`, `hub.sock` | sockets |
//!
//! `machine.json` is replaced as a whole (written beside, synced, renamed, directory synced): after a crash it is the old or
//! the new one. A directory without it is the rest of an interrupted creation or removal, and counts as no machine.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{files::replace_file, machine::MachineSpec, process::ProcessId};

/// The layout that this program writes.
const VERSION: u32 = 1;
const FILE: &str = "machine.json";

/// What was last asked of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// That it runs.
    Running,
    /// That it is off.
    Off,
    /// That it sleeps while the sandbox does, and runs again when it is started.
    Asleep,
}

/// One machine on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Layout of this file.
    pub version: u32,
    /// What the account wants.
    pub spec: MachineSpec,
    /// Directory of the base image that the disk lies upon.
    pub base: PathBuf,
    /// What was last asked of it.
    pub wanted: Wanted,
    /// Its process, if it was started.
    pub process: Option<ProcessId>,
}

impl Record {
    /// A machine that was never started.
    pub fn new(spec: MachineSpec, base: PathBuf) -> Self {
        Self { version: VERSION, spec, base, wanted: Wanted::Off, process: None }
    }

    /// Reads it; `None` if there is no machine.
    ///
    /// # Errors
    /// When it cannot be read or was not written by this layout.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        let path = dir.join(FILE);
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let malformed = |why: String| {
            let text = format!(
                "{} is not a machine of this version ({why}); `tidegate-sandbox reset` starts anew",
                path.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if record.version != VERSION {
            return Err(malformed(format!("layout {}", record.version)));
        }
        Ok(Some(record))
    }

    /// Replaces it.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        replace_file(dir, FILE, &serde_json::to_vec_pretty(self).map_err(io::Error::other)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_record_comes_back_private_and_of_its_version_only() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), None);
        let mut record = Record::new(crate::qemu::command::tests::spec(), "/cache/base".into());
        record.process = Some(ProcessId { pid: 7, start_ticks: 8, boot_id: "b".to_owned() });
        record.write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), Some(record.clone()));
        let mode = fs_err::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Record { version: 99, ..record }.write(dir.path()).unwrap();
        assert!(Record::read(dir.path()).unwrap_err().to_string().contains("layout 99"));
        fs_err::write(dir.path().join(FILE), "{").unwrap();
        assert!(Record::read(dir.path()).unwrap_err().to_string().contains(FILE));
    }
}
