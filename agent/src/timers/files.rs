//! The drop-ins of our timers: which there are, what has to change, and the change.
//!
//! Owns `<unit>.timer.d/schedule.conf` of units with our names, as long as its first line is ours. Must not touch what else
//! an admin puts there, nor talk to systemd.

use std::{
    collections::BTreeMap,
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use fs_err as fs;

use super::{TimerUnit, Wanted, templates, wanted::MARK};
use crate::store::{ReplaceError, atomic_replace, sync_directory};

const FILE: &str = "schedule.conf";
/// What a crash in [`atomic_replace`] leaves.
const TORN: &str = ".schedule.conf.new";
/// Ours have less than a hundredth of it.
const LARGEST: u64 = 64 << 10;

/// What stands where the drop-in of a unit would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One of ours, with this content.
    Ours(String),
    /// An empty directory, or one with half a file: what a crash leaves.
    Leftover,
    /// A file that somebody else wrote.
    Foreign,
}

impl Found {
    /// When the unit elapses, where the drop-in is ours.
    pub fn schedule(&self) -> Option<&str> {
        match self {
            Self::Ours(content) => content.lines().find_map(|line| line.strip_prefix("OnCalendar=")),
            Self::Leftover | Self::Foreign => None,
        }
    }
}

/// What there is, by unit. A unit that an admin alone configures is not among them.
pub type Present = BTreeMap<TimerUnit, Found>;

/// One change on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A drop-in is written, or replaced.
    Write {
        /// Whose.
        unit: TimerUnit,
        /// What will stand there.
        content: String,
    },
    /// A drop-in goes, and its directory when nothing else is in it.
    Remove(TimerUnit),
}

/// What brings an app's drop-ins to what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes, in their order.
    pub changes: Vec<Change>,
}

impl Plan {
    /// The units that go: to be stopped and disabled before the plan is applied.
    pub fn removed(&self) -> impl Iterator<Item = &TimerUnit> {
        self.changes.iter().filter_map(|change| match change {
            Change::Remove(unit) => Some(unit),
            Change::Write { .. } => None,
        })
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Where ours would stand is a file that somebody else wrote.
    #[error(
        "{0}.timer.d/schedule.conf was not written by tidegate, so it is not replaced; rename it, and what it says holds beside the schedule of the Compose file"
    )]
    Foreign(TimerUnit),
}

/// Compares what there is with what an app wants. Other apps' drop-ins are left alone.
///
/// # Errors
/// When a file of somebody else's is in the way.
pub fn plan(present: &Present, wanted: &Wanted) -> Result<Plan, PlanError> {
    let is_old = |(unit, found): &(&TimerUnit, &Found)| {
        unit.instance().app() == wanted.app() && !wanted.has(unit) && **found != Found::Foreign
    };
    let old = present.iter().filter(is_old);
    let mut changes: Vec<Change> = old.map(|(unit, _)| Change::Remove(unit.clone())).collect();
    for timer in wanted.timers() {
        let content = timer.render();
        match present.get(&timer.unit) {
            Some(Found::Ours(there)) if *there == content => {}
            Some(Found::Foreign) => return Err(PlanError::Foreign(timer.unit.clone())),
            Some(Found::Ours(_) | Found::Leftover) | None => {
                changes.push(Change::Write { unit: timer.unit.clone(), content });
            }
        }
    }
    Ok(Plan { changes })
}

/// Why the drop-ins could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum UnitFilesError {
    /// What is there could not be seen.
    #[error("could not read the timers in {}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// What the system said, with the file.
        source: io::Error,
    },
    /// A drop-in could not be written; the former one stands.
    #[error("could not write when {unit} elapses")]
    Write {
        /// Whose.
        unit: TimerUnit,
        /// What the system said.
        source: ReplaceError,
    },
    /// A template could not be written; the former one, if any, stands.
    #[error(
        "could not write {name}; may the agent write there? its unit needs ReadWritePaths=-/etc/systemd/system"
    )]
    Template {
        /// Which.
        name: &'static str,
        /// What the system said.
        source: ReplaceError,
    },
    /// A directory for a drop-in could not be made.
    #[error(
        "could not make {}; may the agent write there? its unit needs ReadWritePaths=-/etc/systemd/system", path.display()
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A drop-in could not be removed.
    #[error("could not remove the drop-in of {unit}; its timer goes on until that is done")]
    Remove {
        /// Whose.
        unit: TimerUnit,
        /// What the system said, with the file.
        source: io::Error,
    },
}

/// The directory of systemd's units; `/etc/systemd/system` on a droplet.
#[derive(Clone, Debug)]
pub struct UnitFiles {
    directory: PathBuf,
}

impl UnitFiles {
    /// Changes nothing yet.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// What there is of all apps.
    ///
    /// # Errors
    /// When a directory or file cannot be read.
    pub fn present(&self) -> Result<Present, UnitFilesError> {
        let read = |source| UnitFilesError::Read { path: self.directory.clone(), source };
        let mut present = Present::new();
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(present),
            other => other.map_err(read)?,
        };
        for entry in entries {
            let entry = entry.map_err(read)?;
            let name = entry.file_name();
            let unit = name.to_str().and_then(|name| TimerUnit::parse_timer(name.strip_suffix(".d")?));
            let Some(unit) = unit.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_dir())) else {
                continue;
            };
            if let Some(found) = look(&entry.path()).map_err(read)? {
                present.insert(unit, found);
            }
        }
        Ok(present)
    }

    /// Writes the templates that are not there, or another version's.
    ///
    /// # Errors
    /// When one cannot be written; the former one stands.
    pub fn write_templates(&self) -> Result<(), UnitFilesError> {
        let written = templates::write(&self.directory, &templates::TEMPLATES);
        written.map_err(|(name, source)| UnitFilesError::Template { name, source })
    }

    /// Writes the units that every droplet has, where they are not there, or another version's.
    ///
    /// # Errors
    /// When one cannot be written; the former one stands.
    pub fn write_standing(&self) -> Result<(), UnitFilesError> {
        let written = templates::write(&self.directory, &templates::STANDING);
        written.map_err(|(name, source)| UnitFilesError::Template { name, source })
    }

    /// Writes what apps' units are instances of, where it is not there, or another version's; whether it did.
    ///
    /// # Errors
    /// When it cannot be written; the former one stands.
    pub fn write_app_template(&self) -> Result<(), UnitFilesError> {
        let written = templates::write(&self.directory, &templates::APP);
        written.map_err(|(name, source)| UnitFilesError::Template { name, source })
    }

    /// Makes all changes, in their order.
    ///
    /// # Errors
    /// At the first that fails; those before it stand, and a new plan tells the rest.
    pub fn apply(&self, plan: &Plan) -> Result<(), UnitFilesError> {
        plan.changes.iter().try_for_each(|change| self.carry_out(change))
    }

    fn carry_out(&self, change: &Change) -> Result<(), UnitFilesError> {
        match change {
            Change::Write { unit, content } => self.write(unit, content),
            Change::Remove(unit) => {
                let failed = |source| UnitFilesError::Remove { unit: unit.clone(), source };
                remove(&self.drop_ins(unit)).and_then(|()| sync_directory(&self.directory)).map_err(failed)
            }
        }
    }

    fn write(&self, unit: &TimerUnit, content: &str) -> Result<(), UnitFilesError> {
        let path = self.drop_ins(unit);
        let made = match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // The agent's umask takes away what `systemctl cat` needs for other users.
            Ok(()) => fs::set_permissions(&path, Permissions::from_mode(0o755))
                .and_then(|()| sync_directory(&self.directory)),
            Err(error) => Err(error),
        };
        made.map_err(|source| UnitFilesError::Directory { path: path.clone(), source })?;
        atomic_replace(&path.join(FILE), content.as_bytes(), 0o644)
            .map_err(|source| UnitFilesError::Write { unit: unit.clone(), source })
    }

    fn drop_ins(&self, unit: &TimerUnit) -> PathBuf {
        self.directory.join(format!("{}.d", unit.timer()))
    }
}

/// What stands in the drop-in directory of one of our units; nothing when only an admin's files do.
fn look(directory: &Path) -> io::Result<Option<Found>> {
    let path = directory.join(FILE);
    match fs::symlink_metadata(&path) {
        Ok(file) if !file.is_file() || file.len() > LARGEST => return Ok(Some(Found::Foreign)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            for entry in fs::read_dir(directory)? {
                if entry?.file_name() != TORN {
                    return Ok(None);
                }
            }
            return Ok(Some(Found::Leftover));
        }
        Err(error) => return Err(error),
    }
    let content = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    let is_ours = content.lines().next() == Some(MARK);
    Ok(Some(if is_ours { Found::Ours(content) } else { Found::Foreign }))
}

fn remove(directory: &Path) -> io::Result<()> {
    let gone = |outcome: io::Result<()>| match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    gone(fs::remove_file(directory.join(FILE)))?;
    gone(fs::remove_file(directory.join(TORN)))?;
    match fs::remove_dir(directory) {
        // An admin's own drop-ins stay where they are.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => gone(other),
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
