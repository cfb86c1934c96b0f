//! Images of old releases: how many stay, what stays beside them, and that nothing of others goes.

use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder,
    ListImagesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions, RemoveImageOptionsBuilder,
    StartContainerOptions, TagImageOptionsBuilder, WaitContainerOptions,
};
use futures::TryStreamExt as _;
use tidegate_agent::release::{
    ReleaseState,
    clean::{Cleaned, LeftoverKind, Mode},
};
use tidegate_tests::docker::Registry;

use super::fixture::{App, Fixture, ended};

/// Makes an image that has so many random megabytes of its own, pushes it, and removes it here; its name in the registry.
pub async fn pushed(fixture: &Fixture, registry: &Registry, image: (&str, u32)) -> String {
    made(fixture, registry, image).await.0
}

/// The same with the image's id.
pub async fn made(fixture: &Fixture, registry: &Registry, (tag, megabytes): (&str, u32)) -> (String, String) {
    let client = fixture.docker.client();
    let blob = format!("dd if=/dev/urandom of=/blob bs=1M count={megabytes}");
    let body = bollard::models::ContainerCreateBody {
        image: Some("probe:1".to_owned()),
        cmd: Some(["sh", "-c", &blob].map(str::to_owned).into()),
        ..Default::default()
    };
    let options = CreateContainerOptionsBuilder::default().name("maker").build();
    client.create_container(Some(options), body).await.unwrap();
    client.start_container("maker", None::<StartContainerOptions>).await.unwrap();
    client.wait_container("maker", None::<WaitContainerOptions>).try_collect::<Vec<_>>().await.unwrap();
    let commit = CommitContainerOptionsBuilder::default().container("maker").repo("made").tag(tag).build();
    let id = client.commit_container(commit, bollard::models::ContainerConfig::default()).await.unwrap().id;
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    client.remove_container("maker", Some(force)).await.unwrap();
    let name = registry.push(&fixture.docker, &format!("made:{tag}")).await.unwrap();
    let all = RemoveImageOptionsBuilder::default().force(true).build();
    client.remove_image(&id, Some(all), None).await.unwrap();
    (name, id)
}

/// An app of one service with that image.
pub fn app(image: &str, retention: &str) -> App {
    let compose = format!(
        "x-tidegate: {{ retention: {{ {retention} }} }}
services:
  web:
    image: {image}
    command: [sleep, '1000']
    init: true
    x-tidegate: {{ gate: {{ stable: 0s }} }}
"
    );
    App::new("kept", &compose)
}

/// Tags of the images `made` that are here.
pub async fn tags(fixture: &Fixture) -> Vec<String> {
    let options = ListImagesOptionsBuilder::default().all(true).build();
    let images = fixture.docker.client().list_images(Some(options)).await.unwrap();
    let names = images.into_iter().flat_map(|image| image.repo_tags);
    let mut tags: Vec<String> =
        names.filter_map(|name| Some(name.strip_prefix("127.0.0.1:5000/made:")?.to_owned())).collect();
    tags.sort();
    tags
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_releases_and_what_is_tagged_for_good_stay() {
    let fixture = Fixture::start().await;
    let registry = fixture.docker.registry().await.unwrap();
    let keeping = "releases: 2, keep_tags: true";
    for tag in ["1", "2.0.0", "3"] {
        let image = pushed(&fixture, &registry, (tag, 1)).await;
        assert_eq!(ended(&fixture.release(&app(&image, keeping)).await), ReleaseState::Released);
    }
    assert_eq!(tags(&fixture).await, ["2.0.0", "3"]);
    // Somebody gives an image a name of his own: it stays, whatever releases say.
    let mine = TagImageOptionsBuilder::default().repo("mine").tag("1").build();
    fixture.docker.client().tag_image("127.0.0.1:5000/made:3", Some(mine)).await.unwrap();
    for tag in ["4", "stable", "6", "7"] {
        let image = pushed(&fixture, &registry, (tag, 1)).await;
        assert_eq!(ended(&fixture.release(&app(&image, keeping)).await), ReleaseState::Released);
    }
    assert_eq!(tags(&fixture).await, ["2.0.0", "3", "6", "7", "stable"]);
    // Where tags are not kept, they go with their releases.
    let image = pushed(&fixture, &registry, ("8", 1)).await;
    assert_eq!(ended(&fixture.release(&app(&image, "releases: 1")).await), ReleaseState::Released);
    assert_eq!(tags(&fixture).await, ["3", "8"]);
    assert!(fixture.docker.client().inspect_image("mine:1").await.is_ok());
    assert!(fixture.docker.client().inspect_image("caddy:2").await.is_ok());
    the_clean_up_takes_what_bears_no_name_and_came_from_where_releases_had_theirs(&fixture).await;
}

async fn the_clean_up_takes_what_bears_no_name_and_came_from_where_releases_had_theirs(fixture: &Fixture) {
    let client = fixture.docker.client();
    let pull = |name: String| {
        let options = CreateImageOptionsBuilder::default().from_image(&name).build();
        client.create_image(Some(options), None, None).try_collect::<Vec<_>>()
    };
    let named = "127.0.0.1:5000/made:6";
    pull(named.to_owned()).await.unwrap();
    let digest = client.inspect_image(named).await.unwrap().repo_digests.unwrap().remove(0);
    client.remove_image(named, None::<RemoveImageOptions>, None).await.unwrap();
    pull(digest.clone()).await.unwrap();
    // Somebody else's: nobody knows where it came from.
    let body =
        bollard::models::ContainerCreateBody { image: Some("probe:1".to_owned()), ..Default::default() };
    let options = CreateContainerOptionsBuilder::default().name("other").build();
    client.create_container(Some(options), body).await.unwrap();
    let commit = CommitContainerOptionsBuilder::default().container("other").build();
    let foreign =
        client.commit_container(commit, bollard::models::ContainerConfig::default()).await.unwrap().id;
    let inputs = fixture.state().join("releases/gone/7");
    fs_err::create_dir_all(&inputs).unwrap();

    let told = |cleaned: &Cleaned| -> Vec<(LeftoverKind, String)> {
        cleaned.gone.iter().map(|one| (one.kind, one.name.clone())).collect()
    };
    let expected =
        [(LeftoverKind::Image, digest.clone()), (LeftoverKind::Inputs, "gone r7".to_owned())].to_vec();
    let looked = fixture.engine.clean(Mode::Look).await.unwrap();
    assert_eq!((told(&looked), looked.troubles.as_slice()), (expected.clone(), [].as_slice()));
    assert!(client.inspect_image(&digest).await.is_ok() && inputs.exists(), "it was only looked");
    assert_eq!(told(&fixture.engine.clean(Mode::Remove).await.unwrap()), expected);
    assert!(client.inspect_image(&digest).await.is_err() && !inputs.exists());
    assert!(client.inspect_image(&foreign).await.is_ok());
    assert_eq!(tags(fixture).await, ["3", "8"]);
    assert!(client.inspect_image("mine:1").await.is_ok());
    assert_eq!(told(&fixture.engine.clean(Mode::Remove).await.unwrap()), []);
}
