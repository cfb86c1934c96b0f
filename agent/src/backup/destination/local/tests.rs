//! A directory as a destination, with what may be in its way.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use futures::TryStreamExt as _;

use super::*;

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

struct Place {
    directory: tempfile::TempDir,
    local: LocalDirectory,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let local = LocalDirectory::open(&directory.path().join("backups")).unwrap();
        Self { directory, local }
    }

    fn path(&self, rest: &str) -> std::path::PathBuf {
        self.directory.path().join("backups").join(rest)
    }

    async fn write(&self, object: &str, pieces: &[&'static [u8]]) {
        let mut upload = self.local.begin(&name(object)).await.unwrap();
        for piece in pieces {
            upload.write(Bytes::from_static(piece)).await.unwrap();
        }
        upload.finish().await.unwrap();
    }

    async fn listed(&self, folder: &str) -> Vec<(String, u64)> {
        let found: Vec<Listed> = self.local.list(&name(folder)).try_collect().await.unwrap();
        let mut found: Vec<_> =
            found.into_iter().map(|listed| (listed.name.to_string(), listed.bytes.get())).collect();
        found.sort();
        found
    }
}

#[tokio::test]
async fn an_object_is_seen_when_it_is_finished() {
    let place = Place::new();
    let mut upload = place.local.begin(&name("a/b/c")).await.unwrap();
    upload.write(Bytes::from_static(b"back")).await.unwrap();
    let missing = place.local.read_small(&name("a/b/c"), ByteCount::new(10)).await.unwrap_err();
    assert!(matches!(missing, DestinationError::NotFound { .. }), "{missing}");
    assert_eq!(place.listed("a").await, [("a/b/c.partial".to_owned(), 4)]);
    upload.write(Bytes::from_static(b"up")).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(place.listed("a").await, [("a/b/c".to_owned(), 6)]);
    let pieces: Vec<Bytes> = place.local.read(&name("a/b/c")).await.unwrap().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"backup");
    let mode = |path: &str| fs_err::metadata(place.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("a"), mode("a/b"), mode("a/b/c")), (0o700, 0o700, 0o700, 0o600));
    assert!(place.local.free().await.unwrap().unwrap() > ByteCount::default());
}

#[tokio::test]
async fn what_is_aborted_or_deleted_leaves_no_folder() {
    let place = Place::new();
    let mut upload = place.local.begin(&name("a/b/c")).await.unwrap();
    upload.write(Bytes::from_static(b"x")).await.unwrap();
    upload.abort().await.unwrap();
    place.write("a/d/e", &[b"x"]).await;
    place.local.delete(&name("a/d/e")).await.unwrap();
    place.local.delete(&name("a/d/e")).await.unwrap();
    assert_eq!(fs_err::read_dir(place.path("")).unwrap().count(), 0);
    assert_eq!(place.listed("a").await, []);
}

#[tokio::test]
async fn what_a_crash_left_is_no_obstacle() {
    let place = Place::new();
    fs_err::create_dir(place.path("a")).unwrap();
    fs_err::write(place.path("a/b.partial"), "torn").unwrap();
    place.write("a/b", &[b"whole"]).await;
    assert_eq!(place.listed("a").await, [("a/b".to_owned(), 5)]);
}

#[tokio::test]
async fn nothing_is_put_over_what_is_there() {
    let place = Place::new();
    let put = |content: &'static [u8]| {
        let local = place.local.clone();
        async move { local.put_if_absent(&name("a/manifest"), Bytes::from_static(content)).await.unwrap() }
    };
    assert_eq!(put(b"one").await, Put::Done);
    assert_eq!(put(b"two").await, Put::Existed);
    assert_eq!(fs_err::read(place.path("a/manifest")).unwrap(), b"one");
    assert_eq!(place.listed("a").await, [("a/manifest".to_owned(), 3)]);
}

#[tokio::test]
async fn a_small_object_is_bounded() {
    let place = Place::new();
    place.write("a/b", &[b"12345"]).await;
    let read = |most| {
        let local = place.local.clone();
        async move { local.read_small(&name("a/b"), ByteCount::new(most)).await }
    };
    assert_eq!(read(5).await.unwrap(), b"12345");
    assert!(matches!(read(4).await, Err(DestinationError::TooLarge { .. })));
}

#[tokio::test]
async fn links_are_not_followed() {
    let place = Place::new();
    let outside = place.directory.path().join("outside");
    fs_err::create_dir(&outside).unwrap();
    fs_err::write(outside.join("secret"), "hunter2").unwrap();
    symlink(&outside, place.path("link")).unwrap();
    fs_err::create_dir(place.path("a")).unwrap();
    symlink(outside.join("secret"), place.path("a/secret")).unwrap();

    let error = place.local.begin(&name("link/new")).await.err().unwrap();
    assert!(matches!(error, DestinationError::NotAFolder { .. }), "{error}");
    let error = place.local.read(&name("link/secret")).await.err().unwrap();
    assert!(matches!(error, DestinationError::NotAFolder { .. }), "{error}");
    assert!(place.local.read(&name("a/secret")).await.is_err());
    assert!(place.local.delete(&name("link/secret")).await.is_err());
    assert_eq!(place.listed("a").await, []);
    // The link itself may go; what it leads to stays.
    place.local.delete(&name("a/secret")).await.unwrap();
    place.write("a/secret", &[b"mine"]).await;
    assert_eq!(fs_err::read_to_string(outside.join("secret")).unwrap(), "hunter2");
    assert_eq!(fs_err::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn many_objects_are_listed_page_by_page() {
    let place = Place::new();
    for folder in 0..5 {
        fs_err::create_dir_all(place.path(&format!("a/{folder}"))).unwrap();
        for file in 0..500 {
            fs_err::write(place.path(&format!("a/{folder}/{file}")), "x").unwrap();
        }
    }
    fs_err::write(place.path("a/not ours"), "x").unwrap();
    assert_eq!(place.listed("a").await.len(), 2500);
    assert_eq!(place.listed("a/3").await.len(), 500);
    assert_eq!(place.listed("b").await, []);
}

#[test]
fn a_full_disk_is_called_that() {
    use std::io::Write as _;
    let mut full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let source = full.write_all(&[0; 10]).unwrap_err();
    let error = DestinationError::of_io("directory /backups", &name("a"), "write a file", source);
    assert!(matches!(error, DestinationError::Full { .. }));
    assert!(error.to_string().starts_with("directory /backups is full"), "{error}");
}

#[test]
fn the_directory_has_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs_err::write(&file, "x").unwrap();
    assert!(LocalDirectory::open(&file).unwrap_err().to_string().contains("file could not be opened"));
    assert!(LocalDirectory::open(&directory.path().join("a/b")).is_err());
}
