//! A journal in a file, for programs without a database.
//!
//! # Format (version 1)
//! The first line is `tidegate-journal 1`. Every further line is one entry: the first 16 hexadecimal digits of the
//! SHA-256 of the JSON text, a space, the JSON text, a line feed. An entry is either a claim, `{"claim": 2}`, by which a
//! process takes the saga over, or a record, `{"generation": 2, "number": 7, "entry": {...}}`, numbered from 1.
//! The file is only ever appended to, and every append is synced before it counts. So a loss of power can tear the last
//! line alone: a last line that is incomplete or fails its checksum is no entry, and the next claim cuts it off. Anything
//! else that is wrong is damage, and is reported with its line. A header that is torn is an empty journal.
//!
//! Two processes are kept apart by the length: each remembers how long the file was after its last write, and refuses to
//! write to one that somebody else has lengthened. Check and write happen under the file's lock.
//!
//! Calls block for the time of one synced write.

use crate::{Generation, Journal, JournalError, Record};
use fs_err::{File, OpenOptions};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const HEADER: &str = "tidegate-journal 1\n";
const CHECKSUM_DIGITS: usize = 16;
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The journal of one saga in one file; the file is made by the first claim.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    held: Mutex<Option<Held>>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    generation: Generation,
    length: u64,
    records: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Claim { claim: Generation },
    Record { generation: Generation, number: u64, entry: Record },
}

#[derive(Default)]
struct Contents {
    records: Vec<Record>,
    generation: u64,
    /// Up to where the file is sound.
    length: u64,
}

impl FileJournal {
    /// The journal at `path`; nothing is read or written yet. Its folder should be private to the user.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), held: Mutex::new(None) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn claim_now(&self) -> Result<(Generation, Vec<Record>), JournalError> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path);
        let mut file = opened.map_err(|e| JournalError::storage("opened", e))?;
        lock(&file)?;
        let contents = read(&mut file)?;
        let generation = Generation::new(contents.generation).next();
        let mut text = if contents.length == 0 { HEADER.to_owned() } else { String::new() };
        text.push_str(&line(&Entry::Claim { claim: generation })?);
        let length = write_at(&mut file, contents.length, &text)?;
        sync_folder(&self.path)?;
        let records = u64::try_from(contents.records.len()).unwrap_or(u64::MAX);
        *self.held() = Some(Held { generation, length, records });
        Ok((generation, contents.records))
    }

    fn append_now(&self, generation: Generation, record: &Record) -> Result<(), JournalError> {
        let mut held = self.held();
        let superseded = JournalError::Superseded { held: generation };
        let Some(mine) = held.filter(|held| held.generation == generation) else {
            return Err(superseded);
        };
        let opened = OpenOptions::new().read(true).write(true).open(&self.path);
        let mut file = opened.map_err(|e| JournalError::storage("opened", e))?;
        lock(&file)?;
        let length = file.metadata().map_err(|e| JournalError::storage("read", e))?.len();
        if length != mine.length {
            return Err(superseded);
        }
        let number = mine.records.saturating_add(1);
        let text = line(&Entry::Record { generation, number, entry: record.clone() })?;
        let length = write_at(&mut file, mine.length, &text)?;
        *held = Some(Held { generation, length, records: number });
        Ok(())
    }

    fn load_now(&self) -> Result<Vec<Record>, JournalError> {
        match File::open(&self.path) {
            Ok(mut file) => Ok(read(&mut file)?.records),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(JournalError::storage("opened", error)),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        // The value is replaced whole, so a panic elsewhere leaves it sound.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for FileJournal {
    fn claim(&self) -> BoxFuture<'_, Result<(Generation, Vec<Record>), JournalError>> {
        Box::pin(async { self.claim_now() })
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(async { self.load_now() })
    }

    fn append<'a>(
        &'a self,
        generation: Generation,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { self.append_now(generation, record) })
    }
}

/// Takes the file's lock; it goes when the last handle is closed.
fn lock(file: &File) -> Result<(), JournalError> {
    file.file().lock().map_err(|e| JournalError::storage("locked", e))
}

fn line(entry: &Entry) -> Result<String, JournalError> {
    let json = serde_json::to_string(entry).map_err(|e| JournalError::storage("written", e))?;
    Ok(format!("{} {json}\n", checksum(&json)))
}

fn checksum(json: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(json.as_bytes()) {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text.truncate(CHECKSUM_DIGITS);
    text
}

/// Writes at `offset`, cuts off what stood behind, syncs; returns the new length. On failure the old length is restored.
fn write_at(file: &mut File, offset: u64, text: &str) -> Result<u64, JournalError> {
    let mut write = || -> io::Result<u64> {
        file.set_len(offset)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        file.stream_position()
    };
    write().map_err(|error| {
        // A full disk may have taken half of it; if this fails too, the half line fails its checksum.
        drop(file.set_len(offset));
        JournalError::storage("written", error)
    })
}

/// Makes the file's name as durable as its contents, where the system knows such a thing.
fn sync_folder(path: &Path) -> Result<(), JournalError> {
    if cfg!(windows) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| JournalError::storage("written", e))
}

fn read(file: &mut File) -> Result<Contents, JournalError> {
    let mut bytes = Vec::new();
    let limited = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MAX_BYTES).read_to_end(&mut bytes));
    let length = limited.map_err(|e| JournalError::storage("read", e))?;
    if u64::try_from(length).is_ok_and(|length| length == MAX_BYTES) {
        return Err(damaged(0, "it is larger than any journal"));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Contents, JournalError> {
    if HEADER.as_bytes().starts_with(bytes) && bytes.len() < HEADER.len() {
        return Ok(Contents::default());
    }
    let Some(mut rest) = bytes.strip_prefix(HEADER.as_bytes()) else {
        return Err(damaged(1, "it does not begin as a journal of version 1"));
    };
    let mut contents = Contents { length: size(HEADER.len()), ..Contents::default() };
    let mut number = 1;
    while !rest.is_empty() {
        number += 1;
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at.saturating_add(1));
        let (entry, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        match parse_line(entry) {
            Ok(parsed) => accept(&mut contents, parsed, number)?,
            // Only the last line can be torn.
            Err(Unreadable::Torn(_)) if after.is_empty() => return Ok(contents),
            Err(Unreadable::Torn(reason) | Unreadable::Foreign(reason)) => {
                return Err(damaged(number, reason));
            }
        }
        contents.length = contents.length.saturating_add(size(entry.len()));
        rest = after;
    }
    Ok(contents)
}

/// Why a line is no entry.
enum Unreadable {
    /// A torn write can explain it.
    Torn(&'static str),
    /// It was written whole, by another version of this program.
    Foreign(&'static str),
}

fn parse_line(line: &[u8]) -> Result<Entry, Unreadable> {
    let line = line.strip_suffix(b"\n").ok_or(Unreadable::Torn("it has no end"))?;
    let line = std::str::from_utf8(line).map_err(|_| Unreadable::Torn("it is not text"))?;
    let (sum, json) = line.split_once(' ').ok_or(Unreadable::Torn("it has no checksum"))?;
    if checksum(json) != sum {
        return Err(Unreadable::Torn("its checksum does not fit"));
    }
    serde_json::from_str(json).map_err(|_| Unreadable::Foreign("this version does not know such an entry"))
}

fn accept(contents: &mut Contents, entry: Entry, line: u64) -> Result<(), JournalError> {
    match entry {
        Entry::Claim { claim } if claim.number() > contents.generation => {
            contents.generation = claim.number();
        }
        Entry::Claim { .. } => return Err(damaged(line, "its generation is not higher than the one before")),
        Entry::Record { generation, .. } if generation.number() != contents.generation => {
            return Err(damaged(line, "its generation is not the one that was claimed"));
        }
        Entry::Record { number, entry, .. } => {
            contents.records.push(entry);
            if number != size(contents.records.len()) {
                return Err(damaged(line, "its number does not follow the one before"));
            }
        }
    }
    Ok(())
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn damaged(line: u64, reason: &str) -> JournalError {
    JournalError::Damaged { place: format!("line {line}"), reason: reason.to_owned() }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
