//! Images from a registry: pulled by digest, named as the file names them, also after an undo.

use base64::Engine as _;
use tidegate_agent::release::{EventKind, ReleaseEvent, ReleaseState};
use tidegate_tests::docker::Image;

use super::{
    fixture::{App, Fixture, ended},
    retention::made,
};

fn app(image: &str, command: &str) -> App {
    let compose = format!(
        "services:\n  web:\n    image: {image}\n    command: {command}\n    init: true\n    x-tidegate: {{ gate: {{ stable: 1s }} }}\n"
    );
    App::new("pull", &compose)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_tag_is_pulled_and_an_undo_moves_it_back() {
    let fixture = Fixture::start().await;
    let registry = fixture.docker.registry().await.unwrap();
    let probe = fixture.docker.load(Image::Probe).await.unwrap();
    let caddy = fixture.docker.load(Image::Caddy).await.unwrap();
    let pushed = registry.push(&fixture.docker, &probe).await.unwrap();
    let client = fixture.docker.client();
    let id_of = async |name: &str| client.inspect_image(name).await.unwrap().id.unwrap();
    let (probe_id, caddy_id) = (id_of(&probe).await, id_of(&caddy).await);
    let all = bollard::query_parameters::RemoveImageOptionsBuilder::default().force(true).build();
    client.remove_image(&probe_id, Some(all), None).await.unwrap();

    let name = format!("{}/moving:1", registry.prefix());
    let failures = fixture.refused(&app(&name, "[sleep, '1000']")).await;
    assert_eq!(failures[0].what, format!("the image {name} does not exist"), "{failures:?}");

    assert_eq!(ended(&fixture.release(&app(&pushed, "[sleep, '1000']")).await), ReleaseState::Released);
    assert_eq!(id_of(&pushed).await, probe_id);

    // The tag moves to an image without `sleep`: the release fails, and the name is the old image's again.
    let (repository, tag) = pushed.rsplit_once(':').unwrap();
    let options =
        bollard::query_parameters::TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
    client.tag_image(&caddy, Some(options)).await.unwrap();
    let push = bollard::query_parameters::PushImageOptionsBuilder::default().tag(tag).build();
    let pushing =
        client.push_image(repository, Some(push), Some(bollard::auth::DockerCredentials::default()));
    futures::TryStreamExt::try_collect::<Vec<_>>(pushing).await.unwrap();
    let options =
        bollard::query_parameters::TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
    client.tag_image(&probe_id, Some(options)).await.unwrap();
    assert_eq!(ended(&fixture.release(&app(&pushed, "[no-such-command]")).await), ReleaseState::Undone);
    assert_eq!(id_of(&pushed).await, probe_id);
    assert_eq!(fixture.container_names().await, ["pull-web-1"]);

    assert_eq!(ended(&fixture.release(&app(&pushed, "[caddy, respond]")).await), ReleaseState::Released);
    assert_eq!(id_of(&pushed).await, caddy_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_wants_a_login_is_told_and_used() {
    let fixture = Fixture::start().await;
    let registry = fixture.docker.registry().await.unwrap();
    let probe = fixture.docker.load(Image::Probe).await.unwrap();
    let pushed = registry.push(&fixture.docker, &probe).await.unwrap();
    let client = fixture.docker.client();
    let id = client.inspect_image(&probe).await.unwrap().id.unwrap();
    let all = bollard::query_parameters::RemoveImageOptionsBuilder::default().force(true).build();
    client.remove_image(&id, Some(all), None).await.unwrap();
    let registry = registry.with_login(&fixture.docker).await.unwrap();
    let before = fixture.inventory().await;
    let app = app(&pushed, "[sleep, '1000']");
    let file = fixture.state().join("docker.json");
    let refused = async |config: serde_json::Value| {
        fs_err::write(&file, config.to_string()).unwrap();
        let failure = fixture.refused(&app).await.remove(0);
        println!("{failure:#?}");
        assert_eq!(failure.what, format!("127.0.0.1:5000 does not give the image {pushed}"));
        assert!(failure.place.starts_with("compose.yaml:3:"), "{failure:?}");
        assert!(failure.hint.contains("docker login 127.0.0.1:5000"), "{failure:?}");
        assert!(failure.hint.contains(&file.display().to_string()), "{failure:?}");
        failure.hint
    };
    refused(serde_json::json!({})).await;
    let wrong = serde_json::json!({ "127.0.0.1:5000": { "username": "tester", "password": "hunter3" } });
    let hint = refused(serde_json::json!({ "auths": wrong })).await;
    assert!(hint.contains("the login of tester"), "{hint}");
    let hint = refused(serde_json::json!({ "credHelpers": { "127.0.0.1:5000": "ecr-login" } })).await;
    assert!(hint.contains("docker-credential-ecr-login"), "{hint}");
    // One that is named by its digest is looked for before it is pulled, too.
    let digest = format!("{pushed}@sha256:{}", "0".repeat(64));
    let failure = fixture.refused(&self::app(&digest, "[sleep, '1000']")).await.remove(0);
    assert_eq!(failure.what, format!("127.0.0.1:5000 does not give the image {digest}"));
    assert_eq!(fixture.inventory().await, before);

    let (user, password) = registry.login();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let config = serde_json::json!({ "auths": { "127.0.0.1:5000": { "auth": auth } } });
    fs_err::write(&file, config.to_string()).unwrap();
    let failure = fixture.refused(&self::app(&digest, "[sleep, '1000']")).await.remove(0);
    assert_eq!(failure.what, format!("the image {digest} does not exist"));
    assert_eq!(ended(&fixture.release(&app).await), ReleaseState::Released);
    assert_eq!(client.inspect_image(&pushed).await.unwrap().id.unwrap(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_undone_release_has_pulled_is_gone() {
    let fixture = Fixture::start().await;
    let registry = fixture.docker.registry().await.unwrap();
    let (name, first) = made(&fixture, &registry, ("1", 1)).await;
    assert_eq!(ended(&fixture.release(&app(&name, "[sleep, '1000']")).await), ReleaseState::Released);
    // The tag moves, in the registry alone.
    let (_, second) = made(&fixture, &registry, ("1", 1)).await;
    let (repository, tag) = name.rsplit_once(':').unwrap();
    let options =
        bollard::query_parameters::TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
    let client = fixture.docker.client();
    client.tag_image(&first, Some(options)).await.unwrap();
    let events = fixture.release(&app(&name, "[no-such-command]")).await;
    assert_eq!(ended(&events), ReleaseState::Undone);
    let pulled = |event: &ReleaseEvent| {
        matches!(&event.kind, EventKind::StepFinished { step, summary, .. }
            if step == "pull" && summary == "1 image")
    };
    assert!(events.iter().any(pulled), "{events:?}");
    assert_eq!(client.inspect_image(&name).await.unwrap().id.unwrap(), first);
    assert!(client.inspect_image(&second).await.is_err(), "{second} is here still");
    // The same image again, and well.
    assert_eq!(ended(&fixture.release(&app(&name, "[sleep, '1000']")).await), ReleaseState::Released);
    assert_eq!(client.inspect_image(&name).await.unwrap().id.unwrap(), second);
}
