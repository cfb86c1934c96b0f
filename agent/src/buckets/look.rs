//! Whether a bucket can take backups: asked of the bucket itself, within a time.
//!
//! Owns what is asked of a bucket beyond that it can be written, and the words for what is missing.

use std::{sync::Arc, time::Duration};

use super::{KnownBucket, Versioning};
use crate::{
    backup::destination::{
        Bucket, Capabilities, ConditionalPut, Deletes, DestinationError, Patience, ProbeError, Switch,
    },
    clock::Clock,
};

/// For the whole look.
const DEADLINE: Duration = Duration::from_secs(20);
/// Somebody waits for it.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    write: Duration::from_secs(10),
    silence: Duration::from_secs(10),
    retries: 2,
    budget: Duration::from_secs(10),
};

/// A bucket that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Whether it writes an object only if absent.
    pub conditional_put: ConditionalPut,
    /// Whether the access key may delete there.
    pub deletes: Deletes,
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// What is known of it cannot be used.
    #[error("what is known of the bucket cannot be used")]
    Settings(#[source] crate::backup::destination::SettingsError),
    /// It refuses.
    #[error(transparent)]
    Refused(ProbeError),
    /// It cannot be reached now: nothing is said about it.
    #[error(transparent)]
    Away(ProbeError),
    /// It does not answer in time.
    #[error("the bucket could not be looked at within {} s", DEADLINE.as_secs())]
    Silent,
    /// Locks are asked for.
    #[error("`lock` is set, and {}", lacking(*switch, "object lock"))]
    NoLock {
        /// What the bucket says.
        switch: Switch,
    },
    /// Versions are asked for.
    #[error("`versioning` is asked for, and {}", lacking(*switch, "versioning"))]
    NoVersioning {
        /// What the bucket says.
        switch: Switch,
    },
}

fn lacking(switch: Switch, what: &str) -> String {
    match switch {
        Switch::Unknown => format!("the bucket does not tell this access key whether it has {what}"),
        Switch::On | Switch::Off => format!("the bucket has no {what}"),
    }
}

impl Unfit {
    /// Whether another moment may bring another answer.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Silent)
    }

    /// What to do about it.
    pub fn hint(&self, bucket: &super::BucketName) -> String {
        let section = format!("[bucket.{bucket}] of the fleet file");
        match self {
            Self::Settings(_) | Self::Refused(_) => {
                format!("put {section} or the bucket right, and deploy again")
            }
            Self::Away(_) | Self::Silent => {
                format!("see that the droplet reaches the endpoint in {section}, and deploy again")
            }
            Self::NoLock { switch: Switch::Unknown } => {
                "give the access key the right to ask for it (s3:GetBucketObjectLockConfiguration)".to_owned()
            }
            Self::NoLock { .. } => format!(
                "object lock is chosen when a bucket is made, and Spaces has none: take a bucket of another provider that \
                 has it; or remove `lock` from {section}, and have a second copy pulled by an identity that this droplet \
                 does not hold"
            ),
            Self::NoVersioning { switch: Switch::Unknown } => {
                "give the access key the right to ask for it (s3:GetBucketVersioning)".to_owned()
            }
            Self::NoVersioning { .. } => {
                format!("switch versioning on at the bucket, or remove `versioning` from {section}")
            }
        }
    }
}

/// Asks a bucket whether it can take backups.
///
/// # Errors
/// Why it cannot, or that it cannot be reached.
pub async fn examine(bucket: &KnownBucket, clock: &Arc<dyn Clock>) -> Result<Fit, Unfit> {
    let settings = bucket.settings(ConditionalPut::Unsupported, (PATIENCE, clock));
    let probed = Bucket::new(settings).map_err(Unfit::Settings)?;
    let found = match tokio::time::timeout(DEADLINE, probed.probe()).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) if is_away(&error) => return Err(Unfit::Away(error)),
        Ok(Err(error)) => return Err(Unfit::Refused(error)),
        Err(_) => return Err(Unfit::Silent),
    };
    judge(bucket, found)
}

fn is_away(error: &ProbeError) -> bool {
    matches!(
        error,
        ProbeError::Step {
            source: DestinationError::Unreachable { .. } | DestinationError::Timeout { .. },
            ..
        }
    )
}

/// Pure.
fn judge(bucket: &KnownBucket, found: Capabilities) -> Result<Fit, Unfit> {
    let Capabilities { conditional_put, deletes, versioning, object_lock } = found;
    if bucket.lock.is_some() && object_lock != Switch::On {
        return Err(Unfit::NoLock { switch: object_lock });
    }
    if bucket.versioning == Versioning::Required && versioning != Switch::On {
        return Err(Unfit::NoVersioning { switch: versioning });
    }
    Ok(Fit { conditional_put, deletes })
}

#[cfg(test)]
mod tests {
    use super::{super::known::sample, *};

    fn found(object_lock: Switch, versioning: Switch) -> Capabilities {
        Capabilities {
            conditional_put: ConditionalPut::Supported,
            deletes: Deletes::Allowed,
            versioning,
            object_lock,
        }
    }

    #[test]
    fn what_is_asked_for_has_to_be_there() {
        let bucket = sample();
        assert!(judge(&bucket, found(Switch::On, Switch::On)).is_ok());
        let error = judge(&bucket, found(Switch::Off, Switch::On)).unwrap_err();
        assert_eq!(error.to_string(), "`lock` is set, and the bucket has no object lock");
        assert!(error.hint(&bucket.name).contains("an identity that this droplet does not hold"));
        let error = judge(&bucket, found(Switch::Unknown, Switch::On)).unwrap_err();
        assert!(error.to_string().ends_with("does not tell this access key whether it has object lock"));
        let error = judge(&bucket, found(Switch::On, Switch::Off)).unwrap_err();
        assert!(matches!(error, Unfit::NoVersioning { .. }) && !error.may_pass(), "{error}");
        let plain = KnownBucket { lock: None, versioning: Versioning::Any, ..bucket };
        assert!(judge(&plain, found(Switch::Off, Switch::Unknown)).is_ok());
    }
}
