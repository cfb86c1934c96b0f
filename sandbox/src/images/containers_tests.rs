use super::*;

/// A recipe whose root file system is `content`, and the program `image` that only runs it.
fn recipes(dir: &Path, content: &str) {
    let recipe = dir.join("containers/app");
    fs_err::create_dir_all(&recipe).unwrap();
    script(&recipe.join("build"), "exit 0");
    let made = dir.join("made");
    fs_err::create_dir_all(&made).unwrap();
    let body = format!(
        "cd {0} && printf '{content}' > rootfs.tar && sha256sum rootfs.tar | cut -d' ' -f1 > rootfs.sha256 && \
         echo '{{\"Cmd\":[\"app\"]}}' > config.json && printf 'shop/app:1\\napp:latest\\n' > name && echo {0}",
        made.display()
    );
    script(&dir.join("containers/image"), &body);
}

fn script(path: &Path, body: &str) {
    fs_err::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn an_image_is_described_once_and_again_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    recipes(dir.path(), "one");
    let images = ContainerImages::new(dir.path(), Cache::new(dir.path().join("cache")), None);
    assert_eq!(images.recipes().unwrap(), ["app"]);
    let first = images.build("app").await.unwrap();
    assert_eq!(first.tags, ["shop/app:1", "app:latest"]);
    assert_eq!(images.build("app").await.unwrap(), first);
    let found = images.built().unwrap();
    assert_eq!(found.len(), 1);
    let (built, at) = &found[0];
    let image = to_push(built, at).unwrap();
    assert_eq!(sha256(&image.manifest), first.digest);
    for blob in &image.blobs {
        assert_eq!(digest_of(&blob.file).unwrap(), blob.digest);
    }
    let config: Value = serde_json::from_slice(&fs_err::read(at.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["config"]["Cmd"][0], "app");
    assert_eq!(config["rootfs"]["diff_ids"][0], sha256(b"one"));

    recipes(dir.path(), "two");
    let second = images.build("app").await.unwrap();
    assert_ne!(second.digest, first.digest);
    assert_eq!(images.built().unwrap().len(), 1, "the older one is gone");
}

#[tokio::test]
async fn a_recipe_without_a_tag_is_refused_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    recipes(dir.path(), "one");
    let image = dir.path().join("containers/image");
    let text = fs_err::read_to_string(&image).unwrap().replace("shop/app:1\\napp:latest\\n", "no-tag\\n");
    fs_err::write(&image, text).unwrap();
    let images = ContainerImages::new(dir.path(), Cache::new(dir.path().join("cache")), None);
    let RecipeError::Io(error) = images.build("app").await.unwrap_err() else { panic!("not about files") };
    assert!(error.to_string().contains("name: `no-tag`"), "{error}");
    assert!(images.built().unwrap().is_empty());
}

#[tokio::test]
async fn a_layer_that_is_not_what_the_recipe_says_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    recipes(dir.path(), "one");
    let image = dir.path().join("containers/image");
    let text = fs_err::read_to_string(&image).unwrap().replace("sha256sum rootfs.tar", "sha256sum /dev/null");
    fs_err::write(&image, text).unwrap();
    let images = ContainerImages::new(dir.path(), Cache::new(dir.path().join("cache")), None);
    let RecipeError::Io(error) = images.build("app").await.unwrap_err() else { panic!("not about files") };
    assert!(error.to_string().contains("but the layer is sha256:"), "{error}");
    assert!(images.built().unwrap().is_empty());
}
