//! Containers that live only while something is tried out or put right in them: no network, little memory and processor time,
//! and the first to go when the droplet's memory is short.
//!
//! Owns their limits, and that they are removed whatever becomes of who wanted them, also those that a dead agent left. Must
//! not know what happens in them.

mod idle;

use std::collections::HashMap;

use bollard::models::{HostConfig, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum};

pub use self::idle::{Idle, IdleSettings, Volumes};
use crate::{
    docker::{AnonymousVolumes, Docker, DockerError},
    release::chain,
};

/// On containers that live only for a trial; its value says what for.
pub const SCRATCH_LABEL: &str = "tidegate.scratch";

/// On those of them that have volumes of somebody else's.
pub(crate) const BORROWS_LABEL: &str = "tidegate.scratch.borrows";

/// What such a container may take of the droplet: others serve there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of memory.
    pub memory: u64,
    /// Thousandths of a processor.
    pub milli_cpus: u32,
}

impl Default for Room {
    fn default() -> Self {
        Self { memory: 512 * 1024 * 1024, milli_cpus: 1000 }
    }
}

/// A name that no other of them has: what removes one late must not remove the next one.
pub fn name(stem: &str) -> String {
    format!("tidegate-scratch-{stem}-{:08x}", rand::random::<u32>())
}

/// The label that tells what one is for.
pub(crate) fn labels(purpose: &str) -> HashMap<String, String> {
    HashMap::from([(SCRATCH_LABEL.to_owned(), purpose.to_owned())])
}

/// How the engine keeps one within its room.
pub(crate) fn host(room: Room) -> HostConfig {
    let memory = i64::try_from(room.memory).unwrap_or(i64::MAX);
    let log = HashMap::from([("max-size", "1m"), ("max-file", "1")]);
    HostConfig {
        network_mode: Some("none".to_owned()),
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(room.milli_cpus) * 1_000_000),
        // Whoever serves comes first.
        cpu_shares: Some(64),
        oom_score_adj: Some(1000),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            ..RestartPolicy::default()
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(log.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        }),
        ..HostConfig::default()
    }
}

/// Removes those that a dead agent left behind; how many there were.
///
/// # Errors
/// When Docker refuses.
pub async fn remove_leftovers(docker: &Docker) -> Result<usize, DockerError> {
    let left = docker.containers(&[SCRATCH_LABEL.to_owned()]).await?;
    for container in &left {
        let is_borrower = container.label(BORROWS_LABEL).is_some();
        let volumes = if is_borrower { AnonymousVolumes::Keep } else { AnonymousVolumes::Remove };
        docker.remove(&container.id, volumes).await?;
    }
    Ok(left.len())
}

/// Removes a container when it is dropped, unless it is gone by then.
pub struct Guard {
    docker: Docker,
    name: String,
    volumes: AnonymousVolumes,
    left: Left,
}

/// What is left of a container.
#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

impl Guard {
    /// Over a container that is there, or will be, and what becomes of its anonymous volumes.
    pub fn over(docker: &Docker, name: &str, volumes: AnonymousVolumes) -> Self {
        Self { docker: docker.clone(), name: name.to_owned(), volumes, left: Left::Something }
    }

    /// Removes the container now.
    ///
    /// # Errors
    /// When Docker refuses; it is tried once more then.
    pub async fn remove(mut self) -> Result<(), DockerError> {
        self.docker.remove(&self.name, self.volumes).await?;
        self.left = Left::Nothing;
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.left == Left::Nothing {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (docker, name, volumes) = (self.docker.clone(), self.name.clone(), self.volumes);
        runtime.spawn(async move {
            if let Err(error) = docker.remove(&name, volumes).await {
                tracing::warn!(name, error = chain(&error), "a scratch container could not be removed");
            }
        });
    }
}
