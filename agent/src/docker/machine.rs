//! The machine as the engine knows it. It does not change while the agent runs, so it is asked for once.

use std::path::PathBuf;

use super::{
    Docker, DockerError, Platform,
    client::{CALL, within},
};

/// The machine as the engine knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// What it runs by itself, where the engine tells.
    pub platform: Option<Platform>,
    /// Its memory in bytes; 0 where the engine does not tell.
    pub memory: u64,
    /// Where the engine keeps images and containers.
    pub data: PathBuf,
}

impl Docker {
    /// The machine.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn machine(&self) -> Result<&Machine, DockerError> {
        let ask = || async {
            let info = within("look at the machine", CALL, self.api().await?.info()).await?;
            Ok(Machine {
                platform: Platform::new(info.os_type.as_deref(), info.architecture.as_deref()),
                memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
                data: info.docker_root_dir.unwrap_or_default().into(),
            })
        };
        self.known_machine().get_or_try_init(ask).await
    }
}
