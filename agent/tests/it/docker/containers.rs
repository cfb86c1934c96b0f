//! Containers that look like those of an app.

use std::collections::HashMap;

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{
        CreateContainerOptionsBuilder, RestartContainerOptionsBuilder, StartContainerOptions,
        WaitContainerOptions,
    },
};
use futures::StreamExt;
use tidegate_compose::labels;
use tidegate_tests::docker::{Docker, Image};

/// Starts container `<app>-<service>-<number>` with a shell script as its command.
pub async fn service(docker: &Docker, app: &str, service: &str, number: u32, script: &str) -> String {
    let image = docker.load(Image::Probe).await.unwrap();
    let name = format!("{app}-{service}-{number}");
    let body = ContainerCreateBody {
        image: Some(image),
        cmd: Some(vec!["sh".into(), "-c".into(), script.into()]),
        labels: Some(HashMap::from([
            (labels::PROJECT.to_owned(), app.to_owned()),
            (labels::SERVICE.to_owned(), service.to_owned()),
            (labels::CONTAINER_NUMBER.to_owned(), number.to_string()),
            (labels::ONE_OFF.to_owned(), "False".to_owned()),
        ])),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    docker.client().create_container(Some(options), body).await.unwrap();
    docker.client().start_container(&name, None::<StartContainerOptions>).await.unwrap();
    name
}

/// Waits until the container has ended.
pub async fn ended(docker: &Docker, container: &str) {
    // A non-zero exit code is an error to bollard.
    docker.client().wait_container(container, None::<WaitContainerOptions>).collect::<Vec<_>>().await;
}

/// Restarts a container without waiting for it to stop by itself.
pub async fn restart(docker: &Docker, container: &str) {
    let options = RestartContainerOptionsBuilder::default().t(0).build();
    docker.client().restart_container(container, Some(options)).await.unwrap();
}
