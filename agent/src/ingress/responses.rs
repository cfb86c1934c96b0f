//! What services answered, and in what time, from Caddy's log of requests.
//!
//! # Format
//! `log/access.json`: a JSON object a line. When it is full, Caddy renames it `access-<time>.json` and begins anew; the two
//! last of these stay. A mark is the file (by its inode) and the place in it, so it outlives the rename.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
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

/// How a service answered, with how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// How many answers there were, by status.
    pub counts: ResponseCounts,
    /// The time within which 95 of 100 were given, on a scale with four steps from one time to its double.
    pub p95: Duration,
}

/// So much of the log's end is read at most, where a service's times are asked for: on a busy droplet that is enough to
/// judge by.
const MOST_AT_ONCE: u64 = 8 * 1024 * 1024;

/// No line is longer: a request's head is bounded by Caddy's configuration.
const MAX_LINE: u64 = 256 * 1024;

/// A line, as far as it matters.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    request: Request<'a>,
    status: u16,
    /// In seconds.
    #[serde(default)]
    duration: f64,
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
    for Unread { path, from, .. } in since(folder, mark)? {
        let Some(reader) = open(&path, from)? else { continue };
        each_line(reader, |line| {
            if let Some(service) = whose(&line.request.host, &line.request.uri) {
                counts.entry(service).or_default().add(line.status);
            }
        })?;
    }
    Ok(counts)
}

/// What was answered since the mark and how fast, by what `whose` names for a host and path, and how far the log was read: from
/// there the next one counts on, so that no line is counted twice or never. Of a long log only the end.
pub(super) fn answers<K: Ord>(
    folder: &Path,
    mark: &Mark,
    whose: impl Fn(&str, &str) -> Option<K>,
) -> io::Result<(BTreeMap<K, Answered>, Mark)> {
    let mut left = MOST_AT_ONCE;
    let mut files = Vec::new();
    for Unread { path, inode, from } in since(folder, mark)?.into_iter().rev() {
        let length = fs_err::metadata(&path).map_or(from, |file| file.len());
        let begin = from.max(length.saturating_sub(left));
        left = left.saturating_sub(length.saturating_sub(begin));
        files.push(Unread { path, inode, from: begin });
        if begin > from {
            break;
        }
    }
    let mut tallies: BTreeMap<K, (ResponseCounts, Times)> = BTreeMap::new();
    let mut read = *mark;
    for Unread { path, inode, from } in files.into_iter().rev() {
        let Some(reader) = open(&path, from)? else { continue };
        // Where the first line is half of one, it is no JSON and passes by.
        let length = each_line(reader, |line| {
            if let Some(key) = whose(&line.request.host, &line.request.uri) {
                let (counts, times) = tallies.entry(key).or_default();
                counts.add(line.status);
                times.add(line.duration);
            }
        })?;
        read = Mark { inode, length: from.saturating_add(length) };
    }
    let answered =
        |(key, (counts, times)): (K, (ResponseCounts, Times))| (key, Answered { counts, p95: times.p95() });
    Ok((tallies.into_iter().map(answered).collect(), read))
}

impl ResponseCounts {
    fn add(&mut self, status: u16) {
        self.total = self.total.saturating_add(1);
        self.server_errors = self.server_errors.saturating_add(u64::from(status >= 500));
    }
}

/// How many answers took how long: counts by the upper ends of steps, in microseconds.
#[derive(Default)]
struct Times(BTreeMap<u64, u64>);

impl Times {
    fn add(&mut self, seconds: f64) {
        let micros = Duration::try_from_secs_f64(seconds).map_or(0, |took| took.as_micros());
        let micros = u64::try_from(micros).unwrap_or(u64::MAX >> 2).clamp(4, u64::MAX >> 2);
        // The power of two below, and then in quarters of it.
        let power = 1_u64 << micros.ilog2();
        let quarter = power / 4;
        let steps = (micros - power).div_ceil(quarter);
        let count = self.0.entry(power.saturating_add(steps.saturating_mul(quarter))).or_default();
        *count = count.saturating_add(1);
    }

    fn p95(&self) -> Duration {
        let total = self.0.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let mut left = total.saturating_mul(95).div_ceil(100);
        for (micros, count) in &self.0 {
            left = left.saturating_sub(*count);
            if left == 0 {
                return Duration::from_micros(*micros);
            }
        }
        Duration::ZERO
    }
}

fn open(path: &Path, from: u64) -> io::Result<Option<BufReader<fs_err::File>>> {
    let mut file = match fs_err::File::open(path) {
        Ok(file) => file,
        // Caddy removes the oldest.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(from))?;
    Ok(Some(BufReader::new(file)))
}

/// A file, and where to begin in it.
struct Unread {
    path: PathBuf,
    inode: u64,
    from: u64,
}

/// The files to read, oldest first. When the mark's own is gone already: all that are there.
fn since(folder: &Path, mark: &Mark) -> io::Result<Vec<Unread>> {
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
    let unread = |(index, (_, path, inode, _))| {
        let from = if at == Some(index) { mark.length } else { 0 };
        Unread { path, inode, from }
    };
    Ok(read.map(unread).collect())
}

/// How many bytes the whole lines had.
fn each_line(mut reader: impl io::BufRead, mut take: impl FnMut(Line<'_>)) -> io::Result<u64> {
    let mut line = Vec::new();
    let mut all = 0_u64;
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        let read = u64::try_from(read).unwrap_or(MAX_LINE);
        // The last line may be half written: it counts the next time.
        if read == 0 || !line.ends_with(b"\n") && read < MAX_LINE {
            return Ok(all);
        }
        all = all.saturating_add(read);
        if let Ok(line) = serde_json::from_slice(&line) {
            take(line);
        }
    }
}

#[cfg(test)]
#[path = "responses_tests.rs"]
mod tests;
