//! What has to be known of a bucket to use it. As values, checked before anything is asked of the bucket.

use std::{fmt, time::Duration};

use http::Uri;
use secrecy::SecretString;

use super::{
    ObjectLock,
    parts::{LARGEST_FIRST_PART, SMALLEST_PART},
};
use crate::{
    backup::{ByteCount, ObjectName},
    web_address::is_confidential,
};

/// How a bucket is reached and used.
#[derive(Clone)]
pub struct BucketSettings {
    /// The store's address without the bucket, such as `https://fra1.digitaloceanspaces.com`. `http` only on loopback.
    pub endpoint: String,
    /// The region that requests are signed for, such as `fra1`.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// The folder in the bucket below which everything lies; none for the whole bucket.
    pub prefix: Option<ObjectName>,
    /// The id of the access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
    /// The size of the first thousand parts of a large object; each thousand that follows has parts of twice the size. An
    /// upload holds one part in memory.
    pub part_size: ByteCount,
    /// Whether the store refuses to overwrite when asked to; the probe tells.
    pub conditional_put: ConditionalPut,
    /// For how long what is written is locked; none: it is not.
    pub lock: Option<ObjectLock>,
    /// How long it is waited.
    pub patience: Patience,
}

impl fmt::Debug for BucketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, region, bucket, prefix, .. } = self;
        f.debug_struct("BucketSettings")
            .field("endpoint", endpoint)
            .field("region", region)
            .field("bucket", bucket)
            .field("prefix", prefix)
            .finish_non_exhaustive()
    }
}

/// Whether a store honours `If-None-Match: *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionalPut {
    /// It does.
    Supported,
    /// It does not: it is asked beforehand, and two writers at the same moment could overwrite each other.
    Unsupported,
}

/// How long a store is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one whole request that writes, with its data.
    pub write: Duration,
    /// For the next bytes of an answer.
    pub silence: Duration,
    /// How often a request is repeated that failed for a reason that may pass, with growing, random waits between.
    pub retries: usize,
    /// After this time since a request's first try it is not repeated any more.
    pub budget: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            write: Duration::from_mins(10),
            silence: Duration::from_mins(1),
            retries: 6,
            budget: Duration::from_mins(2),
        }
    }
}

/// Why settings of a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The endpoint.
    #[error(
        "the bucket's endpoint has to read `https://<host>[:<port>]`, without path, user or bucket; `http://` only for \
         this machine itself"
    )]
    Endpoint,
    /// The bucket's name.
    #[error(
        "{0:?} is no bucket's name: it has to be 3 to 63 small letters, digits, '.' or '-', beginning and ending with a \
         letter or digit"
    )]
    Bucket(String),
    /// The region.
    #[error("{0:?} is no region: it has to be 1 to 64 letters, digits, '_' or '-', such as `fra1`")]
    Region(String),
    /// No credentials.
    #[error("the bucket's access key id or its secret is empty: give both")]
    Credentials,
    /// The size of parts.
    #[error("parts of {0} are not possible: they have to be of {SMALLEST_PART} to {LARGEST_FIRST_PART}")]
    PartSize(ByteCount),
    /// The client.
    #[error("the client for the bucket could not be made")]
    Client(#[source] object_store::Error),
    /// The client for asking.
    #[error("the client for asking the bucket what it can do could not be made")]
    Asking(#[source] reqwest::Error),
}

impl BucketSettings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if !is_endpoint(&self.endpoint) {
            return Err(SettingsError::Endpoint);
        }
        if !is_bucket(&self.bucket) {
            return Err(SettingsError::Bucket(self.bucket.chars().take(80).collect()));
        }
        let in_region = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=64).contains(&self.region.len()) || !self.region.bytes().all(in_region) {
            return Err(SettingsError::Region(self.region.chars().take(80).collect()));
        }
        if self.access_key_id.is_empty()
            || secrecy::ExposeSecret::expose_secret(&self.secret_access_key).is_empty()
        {
            return Err(SettingsError::Credentials);
        }
        if !(SMALLEST_PART..=LARGEST_FIRST_PART).contains(&self.part_size) {
            return Err(SettingsError::PartSize(self.part_size));
        }
        Ok(())
    }
}

fn is_endpoint(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
    bare && is_confidential(&uri)
}

fn is_bucket(text: &str) -> bool {
    let at_ends =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    let within =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    (3..=63).contains(&bytes.len())
        && at_ends(bytes.first())
        && at_ends(bytes.last())
        && bytes.iter().all(within)
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> BucketSettings {
        BucketSettings {
            endpoint: "https://fra1.digitaloceanspaces.com".to_owned(),
            region: "fra1".to_owned(),
            bucket: "backups".to_owned(),
            prefix: None,
            access_key_id: "id".to_owned(),
            secret_access_key: SecretString::from("hunter2"),
            part_size: SMALLEST_PART,
            conditional_put: ConditionalPut::Supported,
            lock: None,
            patience: Patience::default(),
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for good in [
            "https://s3.example.com",
            "https://s3.example.com:9000/",
            "http://127.0.0.1:5000",
            "http://[::1]:5",
        ] {
            assert!(BucketSettings { endpoint: good.to_owned(), ..settings() }.check().is_ok(), "{good}");
        }
        for bad in [
            "",
            "s3.example.com",
            "http://s3.example.com",
            "http://127.0.0.1.example.com",
            "https://me:hunter2@s3.example.com",
            "https://s3.example.com/bucket",
            "https://s3.example.com?x=1",
            "ftp://s3.example.com",
        ] {
            let error = BucketSettings { endpoint: bad.to_owned(), ..settings() }.check().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn names_and_sizes_are_checked() {
        for bad in ["", "ab", "Backups", "-backups", "backups.", "a..b", "a/b", &"a".repeat(64)] {
            let settings = BucketSettings { bucket: bad.to_owned(), ..settings() };
            assert!(matches!(settings.check(), Err(SettingsError::Bucket(_))), "{bad}");
        }
        let small = BucketSettings { part_size: ByteCount::new(SMALLEST_PART.get() - 1), ..settings() };
        assert!(matches!(small.check(), Err(SettingsError::PartSize(_))));
        let none = BucketSettings { secret_access_key: SecretString::from(""), ..settings() };
        assert!(matches!(none.check(), Err(SettingsError::Credentials)));
        let region = BucketSettings { region: "fra1/../x".to_owned(), ..settings() };
        assert!(matches!(region.check(), Err(SettingsError::Region(_))));
    }

    #[test]
    fn no_secret_is_shown() {
        let secret = BucketSettings { access_key_id: "AKIDNOBODY".to_owned(), ..settings() };
        let shown = format!("{secret:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("AKIDNOBODY"), "{shown}");
        let bucket = super::super::Bucket::new(settings()).unwrap();
        let shown = format!("{bucket:?}");
        assert!(!shown.contains("hunter2") && shown.contains("bucket backups at https://fra1"), "{shown}");
    }
}
