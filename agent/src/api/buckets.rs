//! Buckets as a deploy brings them, from messages to values. Owns no meaning, and shows no secret.

use std::time::Duration;

use secrecy::SecretString;
use tidegate_proto::v1::{BackupBucket, BucketVersioning};
use tonic::Status;

use super::errors;
use crate::{
    backup::ObjectName,
    buckets::{BucketName, KnownBucket, LockPeriod, Versioning},
};

/// An app with more has something else in mind.
const MOST: usize = 32;
/// A key's id and secret have some dozens of letters.
const LONGEST_CREDENTIAL: usize = 1024;

/// Buckets that cannot be meant.
#[derive(Debug, thiserror::Error)]
enum BadBuckets {
    #[error("there are more than {MOST} of them")]
    TooMany,
    #[error("the bucket {0} is there twice")]
    Twice(BucketName),
    #[error("the access key of the bucket {0} has more than {LONGEST_CREDENTIAL} letters, or is empty")]
    Credentials(BucketName),
    #[error("the lock of the bucket {0} is no time")]
    Lock(BucketName),
}

const FIELD: &str = "buckets";

/// The buckets of a request.
pub(super) fn known(sent: Vec<BackupBucket>) -> Result<Vec<KnownBucket>, Status> {
    let refused = |error| errors::bad_field(FIELD, &error);
    if sent.len() > MOST {
        return Err(refused(BadBuckets::TooMany));
    }
    let mut found: Vec<KnownBucket> = Vec::new();
    for bucket in sent {
        let bucket = known_one(bucket)?;
        if found.iter().any(|known| known.name == bucket.name) {
            return Err(refused(BadBuckets::Twice(bucket.name)));
        }
        found.push(bucket);
    }
    Ok(found)
}

fn known_one(sent: BackupBucket) -> Result<KnownBucket, Status> {
    let versioning = match sent.versioning() {
        BucketVersioning::Unspecified | BucketVersioning::Any => Versioning::Any,
        BucketVersioning::Required => Versioning::Required,
    };
    let name = BucketName::new(sent.name).map_err(|error| errors::bad_field(FIELD, &error))?;
    let is_credential = |text: &str| (1..=LONGEST_CREDENTIAL).contains(&text.len());
    if !is_credential(&sent.access_key_id) || !is_credential(&sent.secret_access_key) {
        return Err(errors::bad_field(FIELD, &BadBuckets::Credentials(name)));
    }
    let prefix = Some(sent.prefix).filter(|prefix| !prefix.is_empty()).map(ObjectName::new).transpose();
    let period = sent.lock.map(|lock| {
        let period = Duration::try_from(lock);
        let period = period.map_err(|_| errors::bad_field(FIELD, &BadBuckets::Lock(name.clone())))?;
        LockPeriod::new(period).map_err(|error| errors::bad_field(FIELD, &error))
    });
    Ok(KnownBucket {
        endpoint: sent.endpoint,
        region: sent.region,
        bucket: sent.bucket,
        prefix: prefix.map_err(|error| errors::bad_field(FIELD, &error))?,
        access_key_id: SecretString::from(sent.access_key_id),
        secret_access_key: SecretString::from(sent.secret_access_key),
        lock: period.transpose()?,
        versioning,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> BackupBucket {
        BackupBucket {
            name: "backups".to_owned(),
            endpoint: "https://s3.example.com".to_owned(),
            region: "eu-1".to_owned(),
            bucket: "shop-backups".to_owned(),
            access_key_id: "AKIDNOBODY".to_owned(),
            secret_access_key: "hunter2".to_owned(),
            lock: Some(prost_types::Duration { seconds: 30 * 86_400, nanos: 0 }),
            ..BackupBucket::default()
        }
    }

    fn refused(buckets: Vec<BackupBucket>) -> String {
        let status = known(buckets).unwrap_err();
        let told = tidegate_proto::status::RichError::from_status(&status);
        let told = format!("{}: {}", told.what, told.cause);
        assert!(!told.contains("hunter2") && !format!("{status:?}").contains("hunter2"), "{told}");
        told
    }

    #[test]
    fn what_is_sent_becomes_a_bucket() {
        let found = known(vec![sent()]).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].prefix.as_ref()), ("backups", None));
        assert_eq!(found[0].lock.unwrap().get(), Duration::from_hours(30 * 24));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_its_secret() {
        assert!(refused(vec![sent(), sent()]).contains("the bucket backups is there twice"));
        assert!(refused(vec![sent(); MOST + 1]).contains("more than 32"));
        assert!(
            refused(vec![BackupBucket { name: "Back ups".to_owned(), ..sent() }])
                .contains("cannot name a bucket")
        );
        let empty = BackupBucket { access_key_id: String::new(), ..sent() };
        assert!(refused(vec![empty]).contains("or is empty"));
        let prefix = BackupBucket { prefix: "../x".to_owned(), ..sent() };
        assert!(refused(vec![prefix]).contains("../x"));
        let lock = BackupBucket { lock: Some(prost_types::Duration { seconds: 60, nanos: 0 }), ..sent() };
        assert!(refused(vec![lock]).contains("1 day to 10 years"));
    }
}
