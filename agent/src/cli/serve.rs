//! `tidegate-agent serve`.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::{
    clock::SystemClock,
    config::Config,
    logging,
    serve::{self, Paths},
};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The configuration that cloud-init wrote; `ca.pem` and `enrolment.json` are expected beside it.
    #[arg(long, default_value = "/etc/tidegate/agent.toml")]
    config: PathBuf,
    /// What the agent keeps: keys, journal, releases, audit.
    #[arg(long, default_value = "/var/lib/tidegate")]
    state_dir: PathBuf,
    /// Its unix socket.
    #[arg(long, default_value = "/run/tidegate")]
    runtime_dir: PathBuf,
    /// A level, or targets with levels.
    #[arg(long, default_value = "info,zbus=warn", env = "TIDEGATE_LOG")]
    log: String,
}

pub(super) fn run(arguments: &ServeArguments) -> anyhow::Result<()> {
    logging::start(&arguments.log)?;
    let config = Config::load(&arguments.config)?;
    let configuration =
        arguments.config.parent().context("the configuration's path names no file")?.to_owned();
    let paths = Paths {
        configuration,
        state: arguments.state_dir.clone(),
        runtime: arguments.runtime_dir.clone(),
        program: std::env::current_exe().context("the agent's own file is not known")?,
        units: PathBuf::from("/etc/systemd/system"),
    };
    // Few threads with small stacks: an idle agent has to be small.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .thread_stack_size(1024 * 1024)
        .thread_keep_alive(std::time::Duration::from_secs(5))
        .enable_all()
        .build()
        .context("the agent's threads could not be started")?;
    let served = runtime.block_on(async {
        // Before anything else, so that no signal finds the default, which is to die at once.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let running = serve::start(config, paths, Arc::new(SystemClock)).await?;
        let told = async move {
            tokio::select! {
                _ = terminate.recv() => info!("told to end (TERM)"),
                _ = interrupt.recv() => info!("told to end (INT)"),
            }
        };
        running.until(told).await?;
        anyhow::Ok(())
    });
    // A blocking call may hang with the disk: the process does not wait for it.
    runtime.shutdown_background();
    served
}
