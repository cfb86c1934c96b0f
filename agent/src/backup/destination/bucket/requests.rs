//! The clients that ask the store, and what they were told about it.

use std::time::Duration;

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut},
    path::Path,
};
use secrecy::ExposeSecret as _;

use super::{BucketSettings, ConditionalPut, ObjectLock, Patience, SettingsError, words};
use crate::backup::{ByteCount, ObjectName, destination::DestinationError};

/// The first and the longest wait between tries of a request; between them waits grow at random.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(200);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What requests are made with.
pub(super) struct Requests {
    /// For requests that write: each as a whole has a deadline.
    pub(super) writes: AmazonS3,
    /// For the others: their answers may be long, so each wait for more of them has one.
    pub(super) reads: AmazonS3,
    /// For what `object_store` cannot ask.
    pub(super) plain: reqwest::Client,
    pub(super) title: String,
    pub(super) prefix: Option<ObjectName>,
    pub(super) part_size: ByteCount,
    pub(super) conditional_put: ConditionalPut,
    pub(super) lock: Option<ObjectLock>,
    pub(super) patience: Patience,
}

impl Requests {
    pub(super) fn new(settings: BucketSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let patience = settings.patience;
        let write = options(&settings).with_timeout(patience.write);
        let read = options(&settings).with_timeout_disabled().with_read_timeout(patience.silence);
        let plain = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            .timeout(patience.silence)
            .redirect(reqwest::redirect::Policy::none());
        let endpoint = settings.endpoint.trim_end_matches('/');
        let below = settings.prefix.as_ref().map(|prefix| format!(", below {prefix}")).unwrap_or_default();
        Ok(Self {
            writes: client(&settings, write)?,
            reads: client(&settings, read)?,
            plain: plain.build().map_err(SettingsError::Asking)?,
            title: format!("bucket {} at {endpoint}{below}", settings.bucket),
            prefix: settings.prefix,
            part_size: settings.part_size,
            conditional_put: settings.conditional_put,
            lock: settings.lock,
            patience,
        })
    }

    /// An object's name in the bucket.
    pub(super) fn path(&self, name: &ObjectName) -> Result<Path, DestinationError> {
        let full = match &self.prefix {
            Some(prefix) => prefix.join(name.as_str()),
            None => Ok(name.clone()),
        };
        let full = full.map_err(|source| DestinationError::Name { at: self.title.clone(), source })?;
        // Its letters are all taken as they are.
        Ok(Path::from(full.as_str()))
    }

    /// What an error means. Without a name the bucket as a whole was asked.
    pub(super) fn told(&self, name: Option<&ObjectName>, error: &object_store::Error) -> DestinationError {
        words::told(words::Asked { at: &self.title, name, patience: self.patience }, error)
    }
}

fn options(settings: &BucketSettings) -> ClientOptions {
    // `check` let `http` pass for this machine alone.
    ClientOptions::new()
        .with_allow_http(settings.endpoint.starts_with("http://"))
        .with_connect_timeout(settings.patience.connect)
}

fn client(settings: &BucketSettings, options: ClientOptions) -> Result<AmazonS3, SettingsError> {
    let backoff = BackoffConfig { init_backoff: FIRST_WAIT, max_backoff: LONGEST_WAIT, base: 2.0 };
    let retry = RetryConfig {
        backoff,
        max_retries: settings.patience.retries,
        retry_timeout: settings.patience.budget,
    };
    AmazonS3Builder::new()
        .with_endpoint(settings.endpoint.trim_end_matches('/'))
        .with_region(&settings.region)
        .with_bucket_name(&settings.bucket)
        .with_access_key_id(&settings.access_key_id)
        .with_secret_access_key(settings.secret_access_key.expose_secret())
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Not every store knows deletes in bulk.
        .with_disable_bulk_delete(true)
        .with_allow_http(settings.endpoint.starts_with("http://"))
        .with_client_options(options)
        .with_retry(retry)
        .build()
        .map_err(SettingsError::Client)
}
