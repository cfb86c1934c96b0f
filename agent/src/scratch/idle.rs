//! A scratch container that does nothing by itself: what is to be done is told it, step by step.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use tokio::io::AsyncRead;

use super::{BORROWS_LABEL, Guard, Room, host, labels, name};
use crate::{
    docker::{AnonymousVolumes, Docker, DockerError, PipeCommand},
    programs::{self, ProgramError},
};

/// What one is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleSettings {
    /// What its name says beside the rest: `shop-cache`.
    pub stem: String,
    /// What it is for: the label's value.
    pub purpose: String,
    /// `sha256:...` of the image, which is on the droplet and has a shell.
    pub image: String,
    /// What it may take.
    pub room: Room,
    /// Whose volumes it has.
    pub volumes: Volumes,
}

/// Whose volumes a scratch container has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Volumes {
    /// Its own, which go with it.
    Own,
    /// Those of this container, at the same places, to read and to write.
    Of(String),
}

/// A container that waits. It runs as root, whatever the image says.
pub struct Idle {
    docker: Docker,
    name: String,
    guard: Guard,
}

impl Idle {
    /// Makes and starts one.
    ///
    /// # Errors
    /// When the image is not there or has no `cat`, or Docker refuses.
    pub async fn start(docker: &Docker, settings: IdleSettings) -> Result<Self, DockerError> {
        let name = name(&settings.stem);
        let volumes = match settings.volumes {
            Volumes::Own => AnonymousVolumes::Remove,
            Volumes::Of(_) => AnonymousVolumes::Keep,
        };
        let guard = Guard::over(docker, &name, volumes);
        docker.create(&name, "", body(settings)).await?;
        docker.start(&name).await?;
        Ok(Self { docker: docker.clone(), name, guard })
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a script of the shell with these arguments, `$1` and so on; what it printed.
    ///
    /// # Errors
    /// When it fails, or takes longer than the deadline.
    pub async fn script(
        &self,
        script: &str,
        (arguments, deadline): (&[&str], Duration),
    ) -> Result<String, ProgramError> {
        let command = shell(script, arguments);
        programs::printed(&self.docker, &self.name, (&command, deadline)).await?.checked("sh")
    }

    /// Runs a script that reads this to its end.
    ///
    /// # Errors
    /// When it cannot be read to its end, the script fails, or it takes longer than the deadline.
    pub async fn feed(
        &self,
        (script, arguments): (&str, &[&str]),
        (source, deadline): (impl AsyncRead + Send + Unpin, Duration),
    ) -> Result<(), ProgramError> {
        let pipe = self.docker.pipe(&self.name, &shell(script, arguments)).await;
        programs::feed("sh", pipe.map_err(ProgramError::Docker)?, (source, deadline)).await
    }

    /// Removes it, with the volumes that are its own.
    ///
    /// # Errors
    /// When Docker refuses.
    pub async fn remove(self) -> Result<(), DockerError> {
        self.guard.remove().await
    }
}

fn shell(script: &str, arguments: &[&str]) -> PipeCommand {
    let fixed = ["sh", "-euc", script, "sh"];
    let mut command = PipeCommand::new([&fixed[..], arguments].concat());
    // Whoever reads its messages reads English.
    command.environment = vec!["LC_ALL=C".to_owned()];
    command
}

fn body(settings: IdleSettings) -> ContainerCreateBody {
    let IdleSettings { purpose, image, room, volumes, .. } = settings;
    let (mut host, mut labels) = (host(room), labels(&purpose));
    if let Volumes::Of(container) = volumes {
        labels.insert(BORROWS_LABEL.to_owned(), container.clone());
        host.volumes_from = Some(vec![container]);
    }
    ContainerCreateBody {
        image: Some(image),
        // Waits for an input that never comes.
        entrypoint: Some(vec!["cat".to_owned()]),
        cmd: Some(Vec::new()),
        open_stdin: Some(true),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        labels: Some(labels),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}
