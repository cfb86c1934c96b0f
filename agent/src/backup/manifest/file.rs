//! The manifest's file: one line that names format and digest, then JSON.
//!
//! Owns the bytes. Must not know what the fields mean.

use super::Manifest;
use crate::backup::{ByteCount, PartName, Sha256Digest};

/// The largest manifest that is read or written.
pub const LARGEST_MANIFEST: ByteCount = ByteCount::mebibytes(4);

const NAME: &str = "tidegate-backup";
const VERSION: &str = "1";
/// How the JSON ends, braces within being indented: a file that does not hold it was cut off.
const END: &[u8] = b"\n}\n";

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It does not begin as a manifest does.
    #[error(
        "this is no manifest of a backup: its first line is not `tidegate-backup 1 <SHA-256>`; the file is damaged or \
         another program's"
    )]
    NotOurs,
    /// Another version's.
    #[error(
        "the manifest has the format {found:?}, this agent reads 1: install a newer agent to use this backup"
    )]
    Version {
        /// What stands for the version.
        found: String,
    },
    /// Its end is missing.
    #[error(
        "the end of the manifest is missing: it was cut off; use another backup, or another copy of this one"
    )]
    CutOff,
    /// It is not what was written.
    #[error("the manifest was changed after it was written; use another backup, or another copy of this one")]
    Changed,
    /// It is what was written, and cannot be understood.
    #[error(
        "the manifest is undamaged, but it holds something that this agent does not know: install a newer agent"
    )]
    Unknown(#[source] serde_json::Error),
    /// It cannot be written.
    #[error("the manifest could not be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// Too large.
    #[error("the manifest has {found}, at most {LARGEST_MANIFEST} are allowed")]
    TooLarge {
        /// How large it is.
        found: ByteCount,
    },
    /// No part.
    #[error("the manifest names no part: a backup has at least one")]
    NoPart,
    /// Two parts of one name.
    #[error("the manifest names the part {0} twice")]
    TwoParts(PartName),
}

pub(super) fn write(manifest: &Manifest) -> Result<Vec<u8>, ManifestError> {
    let mut json = serde_json::to_vec_pretty(manifest).map_err(ManifestError::Unwritable)?;
    json.push(b'\n');
    let mut file = format!("{NAME} {VERSION} {}\n", Sha256Digest::of(&json)).into_bytes();
    file.append(&mut json);
    let found = ByteCount::of(&file);
    if found > LARGEST_MANIFEST { Err(ManifestError::TooLarge { found }) } else { Ok(file) }
}

pub(super) fn read(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let found = ByteCount::of(bytes);
    if found > LARGEST_MANIFEST {
        return Err(ManifestError::TooLarge { found });
    }
    let line_end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| unended(bytes))?;
    let (line, rest) = bytes.split_at_checked(line_end).ok_or(ManifestError::NotOurs)?;
    let json = rest.get(1..).unwrap_or_default();
    let line = str::from_utf8(line).map_err(|_| ManifestError::NotOurs)?;
    let words: Vec<&str> = line.split(' ').collect();
    let &[NAME, version, digest] = words.as_slice() else { return Err(ManifestError::NotOurs) };
    if version != VERSION {
        return Err(ManifestError::Version { found: version.chars().take(20).collect() });
    }
    let digest: Sha256Digest = digest.parse().map_err(|_| ManifestError::Changed)?;
    if digest != Sha256Digest::of(json) {
        let has_end = json.windows(END.len()).any(|window| window == END);
        return Err(if has_end { ManifestError::Changed } else { ManifestError::CutOff });
    }
    serde_json::from_slice(json).map_err(ManifestError::Unknown)
}

/// A file without a second line: the beginning of a manifest, or something else.
fn unended(bytes: &[u8]) -> ManifestError {
    let common = bytes.len().min(NAME.len());
    let begins = bytes.get(..common) == NAME.as_bytes().get(..common);
    if begins { ManifestError::CutOff } else { ManifestError::NotOurs }
}
