//! A bucket as the fleet file describes it, as a value.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    backup::{
        ObjectName,
        destination::{BucketSettings, ConditionalPut, ObjectLock, Patience, SMALLEST_PART},
    },
    clock::Clock,
};

/// The name that the fleet file and Compose files have for a bucket. `[a-z][a-z0-9-]{0,30}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(String);

/// A text that cannot name a bucket.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} cannot name a bucket: names are a lower-case letter, then up to 30 lower-case letters, digits or hyphens"
)]
pub struct BucketNameError(String);

/// For how long what is written is locked: 1 day to 10 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockPeriod(Duration);

/// A time that no lock has.
#[derive(Debug, thiserror::Error)]
#[error("a lock of {} s is not possible: it has to be of 1 day to 10 years", .0.as_secs())]
pub struct LockPeriodError(Duration);

/// Whether the bucket has to keep what is overwritten or deleted as an earlier version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versioning {
    /// It need not.
    #[default]
    Any,
    /// It has to.
    Required,
}

/// A bucket, and how it is got into.
#[derive(Clone)]
pub struct KnownBucket {
    /// How the fleet file calls it.
    pub name: BucketName,
    /// The store's address without the bucket.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// How the store calls it.
    pub bucket: String,
    /// The folder in it below which everything lies; none for the whole bucket.
    pub prefix: Option<ObjectName>,
    /// The id of the access key.
    pub access_key_id: SecretString,
    /// Its secret.
    pub secret_access_key: SecretString,
    /// For how long what is written is locked; none: it is not.
    pub lock: Option<LockPeriod>,
    /// Whether it has to keep versions.
    pub versioning: Versioning,
}

const DAY: Duration = Duration::from_hours(24);

impl BucketName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// When it does not match `[a-z][a-z0-9-]{0,30}`.
    pub fn new(text: impl Into<String>) -> Result<Self, BucketNameError> {
        let text = text.into();
        let fits = text.len() <= 31
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text)) } else { Err(BucketNameError(text.chars().take(80).collect())) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LockPeriod {
    /// Checks and wraps a time.
    ///
    /// # Errors
    /// When it is shorter than a day or longer than ten years.
    pub fn new(period: Duration) -> Result<Self, LockPeriodError> {
        if (DAY..=DAY.saturating_mul(3660)).contains(&period) {
            Ok(Self(period))
        } else {
            Err(LockPeriodError(period))
        }
    }

    /// The time.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl KnownBucket {
    /// How it is used. `conditional_put` is what a look at it told.
    pub fn settings(
        &self,
        conditional_put: ConditionalPut,
        (patience, clock): (Patience, &Arc<dyn Clock>),
    ) -> BucketSettings {
        BucketSettings {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            access_key_id: self.access_key_id.expose_secret().to_owned(),
            secret_access_key: self.secret_access_key.clone(),
            part_size: FIRST_PART,
            conditional_put,
            lock: self.lock.map(|period| ObjectLock { period: period.get(), clock: Arc::clone(clock) }),
            patience,
        }
    }
}

/// Each upload holds one part in memory.
const FIRST_PART: crate::backup::ByteCount = SMALLEST_PART;

impl fmt::Debug for KnownBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, endpoint, region, bucket, prefix, lock, versioning, .. } = self;
        f.debug_struct("KnownBucket")
            .field("name", name)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("bucket", bucket)
            .field("prefix", prefix)
            .field("lock", lock)
            .field("versioning", versioning)
            .finish_non_exhaustive()
    }
}

impl PartialEq for KnownBucket {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            name,
            endpoint,
            region,
            bucket,
            prefix,
            access_key_id,
            secret_access_key,
            lock,
            versioning,
        } = self;
        let same = |one: &SecretString, two: &SecretString| one.expose_secret() == two.expose_secret();
        (name, endpoint, region, bucket, prefix)
            == (&other.name, &other.endpoint, &other.region, &other.bucket, &other.prefix)
            && (lock, versioning) == (&other.lock, &other.versioning)
            && same(access_key_id, &other.access_key_id)
            && same(secret_access_key, &other.secret_access_key)
    }
}

impl Eq for KnownBucket {}

#[cfg(test)]
pub(super) fn sample() -> KnownBucket {
    KnownBucket {
        name: BucketName::new("backups").unwrap(),
        endpoint: "https://s3.example.com".to_owned(),
        region: "eu-1".to_owned(),
        bucket: "shop-backups".to_owned(),
        prefix: Some("droplets".parse().unwrap()),
        access_key_id: SecretString::from("AKIDNOBODY"),
        secret_access_key: SecretString::from("hunter2"),
        lock: Some(LockPeriod::new(DAY * 30).unwrap()),
        versioning: Versioning::Required,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let shown = format!("{:?}", sample());
        assert!(shown.contains("shop-backups"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("AKIDNOBODY"), "{shown}");
    }

    #[test]
    fn names_and_locks_have_bounds() {
        for bad in ["", "Backups", "1a", "a_b", &"a".repeat(32)] {
            assert!(BucketName::new(bad).is_err(), "{bad}");
        }
        assert!(LockPeriod::new(DAY).is_ok() && LockPeriod::new(DAY * 3660).is_ok());
        assert!(LockPeriod::new(DAY * 3661).is_err());
        let error = LockPeriod::new(Duration::from_hours(1)).unwrap_err();
        assert_eq!(error.to_string(), "a lock of 3600 s is not possible: it has to be of 1 day to 10 years");
    }
}
