//! Asks a bucket whether it can be used, and what it can do. Owns the one small object that it writes for that.

use std::fmt;

use bytes::Bytes;
use http::Method;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, path::Path};

use super::{ConditionalPut, requests::Requests, signed::Question};
use crate::backup::{ObjectName, destination::DestinationError};

/// Where the object is written.
const FOLDER: &str = "tidegate-probe";
const CONTENT: &[u8] = b"tidegate asks whether backups can be stored here; this may be deleted\n";

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
    // A name of its own: other droplets may probe at the same time.
    let name = ObjectName::new(format!("{FOLDER}/{:08x}", rand::random::<u32>()));
    let name = name.map_err(|source| DestinationError::Name { at: requests.title.clone(), source });
    let name = name.map_err(at(ProbeStep::Write))?;
    let path = requests.path(&name).map_err(at(ProbeStep::Write))?;
    // The bucket and the credentials first: an object that is not there says less.
    listed(requests, &path).await.map_err(at(ProbeStep::List))?;
    let told = |error| requests.told(Some(&name), &error);
    let written = requests.writes.put(&path, CONTENT.into()).await;
    let written = written.map_err(told).map_err(at(ProbeStep::Write))?;
    let mut versions: Vec<String> = written.version.into_iter().collect();
    let tried = tried(requests, (&name, &path), &mut versions).await;
    // Whatever was found out.
    let deletes = removed(requests, (&name, &path), &versions).await;
    let conditional_put = tried?;
    let deletes = deletes.map_err(at(ProbeStep::Delete))?;
    let versioning = asked(requests, "versioning", ("Versioning", "<Status>Enabled</Status>")).await;
    let lock = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
    let object_lock = asked(requests, "object-lock", ("ObjectLock", lock)).await;
    Ok(Capabilities { conditional_put, deletes, versioning, object_lock })
}

/// What can be done with the object once it is there.
async fn tried(
    requests: &Requests,
    (name, path): (&ObjectName, &Path),
    versions: &mut Vec<String>,
) -> Result<ConditionalPut, ProbeError> {
    let at = |step| move |source| ProbeError::Step { step, source };
    let told = |error| requests.told(Some(name), &error);
    let got = requests.reads.get(path).await.map_err(told).map_err(at(ProbeStep::Read))?;
    // Its size first: what answers may be anything.
    if got.meta.size != u64::try_from(CONTENT.len()).unwrap_or_default() {
        return Err(ProbeError::Other);
    }
    let read: Bytes = got.bytes().await.map_err(told).map_err(at(ProbeStep::Read))?;
    let found = listed(requests, path).await.map_err(at(ProbeStep::List))?;
    if read != CONTENT || found == Found::No {
        return Err(ProbeError::Other);
    }
    match requests.writes.put_opts(path, CONTENT.into(), PutMode::Create.into()).await {
        Err(object_store::Error::AlreadyExists { .. }) => Ok(ConditionalPut::Supported),
        // Overwritten.
        Ok(again) => {
            versions.extend(again.version);
            Ok(ConditionalPut::Unsupported)
        }
        // Refused as not implemented.
        Err(error) => match told(error) {
            DestinationError::Refused { .. } => Ok(ConditionalPut::Unsupported),
            source => Err(ProbeError::Step { step: ProbeStep::WriteIfAbsent, source }),
        },
    }
}

/// Removes the object. Where there are versions, these are: a delete without one would add to them.
async fn removed(
    requests: &Requests,
    (name, path): (&ObjectName, &Path),
    versions: &[String],
) -> Result<Deletes, DestinationError> {
    let mut left = versions.is_empty();
    for version in versions {
        let query = [("versionId", version.as_str())];
        let answer = requests.ask(Question::of(Method::DELETE, path, &query)).await?;
        left |= !answer.status.is_success();
    }
    if !left {
        return Ok(Deletes::Allowed);
    }
    match requests.reads.delete(path).await.map_err(|error| requests.told(Some(name), &error)) {
        Ok(()) | Err(DestinationError::NotFound { .. }) => Ok(Deletes::Allowed),
        Err(DestinationError::Forbidden { .. }) => Ok(Deletes::Forbidden),
        Err(error) => Err(error),
    }
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

/// A setting of the bucket. That it cannot be had is no error, for a bucket without it serves.
/// An answer holds the first text, and the second where the setting is on.
async fn asked(requests: &Requests, setting: &str, (about, on): (&str, &str)) -> Switch {
    let (bucket, query) = (Path::default(), [(setting, "")]);
    let Ok(answer) = requests.ask(Question::of(Method::GET, &bucket, &query)).await else {
        return Switch::Unknown;
    };
    match answer.status.as_u16() {
        200 if answer.text.contains(on) => Switch::On,
        200 if answer.text.contains(about) => Switch::Off,
        // It has no such setting, or the store does not know it.
        404 | 501 => Switch::Off,
        _ => Switch::Unknown,
    }
}
