//! Asks a bucket whether it can be used, and what it can do. Owns the one small object that it writes for that.

use std::{fmt, time::Duration};

use bytes::Bytes;
use object_store::{
    ObjectStore as _, ObjectStoreExt as _, PutMode,
    path::Path,
    signer::{SignedUrlOptions, Signer as _},
};

use super::{ConditionalPut, requests::Requests};
use crate::backup::{ObjectName, destination::DestinationError};

/// The object that is written: one name, so that at most one is left where nothing may be deleted.
const NAME: &str = "tidegate-probe";
const CONTENT: &[u8] = b"tidegate asks whether backups can be stored here; this may be deleted\n";
/// How long a signed question can be used.
const SIGNED_FOR: Duration = Duration::from_mins(1);
/// The answers are some hundred bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What a bucket can do beyond what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether an object can be written only if it is absent.
    pub conditional_put: ConditionalPut,
    /// Whether this access key may delete.
    pub deletes: Deletes,
    /// Whether what is overwritten or deleted is kept as an earlier version.
    pub versioning: Switch,
    /// Whether objects can be locked against deletion.
    pub object_lock: Switch,
}

/// Whether an access key may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    /// It may.
    Allowed,
    /// It may not: backups go only by others, or by a rule of the bucket.
    Forbidden,
}

/// A setting of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off, or the store does not have it.
    Off,
    /// The access key may not ask, or the store's answer is not understood.
    Unknown,
}

/// What was tried of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeStep {
    /// Listing.
    List,
    /// Writing an object.
    Write,
    /// Reading it.
    Read,
    /// Writing it only if absent.
    WriteIfAbsent,
    /// Deleting it.
    Delete,
}

impl fmt::Display for ProbeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "listing objects",
            Self::Write => "writing an object",
            Self::Read => "reading an object",
            Self::WriteIfAbsent => "writing an object only if absent",
            Self::Delete => "deleting an object",
        })
    }
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A step failed.
    #[error("the bucket cannot be used for backups: {step} failed")]
    Step {
        /// Which.
        step: ProbeStep,
        /// Why.
        source: DestinationError,
    },
    /// What was written is not what is there.
    #[error(
        "the bucket cannot be used for backups: an object that was written came back as another, or was not listed"
    )]
    Other,
}

pub(super) async fn probe(requests: &Requests) -> Result<Capabilities, ProbeError> {
    let at = |step| move |source| ProbeError::Step { step, source };
    let name =
        ObjectName::new(NAME).map_err(|source| DestinationError::Name { at: requests.title.clone(), source });
    let name = name.map_err(at(ProbeStep::Write))?;
    let path = requests.path(&name).map_err(at(ProbeStep::Write))?;
    // The bucket and the credentials first: an object that is not there says less.
    listed(requests, &path).await.map_err(at(ProbeStep::List))?;
    let told = |error| requests.told(Some(&name), &error);
    let written = requests.writes.put(&path, CONTENT.into()).await;
    written.map_err(told).map_err(at(ProbeStep::Write))?;
    let got = requests.reads.get(&path).await.map_err(told).map_err(at(ProbeStep::Read))?;
    // Its size first: what answers may be anything.
    if got.meta.size != u64::try_from(CONTENT.len()).unwrap_or_default() {
        return Err(ProbeError::Other);
    }
    let read: Bytes = got.bytes().await.map_err(told).map_err(at(ProbeStep::Read))?;
    let found = listed(requests, &path).await.map_err(at(ProbeStep::List))?;
    if read != CONTENT || found == Found::No {
        return Err(ProbeError::Other);
    }
    let again = requests.writes.put_opts(&path, CONTENT.into(), PutMode::Create.into()).await;
    let conditional_put = match again {
        Err(object_store::Error::AlreadyExists { .. }) => ConditionalPut::Supported,
        // Overwritten, or refused as not implemented.
        Ok(_) => ConditionalPut::Unsupported,
        Err(error) => match told(error) {
            DestinationError::Refused { .. } => ConditionalPut::Unsupported,
            source => return Err(ProbeError::Step { step: ProbeStep::WriteIfAbsent, source }),
        },
    };
    let deletes = match requests.reads.delete(&path).await.map_err(told) {
        Ok(()) => Deletes::Allowed,
        Err(DestinationError::Forbidden { .. }) => Deletes::Forbidden,
        Err(source) => return Err(ProbeError::Step { step: ProbeStep::Delete, source }),
    };
    let versioning = asked(requests, "versioning", ("Versioning", "<Status>Enabled</Status>")).await;
    let lock = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
    let object_lock = asked(requests, "object-lock", ("ObjectLock", lock)).await;
    Ok(Capabilities { conditional_put, deletes, versioning, object_lock })
}

#[derive(PartialEq, Eq)]
enum Found {
    Yes,
    No,
}

/// Whether the probe's object is listed. Objects beside it are not looked at: there may be many.
async fn listed(requests: &Requests, path: &Path) -> Result<Found, DestinationError> {
    use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
    let options = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
    let page = requests.reads.list_paginated(Some(path.as_ref()), options).await;
    let page = page.map_err(|error| requests.told(None, &error))?;
    let found = page.result.objects.iter().any(|object| object.location == *path);
    Ok(if found { Found::Yes } else { Found::No })
}

/// A setting of the bucket, which `object_store` has no call for: it signs the question, and the answer is looked through.
/// That it cannot be had is no error, for a bucket without it serves.
/// An answer holds the first text, and the second where the setting is on.
async fn asked(requests: &Requests, setting: &str, (about, on): (&str, &str)) -> Switch {
    let options = SignedUrlOptions::default().with_query([(setting, "")]);
    let bucket = Path::default();
    let signed = requests.reads.signed_url_opts(http::Method::GET, &bucket, SIGNED_FOR, &options);
    let Ok(url) = signed.await else { return Switch::Unknown };
    let Ok(mut answer) = requests.plain.get(url.as_str()).send().await else { return Switch::Unknown };
    let status = answer.status();
    let mut text = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        text.extend_from_slice(&piece);
        if text.len() > LONGEST_ANSWER {
            return Switch::Unknown;
        }
    }
    let text = String::from_utf8_lossy(&text);
    match status.as_u16() {
        200 if text.contains(on) => Switch::On,
        200 if text.contains(about) => Switch::Off,
        // It has no such setting, or the store does not know it.
        404 | 501 => Switch::Off,
        _ => Switch::Unknown,
    }
}
