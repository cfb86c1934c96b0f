//! The buckets that an app's services send their backups to: found in the fleet file, with their credentials, for the request.
//!
//! Owns the check that each is there, and what of it is sent. Pure. Only what the Compose files name is looked up: a variable
//! of another app's bucket need not be set here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use tidegate_compose::{
    Loaded,
    x_tidegate::{Destination, Extension},
};
use tidegate_proto::v1::{BackupBucket, BucketVersioning};

use crate::{
    environ::Environ,
    fleet::{Bucket, FILE_NAME, Fleet, Located, SecretName, Versioning},
    names::Name,
    suggest::nearest,
};

/// Buckets that cannot be sent: all that is wrong, each with where it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BucketsError {
    refused: Vec<Refusal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    place: String,
    what: String,
    write: String,
}

impl fmt::Display for BucketsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Refusal { place, what, write }) in self.refused.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{place}: {what}\n  write: {write}")?;
        }
        Ok(())
    }
}

/// Which services send their backups to which bucket.
pub(super) fn senders(extension: &Extension) -> BTreeMap<String, BTreeSet<String>> {
    let mut senders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (service, own) in &extension.services {
        for to in own.backup.iter().flat_map(|backup| &backup.to) {
            if let Destination::Bucket(bucket) = to {
                senders.entry(bucket.clone()).or_default().insert(service.clone());
            }
        }
    }
    senders
}

/// The buckets that an app names, by their names.
///
/// # Errors
/// Names that the fleet file does not have.
pub fn named<'f>(
    (loaded, extension): (&Loaded, &Extension),
    fleet: &'f Fleet,
) -> Result<BTreeMap<String, &'f Bucket>, BucketsError> {
    let known: Vec<&str> = fleet.buckets.keys().map(Name::as_str).collect();
    let (mut found, mut refused) = (BTreeMap::new(), Vec::new());
    for (service, own) in &extension.services {
        for (index, to) in own.backup.iter().flat_map(|backup| &backup.to).enumerate() {
            let Destination::Bucket(name) = to else { continue };
            if let Some((_, bucket)) = fleet.buckets.iter().find(|(own, _)| own.as_str() == name) {
                found.insert(name.clone(), bucket);
                continue;
            }
            let place = located(loaded, &format!("services.{service}.x-tidegate.backup.to.{index}"));
            let what =
                format!("{FILE_NAME} has no [bucket.{name}], to which service {service} sends its backups");
            refused.push(Refusal { place, what, write: instead(name, &known) });
        }
    }
    if refused.is_empty() { Ok(found) } else { Err(BucketsError { refused }) }
}

/// The same as the agents get them.
///
/// # Errors
/// Names that the fleet file does not have, and variables that are not set.
pub fn gather(
    project: (&Loaded, &Extension),
    fleet: &Fleet,
    environ: &Environ,
) -> Result<Vec<BackupBucket>, BucketsError> {
    let (mut buckets, mut refused) = (Vec::new(), Vec::new());
    for (name, bucket) in named(project, fleet)? {
        let mut secret = |named: &Located<SecretName>| {
            let value = environ.get(named.value.variable());
            if value.is_none() {
                refused.push(unset(fleet, &name, named));
            }
            value.unwrap_or_default().to_owned()
        };
        let (access_key_id, secret_access_key) =
            (secret(&bucket.access_key_id), secret(&bucket.secret_access_key));
        let versioning = match bucket.versioning {
            Versioning::Any => BucketVersioning::Any,
            Versioning::Required => BucketVersioning::Required,
        };
        let lock = bucket.lock.and_then(|lock| prost_types::Duration::try_from(lock).ok());
        buckets.push(BackupBucket {
            endpoint: bucket.endpoint.to_string(),
            region: bucket.region.clone(),
            bucket: bucket.bucket.clone(),
            prefix: bucket.prefix.clone(),
            access_key_id,
            secret_access_key,
            lock,
            versioning: versioning.into(),
            name,
        });
    }
    if refused.is_empty() { Ok(buckets) } else { Err(BucketsError { refused }) }
}

fn instead(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("`bucket:{near}`, if that is meant"),
        None if known.is_empty() => {
            format!("[bucket.{name}] with `endpoint`, `region`, `access_key_id` and `secret_access_key`")
        }
        None => format!("one of {}; or give the file a [bucket.{name}]", known.join(", ")),
    }
}

fn unset(fleet: &Fleet, name: &str, named: &Located<SecretName>) -> Refusal {
    let variable = named.value.variable();
    Refusal {
        place: fleet.at(named),
        what: format!("{variable} is not set, which holds what opens the bucket {name}"),
        write: format!("{variable}=... into .env beside {FILE_NAME}, or set it in the environment"),
    }
}

/// `compose.yaml:7:9`, the path of a value in the Compose files.
fn located(loaded: &Loaded, path: &str) -> String {
    let Some(place) = loaded.place(path) else { return path.to_owned() };
    let file = place.file.strip_prefix(&format!("{}/", loaded.project.working_directory));
    format!("{}:{}:{}", file.unwrap_or(&place.file), place.line, place.column)
}

#[cfg(test)]
#[path = "buckets_tests.rs"]
mod tests;
