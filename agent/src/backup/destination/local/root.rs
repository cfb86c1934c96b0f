//! The directory itself, through its open descriptor: every step below it is one `openat` that follows no link.
//!
//! Owns every system call that changes it. Blocking.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, mkdirat, openat, renameat, renameat_with, unlinkat};

use super::super::{DestinationError, Put};
use crate::backup::{ByteCount, ObjectName, names::PARTIAL};

/// The root of a local destination.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    title: String,
}

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) file: File,
    place: Place,
}

/// A name in its open folder.
#[derive(Debug)]
struct Place {
    folder: OwnedFd,
    file: String,
    name: ObjectName,
}

/// What becomes of folders that are not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Made,
    Told,
}

const FOLDER: Mode = Mode::from_raw_mode(0o700);
const FILE: Mode = Mode::from_raw_mode(0o600);
const TO_FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self, DestinationError> {
        let title = format!("directory {}", path.display());
        let told = |what, source: io::Error| DestinationError::Io { at: title.clone(), what, source };
        match rustix::fs::mkdir(path, FOLDER) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(told("be made", error.into())),
        }
        // Whoever named the root may have named a link.
        let flags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);
        let directory = rustix::fs::open(path, flags, Mode::empty());
        let directory = directory.map_err(|error| told("be opened", error.into()))?;
        Ok(Self { directory, title })
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    fn told(&self, name: &ObjectName, what: &'static str) -> impl Fn(rustix::io::Errno) -> DestinationError {
        let (at, name) = (self.title.clone(), name.clone());
        move |error| DestinationError::of_io(&at, &name, what, error.into())
    }

    /// The folder of that name, open.
    pub(super) fn folder(&self, name: &ObjectName) -> Result<OwnedFd, DestinationError> {
        self.walk(name, name.segments(), Missing::Told)
    }

    fn walk<'n>(
        &self,
        name: &ObjectName,
        segments: impl Iterator<Item = &'n str>,
        missing: Missing,
    ) -> Result<OwnedFd, DestinationError> {
        let told = self.told(name, "open a folder");
        let mut here = openat(&self.directory, ".", TO_FOLDER, Mode::empty()).map_err(&told)?;
        for segment in segments {
            if missing == Missing::Made {
                match mkdirat(&here, segment, FOLDER) {
                    // Durable before what it will hold is.
                    Ok(()) => rustix::fs::fsync(&here).map_err(self.told(name, "make a folder"))?,
                    Err(rustix::io::Errno::EXIST) => {}
                    Err(error) => return Err(self.told(name, "make a folder")(error)),
                }
            }
            here = openat(&here, segment, TO_FOLDER, Mode::empty()).map_err(&told)?;
        }
        Ok(here)
    }

    fn place(&self, name: &ObjectName, missing: Missing) -> Result<Place, DestinationError> {
        let mut segments: Vec<&str> = name.segments().collect();
        let file = segments.pop().unwrap_or_default().to_owned();
        let folder = self.walk(name, segments.into_iter(), missing)?;
        Ok(Place { folder, file, name: name.clone() })
    }

    pub(super) fn begin(&self, name: &ObjectName) -> Result<Begun, DestinationError> {
        let place = self.place(name, Missing::Made)?;
        let partial = place.partial();
        // What a crash left is made anew: it may have other permissions.
        match unlinkat(&place.folder, &partial, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(self.told(name, "remove what was left of a file")(error)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&place.folder, &partial, flags, FILE).map_err(self.told(name, "make a file"))?;
        Ok(Begun { file: File::from(file), place })
    }

    /// Makes what was written durable and visible; an object of that name before it is replaced.
    pub(super) fn finish(&self, begun: &Begun) -> Result<(), DestinationError> {
        let Begun { file, place } = begun;
        let partial = place.partial();
        let finished = rustix::fs::fsync(file.as_fd())
            .and_then(|()| renameat(&place.folder, &partial, &place.folder, &place.file))
            .and_then(|()| rustix::fs::fsync(&place.folder));
        finished.map_err(self.told(&place.name, "finish a file"))
    }

    pub(super) fn abort(&self, begun: Begun) -> Result<(), DestinationError> {
        let Begun { file, place } = begun;
        drop(file);
        match unlinkat(&place.folder, place.partial(), AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(self.told(&place.name, "remove a file")(error)),
        }
        self.remove_empty(&place.name);
        Ok(())
    }

    pub(super) fn put_if_absent(&self, name: &ObjectName, content: &[u8]) -> Result<Put, DestinationError> {
        let mut begun = self.begin(name)?;
        let written = begun.file.write_all(content).and_then(|()| begun.file.sync_all());
        if let Err(source) = written {
            let error = DestinationError::of_io(&self.title, name, "write a file", source);
            // Why it was not written says more than why the rest could not be removed.
            drop(self.abort(begun));
            return Err(error);
        }
        let (place, partial) = (&begun.place, begun.place.partial());
        match renameat_with(&place.folder, &partial, &place.folder, &place.file, RenameFlags::NOREPLACE) {
            Ok(()) => {
                rustix::fs::fsync(&place.folder).map_err(self.told(name, "finish a file"))?;
                Ok(Put::Done)
            }
            Err(rustix::io::Errno::EXIST) => self.abort(begun).map(|()| Put::Existed),
            Err(error) => {
                drop(self.abort(begun));
                Err(self.told(name, "finish a file")(error))
            }
        }
    }

    pub(super) fn file(&self, name: &ObjectName) -> Result<File, DestinationError> {
        let place = self.place(name, Missing::Told)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&place.folder, &place.file, flags, Mode::empty());
        Ok(File::from(file.map_err(self.told(name, "open a file"))?))
    }

    pub(super) fn delete(&self, name: &ObjectName) -> Result<(), DestinationError> {
        let place = match self.place(name, Missing::Told) {
            Err(DestinationError::NotFound { .. }) => return Ok(()),
            place => place?,
        };
        match unlinkat(&place.folder, &place.file, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(self.told(name, "delete a file")(error)),
        }
        rustix::fs::fsync(&place.folder).map_err(self.told(name, "delete a file"))?;
        self.remove_empty(name);
        Ok(())
    }

    /// Removes the folders above a name that hold nothing any more. They harm nobody: that one stays is no error.
    fn remove_empty(&self, name: &ObjectName) {
        let mut segments: Vec<&str> = name.segments().collect();
        segments.pop();
        while let Some(last) = segments.pop() {
            let Ok(parent) = self.walk(name, segments.iter().copied(), Missing::Told) else { return };
            if unlinkat(&parent, last, AtFlags::REMOVEDIR).is_err() {
                return;
            }
        }
    }

    pub(super) fn free(&self) -> Result<ByteCount, DestinationError> {
        let disk = rustix::fs::fstatvfs(&self.directory).map_err(|error| DestinationError::Io {
            at: self.title.clone(),
            what: "tell its free space",
            source: error.into(),
        })?;
        Ok(ByteCount::new(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }
}

impl Begun {
    pub(super) fn name(&self) -> &ObjectName {
        &self.place.name
    }
}

impl Place {
    fn partial(&self) -> String {
        format!("{}{PARTIAL}", self.file)
    }
}
