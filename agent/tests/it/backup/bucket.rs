//! Objects in a bucket.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt as _;
use tidegate_agent::{
    backup::{
        ByteCount,
        destination::{
            Bucket, BucketSettings, ConditionalPut, Deletes, Destination as _, DestinationError, Listed,
            ObjectLock, Put, Switch,
        },
    },
    clock::{Clock as _, SystemClock},
};

use super::server::{BUCKET, Server, name};

fn data(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect()
}

async fn upload(bucket: &Bucket, object: &str, data: &[u8]) {
    let mut upload = bucket.begin(&name(object)).await.unwrap();
    for piece in data.chunks(256 * 1024) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    upload.finish().await.unwrap();
}

async fn read(bucket: &Bucket, object: &str) -> Vec<u8> {
    let pieces: Vec<Bytes> = bucket.read(&name(object)).await.unwrap().try_collect().await.unwrap();
    pieces.concat()
}

async fn listed(bucket: &Bucket, folder: &str) -> Vec<(String, u64)> {
    let found: Vec<Listed> = bucket.list(&name(folder)).try_collect().await.unwrap();
    let mut found: Vec<_> =
        found.into_iter().map(|listed| (listed.name.to_string(), listed.bytes.get())).collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_listed_read_and_deleted() {
    let Some(server) = Server::start().await else { return };
    let bucket = server.bucket();
    // None, one request, exactly one and two parts, and some.
    let part = 5 * 1024 * 1024;
    for (object, length) in
        [("a/none", 0), ("a/small", 1000), ("a/one", part), ("a/two", 2 * part), ("a/large", 20_000_000)]
    {
        let data = data(length);
        upload(&bucket, object, &data).await;
        assert!(read(&bucket, object).await == data, "{object}");
    }
    upload(&bucket, "ab/other", b"x").await;
    server.request("PUT", &format!("/{BUCKET}/tidegate/droplets/a/not%20ours"), "x").await;
    server.request("PUT", &format!("/{BUCKET}/a/elsewhere"), "x").await;
    let expected = [
        ("a/large", 20_000_000),
        ("a/none", 0),
        ("a/one", 5_242_880),
        ("a/small", 1000),
        ("a/two", 10_485_760),
    ];
    assert_eq!(listed(&bucket, "a").await, expected.map(|(name, size)| (name.to_owned(), size)));

    assert_eq!(bucket.read_small(&name("a/small"), ByteCount::new(1000)).await.unwrap().len(), 1000);
    let error = bucket.read_small(&name("a/large"), ByteCount::new(1000)).await.unwrap_err();
    assert!(matches!(error, DestinationError::TooLarge { .. }), "{error}");

    bucket.delete(&name("a/one")).await.unwrap();
    bucket.delete(&name("a/one")).await.unwrap();
    let error = bucket.read(&name("a/one")).await.err().unwrap();
    assert!(matches!(error, DestinationError::NotFound { .. }), "{error}");

    let mut begun = bucket.begin(&name("b/aborted")).await.unwrap();
    begun.write(Bytes::from(data(part + 1))).await.unwrap();
    let uploads = format!("/{BUCKET}?uploads");
    assert!(server.request("GET", &uploads, "").await.contains("b/aborted"));
    begun.abort().await.unwrap();
    assert!(!server.request("GET", &uploads, "").await.contains("b/aborted"));
    assert_eq!(listed(&bucket, "b").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_over_what_is_there() {
    let Some(server) = Server::start().await else { return };
    let supported = server.bucket();
    let asks =
        Bucket::new(BucketSettings { conditional_put: ConditionalPut::Unsupported, ..server.settings() });
    for (bucket, object) in [(supported, "a/manifest"), (asks.unwrap(), "b/manifest")] {
        let put = |content: &'static [u8]| {
            let bucket = bucket.clone();
            async move { bucket.put_if_absent(&name(object), Bytes::from_static(content)).await.unwrap() }
        };
        assert_eq!(put(b"one").await, Put::Done);
        assert_eq!(put(b"one").await, Put::Existed);
        assert_eq!(put(b"two").await, Put::Existed);
        assert_eq!(read(&bucket, object).await, b"one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_tells_what_a_bucket_can_do() {
    let Some(server) = Server::start().await else { return };
    let bucket = server.bucket();
    let found = bucket.probe().await.unwrap();
    assert_eq!((found.conditional_put, found.deletes), (ConditionalPut::Supported, Deletes::Allowed));
    assert_eq!((found.versioning, found.object_lock), (Switch::Off, Switch::Off));
    assert_eq!(listed(&bucket, "tidegate-probe").await, []);

    server.takes_locks().await;
    let (found, beside) = tokio::join!(bucket.probe(), bucket.probe());
    let found = found.unwrap();
    assert_eq!((found.versioning, found.object_lock), (Switch::On, Switch::On));
    assert_eq!(beside.unwrap(), found, "another droplet asks at the same time");
    let versions = server.request("GET", &format!("/{BUCKET}?versions"), "").await;
    assert!(!versions.contains("tidegate-probe"), "{versions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_locked_where_that_is_asked_for() {
    let Some(server) = Server::start().await else { return };
    let lock = ObjectLock { period: Duration::from_hours(24), clock: Arc::new(SystemClock) };
    let bucket = Bucket::new(BucketSettings { lock: Some(lock), ..server.settings() }).unwrap();
    let error = bucket.put_if_absent(&name("a/b"), Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, DestinationError::Refused { .. }), "no lock, no object: {error}");
    bucket.delete(&name("a/b")).await.unwrap();

    server.takes_locks().await;
    let before = SystemClock.now();
    assert_eq!(bucket.put_if_absent(&name("a/manifest"), Bytes::from_static(b"x")).await.unwrap(), Put::Done);
    upload(&bucket, "a/small", b"small").await;
    upload(&bucket, "a/large", &data(6 * 1024 * 1024)).await;
    upload(&server.bucket(), "a/open", b"x").await;
    for object in ["a/manifest", "a/small", "a/large"] {
        let until = bucket.locked_until(&name(object)).await.unwrap().unwrap();
        let hours = until.duration_since(before).as_hours();
        assert!((23..=24).contains(&hours), "{object}: {until}");
    }
    for object in ["a/open", "a/none"] {
        assert_eq!(bucket.locked_until(&name(object)).await.unwrap(), None, "{object}");
    }
    bucket.lock(&name("a/open")).await.unwrap();
    assert!(bucket.locked_until(&name("a/open")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_nobody_finished_are_ended() {
    let Some(server) = Server::start().await else { return };
    let bucket = server.bucket();
    for object in ["a/b/part", "a/b/more", "a/bc/other"] {
        let mut begun = bucket.begin(&name(object)).await.unwrap();
        begun.write(Bytes::from(data(5 * 1024 * 1024))).await.unwrap();
        // As when the agent dies: nobody aborts it.
        drop(begun);
    }
    let uploads = async || server.request("GET", &format!("/{BUCKET}?uploads"), "").await;
    assert!(uploads().await.contains("a/b/part"));
    // This server says of all that they were begun in 2010.
    let old = "2009-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(bucket.end_unfinished(&name("a/b"), old).await.unwrap(), 0);
    assert_eq!(bucket.end_unfinished(&name("a/b"), SystemClock.now()).await.unwrap(), 2);
    let left = uploads().await;
    assert!(left.contains("a/bc/other") && !left.contains("a/b/"), "{left}");
    assert_eq!(bucket.end_unfinished(&name("a/b"), SystemClock.now()).await.unwrap(), 0);
}
