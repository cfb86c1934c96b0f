//! Against the real docker-registry where it is installed.

use sha2::{Digest, Sha256};

use super::*;
use crate::registry::Registry;

fn blob(dir: &Path, name: &str, content: &[u8]) -> Blob {
    let file = dir.join(name);
    fs_err::write(&file, content).unwrap();
    Blob {
        digest: format!("sha256:{}", hex::encode(Sha256::digest(content))),
        size: u64::try_from(content.len()).unwrap(),
        file,
    }
}

fn image(dir: &Path, content: &[u8]) -> Image {
    let config = blob(
        dir,
        "config",
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
    );
    let layer = blob(dir, "layer", content);
    let manifest = serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": config.size, "digest": config.digest},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": layer.size, "digest": layer.digest}],
    }))
    .unwrap();
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&manifest)));
    Image { blobs: vec![config, layer], manifest, digest }
}

fn installed() -> bool {
    let found = std::process::Command::new("docker-registry").arg("--version").output().is_ok();
    if !found {
        println!("skipped: docker-registry is not installed (script/setup-sandbox installs it)");
    }
    found
}

#[tokio::test]
async fn an_image_is_pushed_once_and_replaced_under_its_tag() {
    if !installed() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    let registry = Registry::start(&dir.path().join("run"), &storage, 0).await.unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs_err::create_dir(&one).unwrap();
    fs_err::create_dir(&two).unwrap();
    let first = image(&one, &vec![7; 3_000_000]);
    assert_eq!(push(registry.address(), "postgres:17", &first).await.unwrap(), Pushed::Now);
    assert_eq!(push(registry.address(), "postgres:17", &first).await.unwrap(), Pushed::Already);
    let second = image(&two, b"another");
    assert_eq!(push(registry.address(), "postgres:17", &second).await.unwrap(), Pushed::Now);
    let to = Target { registry: registry.address(), repository: "library/postgres".to_owned() };
    assert!(to.has("manifests/17", Some(&second.digest)).await.unwrap());
    assert!(to.has(&format!("manifests/{}", first.digest), Some(&first.digest)).await.unwrap());
    registry.stop().await.unwrap();
}

#[tokio::test]
async fn a_registry_is_taken_up_by_the_next_daemon() {
    if !installed() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (run, storage) = (dir.path().join("run"), dir.path().join("storage"));
    let first = Registry::start(&run, &storage, 0).await.unwrap();
    let again = Registry::start(&run, &storage, first.address().port()).await.unwrap();
    assert_eq!(again.process, first.process);
    let elsewhere = Registry::start(&dir.path().join("other"), &storage, first.address().port()).await;
    assert!(elsewhere.unwrap_err().to_string().contains("--registry-port"));
    first.stop().await.unwrap();
    let third = Registry::start(&run, &storage, 0).await.unwrap();
    assert_eq!(third.address(), first.address(), "machines that run dial the old port");
    third.stop().await.unwrap();
}

#[test]
fn plain_names_lie_in_library() {
    assert_eq!(place("postgres:17").unwrap(), ("library/postgres".to_owned(), "17"));
    assert_eq!(place("shop/web:1.2").unwrap(), ("shop/web".to_owned(), "1.2"));
    for wrong in ["postgres", "postgres:", ":17", "a b:1", "/x:1", "../x y:1", "x:la/test"] {
        assert!(place(wrong).is_err(), "{wrong}");
    }
}
