//! Containers: finding them by label and name, and everything that is done to them.

use std::{collections::HashMap, time::Duration};

use bollard::{
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerUpdateBody,
        EndpointSettings, HealthStatusEnum, MountPoint, RestartPolicy,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StartContainerOptions,
        StopContainerOptionsBuilder, UploadToContainerOptionsBuilder,
    },
};
use tidegate_compose::labels;

use super::{
    Docker, DockerError,
    client::{CALL, SETUP, within},
    health_check::HealthCheck,
};

/// How much longer than its own grace period a stop may take.
const STOP_SLACK: Duration = SETUP;
/// The grace period of a container that names none.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What is known about a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// The image as it was asked for.
    pub image: String,
    /// `sha256:...` of the image.
    pub image_id: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// Where it is.
    pub state: ContainerState,
    /// What its health check says.
    pub health: ContainerHealth,
    /// How often Docker started it again by itself.
    pub restarts: u64,
    /// When it was last started, as Docker says it; empty when never.
    pub started_at: String,
    /// When it last ended, as Docker says it; empty when never.
    pub finished_at: String,
    /// Its first process, while it runs.
    pub pid: Option<u32>,
    /// The exit code of one that ended.
    pub exit_code: i64,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// Why Docker could not start it; usually empty.
    pub error: String,
    /// In bytes; 0 for none.
    pub memory_limit: u64,
    /// Whose network it uses: `host`, `none`, `container:<id>`, or the name of its first network.
    pub network_mode: String,
    /// Its addresses by network.
    pub addresses: HashMap<String, String>,
    /// Its health check.
    pub health_check: Option<HealthCheck>,
    /// How it stands on its networks, as Docker tells it; only a look at the container itself tells it.
    pub endpoints: HashMap<String, EndpointSettings>,
    /// Output of the last health probe.
    pub last_probe: String,
    /// Host ports that it asks for, as `address:port/protocol`.
    pub host_ports: Vec<String>,
    /// Destinations and names of the volumes it holds.
    pub volumes: Vec<(String, String)>,
    /// Paths in it where something lies that outlives it and that it may write to.
    pub kept_paths: Vec<String>,
    /// How long a stop waits before it kills.
    pub grace: Duration,
    /// The restart policy it has now.
    pub restart: Option<RestartPolicy>,
}

/// Where a container is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, never started.
    #[default]
    Created,
    /// Running.
    Running,
    /// Paused.
    Paused,
    /// Waiting to be started again.
    Restarting,
    /// Ended.
    Exited,
    /// On its way out, or broken.
    Dead,
}

/// What a container's health check says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerHealth {
    /// It has none.
    #[default]
    None,
    /// Not yet known.
    Starting,
    /// Well.
    Healthy,
    /// Not well.
    Unhealthy,
}

impl ContainerState {
    /// Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }
}

impl ContainerHealth {
    /// Docker's word for it; empty for none.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl Container {
    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// The service it belongs to.
    pub fn service(&self) -> Option<&str> {
        self.label(labels::SERVICE)
    }

    /// Its number within the service; one-off containers have none.
    pub fn number(&self) -> Option<u32> {
        let one_off = self.label(labels::ONE_OFF) == Some("True");
        if one_off { None } else { self.label(labels::CONTAINER_NUMBER)?.parse().ok() }
    }

    /// Whether it runs now.
    pub fn is_running(&self) -> bool {
        self.state == ContainerState::Running
    }

    fn from_inspect(found: ContainerInspectResponse) -> Self {
        let state = found.state.unwrap_or_default();
        let config = found.config.unwrap_or_default();
        let host = found.host_config.unwrap_or_default();
        let health = state.health.unwrap_or_default();
        let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let seconds = config.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            id: found.id.unwrap_or_default(),
            name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            image: config.image.unwrap_or_default(),
            image_id: found.image.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
            state: state_of(state.status),
            health: health_of(health.status),
            restarts: found.restart_count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            started_at: state.started_at.filter(|at| !at.starts_with("0001-")).unwrap_or_default(),
            finished_at: state.finished_at.filter(|at| !at.starts_with("0001-")).unwrap_or_default(),
            pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
            exit_code: state.exit_code.unwrap_or(0),
            out_of_memory: state.oom_killed.unwrap_or(false),
            error: state.error.unwrap_or_default(),
            memory_limit: host.memory.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            network_mode: host.network_mode.unwrap_or_default(),
            endpoints: networks.clone(),
            addresses: networks.into_iter().map(|(name, endpoint)| (name, address_of(endpoint))).collect(),
            health_check: config
                .healthcheck
                .and_then(|check| HealthCheck::of(&check, config.shell.as_deref())),
            last_probe: health.log.and_then(|log| log.last()?.output.clone()).unwrap_or_default(),
            host_ports: host_ports(host.port_bindings.unwrap_or_default()),
            kept_paths: found.mounts.iter().flatten().filter_map(kept_path).collect(),
            volumes: found
                .mounts
                .unwrap_or_default()
                .into_iter()
                .filter_map(|mount| Some((mount.destination?, mount.name?)))
                .collect(),
            grace: seconds.map_or(DEFAULT_GRACE, Duration::from_secs),
            restart: host.restart_policy,
        }
    }
}

fn kept_path(mount: &MountPoint) -> Option<String> {
    let is_kept = matches!(mount.typ.as_deref(), Some("volume" | "bind")) && mount.rw == Some(true);
    mount.destination.clone().filter(|_| is_kept)
}

/// The address an endpoint has, or was given for when its container runs.
fn address_of(endpoint: bollard::models::EndpointSettings) -> String {
    let fixed = endpoint.ipam_config.and_then(|config| config.ipv4_address);
    endpoint.ip_address.filter(|address| !address.is_empty()).or(fixed).unwrap_or_default()
}

fn host_ports(bindings: bollard::models::PortMap) -> Vec<String> {
    let mut ports = Vec::new();
    for (target, bound) in bindings {
        let protocol = target.split_once('/').map_or("tcp", |(_, protocol)| protocol);
        for binding in bound.unwrap_or_default() {
            let port = binding.host_port.unwrap_or_default();
            if !port.is_empty() {
                ports.push(format!("{}:{port}/{protocol}", binding.host_ip.unwrap_or_default()));
            }
        }
    }
    ports.sort();
    ports
}

fn state_of(status: Option<ContainerStateStatusEnum>) -> ContainerState {
    match status {
        Some(ContainerStateStatusEnum::RUNNING) => ContainerState::Running,
        Some(ContainerStateStatusEnum::PAUSED) => ContainerState::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => ContainerState::Restarting,
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::STOPPING) => ContainerState::Exited,
        Some(ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::REMOVING) => ContainerState::Dead,
        Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EMPTY) | None => {
            ContainerState::Created
        }
    }
}

fn health_of(status: Option<HealthStatusEnum>) -> ContainerHealth {
    match status {
        Some(HealthStatusEnum::STARTING) => ContainerHealth::Starting,
        Some(HealthStatusEnum::HEALTHY) => ContainerHealth::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => ContainerHealth::Unhealthy,
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => ContainerHealth::None,
    }
}

impl Docker {
    /// The container of that name or id, if it is there.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn container(&self, name: &str) -> Result<Option<Container>, DockerError> {
        let doing = format!("look at the container {name}");
        let api = self.api().await?;
        match within(&doing, CALL, api.inspect_container(name, None::<InspectContainerOptions>)).await {
            Ok(found) => Ok(Some(Container::from_inspect(found))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All containers with these labels (`key` or `key=value`), running or not, in the order of their names.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn containers(&self, labels: &[String]) -> Result<Vec<Container>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let api = self.api().await?;
        let list = within("list the containers", CALL, api.list_containers(Some(options))).await?;
        let mut containers = Vec::new();
        for id in list.into_iter().filter_map(|summary| summary.id) {
            // One that went meanwhile is none.
            containers.extend(self.container(&id).await?);
        }
        containers.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(containers)
    }

    /// All containers of a Compose project, one-offs included.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn project_containers(&self, project: &str) -> Result<Vec<Container>, DockerError> {
        self.containers(&[format!("{}={project}", labels::PROJECT), labels::CONFIG_HASH.to_owned()]).await
    }

    /// Makes a container; its id and what the engine warns of, such as limits that its kernel does not know.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn create(
        &self,
        name: &str,
        platform: &str,
        body: ContainerCreateBody,
    ) -> Result<(String, Vec<String>), DockerError> {
        let mut options = CreateContainerOptionsBuilder::default().name(name);
        if !platform.is_empty() {
            options = options.platform(platform);
        }
        let doing = format!("create the container {name}");
        let api = self.api().await?;
        let made = within(&doing, SETUP, api.create_container(Some(options.build()), body)).await?;
        Ok((made.id, made.warnings))
    }

    /// Starts a container; one that runs goes on.
    ///
    /// # Errors
    /// When the engine refuses, for example because a host port is taken.
    pub async fn start(&self, name: &str) -> Result<(), DockerError> {
        let doing = format!("start the container {name}");
        let api = self.api().await?;
        within(&doing, SETUP, api.start_container(name, None::<StartContainerOptions>)).await
    }

    /// Stops a container, by its own signal and in its own time; one that is not there is stopped.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(&self, container: &Container) -> Result<(), DockerError> {
        let doing = format!("stop the container {}", container.name);
        let api = self.api().await?;
        let options = StopContainerOptionsBuilder::default().build();
        let deadline = container.grace.saturating_add(STOP_SLACK);
        match within(&doing, deadline, api.stop_container(&container.id, Some(options))).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a container, whatever it does; its anonymous volumes go as told. One that is not there is removed.
    ///
    /// # Errors
    /// When the engine refuses or does not answer.
    pub async fn remove(&self, name: &str, volumes: AnonymousVolumes) -> Result<(), DockerError> {
        let doing = format!("remove the container {name}");
        let api = self.api().await?;
        let with_volumes = volumes == AnonymousVolumes::Remove;
        let options = RemoveContainerOptionsBuilder::default().force(true).v(with_volumes).build();
        match within(&doing, SETUP, api.remove_container(name, Some(options))).await {
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.message().is_some_and(|m| m.contains("already in progress")) => Ok(()),
            result => result,
        }
    }

    /// Renames a container.
    ///
    /// # Errors
    /// When the new name is taken.
    pub async fn rename(&self, name: &str, new: &str) -> Result<(), DockerError> {
        let doing = format!("rename the container {name} to {new}");
        let options = RenameContainerOptionsBuilder::default().name(new).build();
        within(&doing, CALL, self.api().await?.rename_container(name, options)).await
    }

    /// Changes a container's restart policy; of one that is not there it is changed.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn set_restart(&self, name: &str, policy: RestartPolicy) -> Result<(), DockerError> {
        let doing = format!("change the restart policy of {name}");
        let body = ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
        match within(&doing, CALL, self.api().await?.update_container(name, body)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts files into a container: a tar archive that is unpacked at its root.
    ///
    /// # Errors
    /// When the container's file system cannot be written.
    pub async fn put_archive(&self, name: &str, tar: Vec<u8>) -> Result<(), DockerError> {
        let doing = format!("copy files into the container {name}");
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        let body = bollard::body_full(tar.into());
        within(&doing, CALL, self.api().await?.upload_to_container(name, Some(options), body)).await
    }
}

/// What happens to a removed container's anonymous volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnonymousVolumes {
    /// They stay: another container may hold them.
    Keep,
    /// They go with it.
    Remove,
}
