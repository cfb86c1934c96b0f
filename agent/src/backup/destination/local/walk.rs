//! Lists what is below a folder, page by page, holding open only the folders on the way to where it is. Blocking.

use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::{
    super::{DestinationError, Listed},
    root::Root,
};
use crate::backup::{ByteCount, ObjectName};

/// How many objects are listed at a time.
const PAGE: usize = 1000;
/// Backups lie six folders deep; nobody's tree is followed for ever.
const DEEPEST: usize = 16;

/// A listing under way.
pub(super) struct Walk {
    root: Arc<Root>,
    first: Option<ObjectName>,
    way: Vec<(ObjectName, Dir)>,
}

impl Walk {
    pub(super) fn new(root: Arc<Root>, folder: ObjectName) -> Self {
        Self { root, first: Some(folder), way: Vec::new() }
    }

    pub(super) fn root(&self) -> Arc<Root> {
        Arc::clone(&self.root)
    }

    /// The next objects; none at the end.
    pub(super) fn page(&mut self) -> Result<Vec<Listed>, DestinationError> {
        if let Some(first) = self.first.take() {
            self.enter(first)?;
        }
        let mut page = Vec::new();
        while page.len() < PAGE {
            let Some((folder, entries)) = self.way.last_mut() else { break };
            let Some(entry) = entries.next() else {
                self.way.pop();
                continue;
            };
            let told = |error: rustix::io::Errno| {
                DestinationError::of_io(self.root.title(), folder, "be listed", error.into())
            };
            let entry = entry.map_err(told)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let Ok(below) = ObjectName::segment(name).and_then(|name| folder.join(name.as_str())) else {
                continue;
            };
            let stat = match statat(entries.fd().map_err(told)?, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(told(error)),
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => self.enter(below)?,
                FileType::RegularFile => page.push(Listed {
                    name: below,
                    bytes: ByteCount::new(u64::try_from(stat.st_size).unwrap_or_default()),
                    modified: Timestamp::from_second(stat.st_mtime).unwrap_or(Timestamp::UNIX_EPOCH),
                }),
                _ => {}
            }
        }
        Ok(page)
    }

    fn enter(&mut self, name: ObjectName) -> Result<(), DestinationError> {
        if self.way.len() >= DEEPEST {
            return Ok(());
        }
        let folder = match self.root.folder(&name) {
            // Not there, or gone while we looked.
            Err(DestinationError::NotFound { .. }) => return Ok(()),
            folder => folder?,
        };
        let entries = Dir::new(folder)
            .map_err(|error| DestinationError::of_io(self.root.title(), &name, "be listed", error.into()))?;
        self.way.push((name, entries));
        Ok(())
    }
}
