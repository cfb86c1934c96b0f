//! What services answered, from Caddy's log of requests.
//!
//! # Format
//! `log/access.json`: a JSON object a line. When it is full, Caddy renames it `access-<time>.json` and begins anew; the two
//! last of these stay. A mark is the file (by its inode) and the place in it, so it outlives the rename.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::config::ACCESS_FILE;
use crate::apps::ServiceName;

/// A moment in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The file; 0 when there was none.
    inode: u64,
    /// How much of it there was, in bytes.
    length: u64,
}

/// Answers by service; a service without any has no entry.
pub type Counts = BTreeMap<ServiceName, ResponseCounts>;

/// How many answers there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseCounts {
    /// All.
    pub total: u64,
    /// Those with status 500 and above, the ingress's own for a service that cannot be reached among them.
    pub server_errors: u64,
}

/// No line is longer: a request's head is bounded by Caddy's configuration.
const MAX_LINE: u64 = 256 * 1024;

/// A line, as far as it matters.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    request: Request<'a>,
    status: u16,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    host: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    uri: std::borrow::Cow<'a, str>,
}

/// Now.
pub(super) fn mark(folder: &Path) -> io::Result<Mark> {
    match fs_err::metadata(folder.join(ACCESS_FILE)) {
        Ok(file) => Ok(Mark { inode: file.ino(), length: file.len() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Mark::default()),
        Err(error) => Err(error),
    }
}

/// Counts what was written since the mark, by the service that `whose` names for a host and path.
pub(super) fn count(
    folder: &Path,
    mark: &Mark,
    whose: impl Fn(&str, &str) -> Option<ServiceName>,
) -> io::Result<Counts> {
    let mut counts = Counts::new();
    for (path, from) in since(folder, mark)? {
        let mut file = match fs_err::File::open(&path) {
            Ok(file) => file,
            // Caddy removes the oldest.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(from))?;
        count_lines(BufReader::new(file), &mut counts, &whose)?;
    }
    Ok(counts)
}

/// The files to read and where to begin in each, oldest first. When the mark's own is gone already: all that are there.
fn since(folder: &Path, mark: &Mark) -> io::Result<Vec<(PathBuf, u64)>> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let rolled = ACCESS_FILE.replace(".json", "-");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_rolled = name.starts_with(&rolled);
        if name != ACCESS_FILE && !is_rolled {
            continue;
        }
        // The names of rolled files are times, so they sort by age; the current one comes last.
        let order = (name == ACCESS_FILE, name.to_owned());
        if let Ok(metadata) = fs_err::metadata(&path) {
            files.push((order, path, metadata.ino(), metadata.len()));
        }
    }
    files.sort();
    let at = files.iter().position(|(_, _, inode, length)| *inode == mark.inode && *length >= mark.length);
    let read = files.into_iter().enumerate().filter(|(index, _)| at.is_none_or(|at| *index >= at));
    Ok(read.map(|(index, (_, path, ..))| (path, if at == Some(index) { mark.length } else { 0 })).collect())
}

fn count_lines(
    mut reader: impl io::BufRead,
    counts: &mut Counts,
    whose: &impl Fn(&str, &str) -> Option<ServiceName>,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        // The last line may be half written: it counts the next time.
        if read == 0 || !line.ends_with(b"\n") && u64::try_from(read).is_ok_and(|read| read < MAX_LINE) {
            return Ok(());
        }
        let Ok(Line { request, status }) = serde_json::from_slice(&line) else { continue };
        if let Some(service) = whose(&request.host, &request.uri) {
            let count = counts.entry(service).or_default();
            count.total = count.total.saturating_add(1);
            count.server_errors = count.server_errors.saturating_add(u64::from(status >= 500));
        }
    }
}

#[cfg(test)]
#[path = "responses_tests.rs"]
mod tests;
