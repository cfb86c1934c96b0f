//! The environment itself, on a real daemon.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Output,
};

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{
        CreateContainerOptions, CreateImageOptions, InspectContainerOptions, RemoveImageOptions,
        StartContainerOptions,
    },
};
use futures::TryStreamExt;

use super::*;

async fn run_probe(docker: &Docker, script: &str) -> String {
    let image = docker.load(Image::Probe).await.unwrap();
    let body = ContainerCreateBody {
        image: Some(image),
        cmd: Some(vec!["sh".into(), "-c".into(), script.into()]),
        ..ContainerCreateBody::default()
    };
    let made = docker.client().create_container(None::<CreateContainerOptions>, body).await.unwrap();
    docker.client().start_container(&made.id, None::<StartContainerOptions>).await.unwrap();
    made.id
}

async fn address(docker: &Docker, id: &str) -> String {
    let container = docker.client().inspect_container(id, None::<InspectContainerOptions>).await.unwrap();
    let networks = container.network_settings.unwrap().networks.unwrap();
    networks.get("bridge").unwrap().ip_address.clone().unwrap()
}

/// The answer to `GET /`, tried for five seconds.
fn get(address: &str) -> String {
    for _ in 0..100 {
        if let Ok(mut stream) = TcpStream::connect((address, 8080)) {
            let mut answer = String::new();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            stream.read_to_string(&mut answer).unwrap();
            return answer;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing listens on {address}:8080");
}

#[tokio::test]
async fn a_container_serves_inside_the_namespace_alone() {
    let docker = Docker::start().await.unwrap();
    let id = run_probe(&docker, "echo hello >/var/www/index.html; exec httpd -f -p 8080 -h /var/www").await;
    let address = address(&docker, &id).await;

    let answer = docker.inside(|| get(&address)).unwrap();
    assert!(answer.ends_with("hello\n"), "{answer}");
    let by_command =
        docker.command("busybox").args(["wget", "-qO-", &format!("http://{address}:8080/")]).output();
    let Output { stdout, .. } = by_command.unwrap();
    assert_eq!(String::from_utf8(stdout).unwrap(), "hello\n");
}

#[tokio::test]
async fn the_next_test_finds_nothing_but_loaded_images() {
    let docker = Docker::start().await.unwrap();
    let _id = run_probe(&docker, "sleep 600").await;
    let socket = docker.socket();
    drop(docker);
    assert!(!socket.exists(), "the daemon was to end with its owner");

    let docker = Docker::start().await.unwrap();
    let containers = docker.command("docker").args(["ps", "-aq"]).output().unwrap().stdout;
    assert!(containers.is_empty(), "{}", String::from_utf8_lossy(&containers));
    assert_eq!(docker.load(Image::Probe).await.unwrap(), "probe:1");
}

#[tokio::test]
async fn containers_outlive_a_killed_daemon_with_live_restore() {
    let options = Options { live_restore: LiveRestore::On, ..Options::default() };
    let mut docker = Docker::start_with(options).await.unwrap();
    let id = run_probe(&docker, "sleep 600").await;
    let before = docker.client().inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();

    docker.kill_daemon().unwrap();
    docker.client().ping().await.unwrap_err();
    docker.start_daemon().await.unwrap();

    let after = docker.client().inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(after.state.as_ref().unwrap().running, Some(true));
    assert_eq!(after.state.unwrap().pid, before.state.unwrap().pid);
}

#[tokio::test]
async fn an_image_is_pulled_from_the_registry_by_digest() {
    let docker = Docker::start().await.unwrap();
    let registry = docker.registry().await.unwrap();
    let tag = docker.load(Image::Probe).await.unwrap();
    let reference = registry.push(&docker, &tag).await.unwrap();
    let image = docker.client().inspect_image(&reference).await.unwrap();
    let digest = image.repo_digests.unwrap().first().cloned().unwrap();

    docker.client().remove_image(&reference, None::<RemoveImageOptions>, None).await.unwrap();
    let options = CreateImageOptions { from_image: Some(digest.clone()), ..CreateImageOptions::default() };
    let pulled = docker.client().create_image(Some(options), None, None);
    let _progress: Vec<_> = pulled.try_collect().await.unwrap();
    assert_eq!(docker.client().inspect_image(&digest).await.unwrap().id, image.id);
}

#[tokio::test]
async fn two_daemons_run_side_by_side() {
    let one = Docker::start().await.unwrap();
    let two = Docker::start().await.unwrap();
    assert_ne!(one.namespace(), two.namespace());
    let _in_one = run_probe(&one, "sleep 600").await;
    let of_two = two.command("docker").args(["ps", "-aq"]).output().unwrap().stdout;
    assert!(of_two.is_empty(), "{}", String::from_utf8_lossy(&of_two));
}
