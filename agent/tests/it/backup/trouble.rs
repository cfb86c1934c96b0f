//! Servers that refuse, vanish or are slow.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt as _;
use secrecy::SecretString;
use tidegate_agent::backup::destination::{
    Bucket, BucketSettings, Destination as _, DestinationError, Listed, Patience, ProbeError, ProbeStep,
};

use super::server::{BUCKET, Cable, Server, name, settings};

/// Every error along the way, as people see it.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error}");
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    assert!(!text.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{text}");
    text
}

async fn probed(settings: BucketSettings) -> (ProbeStep, DestinationError) {
    let error = Bucket::new(settings).unwrap().probe().await.unwrap_err();
    words(&error);
    let ProbeError::Step { step, source } = error else { panic!("{error}") };
    (step, source)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_called_that() {
    let Some(server) = Server::start().await else { return };
    let missing = BucketSettings { bucket: "no-such-bucket".to_owned(), ..server.settings() };
    let (step, error) = probed(missing.clone()).await;
    assert!(step == ProbeStep::List && matches!(error, DestinationError::NoBucket { .. }), "{error}");
    let bucket = Bucket::new(missing).unwrap();
    let error = bucket.put_if_absent(&name("x"), Bytes::new()).await.unwrap_err();
    assert!(matches!(error, DestinationError::NoBucket { .. }), "{error}");
    let listed: Result<Vec<Listed>, _> = bucket.list(&name("x")).try_collect().await;
    assert!(matches!(listed, Err(DestinationError::NoBucket { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_called_that() {
    let Some(server) = Server::start().await else { return };
    let (id, secret) = server.asks_for_keys().await;

    let (_, error) = probed(server.settings()).await;
    assert!(matches!(error, DestinationError::Credentials { .. }), "{error}");
    let known = BucketSettings { access_key_id: id, ..server.settings() };
    let (_, error) = probed(known.clone()).await;
    assert!(matches!(error, DestinationError::Credentials { .. }), "{error}");
    // The right secret, and no right to do anything.
    let known = BucketSettings { secret_access_key: SecretString::from(secret), ..known };
    let (_, error) = probed(known).await;
    assert!(matches!(error, DestinationError::Forbidden { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_vanishes_in_mid_upload_has_nothing() {
    let Some(server) = Server::start().await else { return };
    let cable = Cable::to(server.address).await;
    let bucket = Bucket::new(settings(cable.address)).unwrap();
    let mut upload = bucket.begin(&name("a/b")).await.unwrap();
    // The first part is there when this returns.
    upload.write(Bytes::from(vec![1; 5 * 1024 * 1024])).await.unwrap();
    cable.cut();
    let started = Instant::now();
    let mut went = Ok(());
    for _ in 0..3 {
        went = went.and(upload.write(Bytes::from(vec![2; 5 * 1024 * 1024])).await);
    }
    let error = went.and(upload.finish().await).unwrap_err();
    assert!(
        matches!(error, DestinationError::Unreachable { .. } | DestinationError::Timeout { .. }),
        "{error}"
    );
    words(&error);
    assert!(started.elapsed() < Duration::from_secs(100), "{:?}", started.elapsed());
    let here: Vec<Listed> = server.bucket().list(&name("a")).try_collect().await.unwrap();
    assert_eq!(here, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_address_is_called_that() {
    let Some(server) = Server::start().await else { return };
    let gone = server.settings();
    drop(server);
    let (step, error) = probed(gone).await;
    assert!(step == ProbeStep::List && matches!(error, DestinationError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    let Some(server) = Server::start().await else { return };
    let cable = Cable::to(server.address).await;
    let short = Duration::from_secs(2);
    let patience = Patience { write: short, silence: short, retries: 1, ..server.settings().patience };
    let bucket = Bucket::new(BucketSettings { patience, ..settings(cable.address) }).unwrap();
    // Within the first request.
    cable.stop_after(50);
    let started = Instant::now();
    let error = bucket.read(&name("x")).await.err().unwrap();
    assert!(matches!(error, DestinationError::Timeout { .. }), "{error}");
    let error = bucket.put_if_absent(&name("x"), Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, DestinationError::Timeout { .. }), "{error}");
    let mut upload = bucket.begin(&name("y")).await.unwrap();
    let error = upload.write(Bytes::from(vec![0; 6 * 1024 * 1024])).await.unwrap_err();
    assert!(matches!(error, DestinationError::Timeout { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    assert!(server.request("GET", &format!("/{BUCKET}?list-type=2"), "").await.contains("<KeyCount>0"));
}
