//! What `status` tells: gathered by the daemon, or from its files when it is away.

use std::{fmt, io};

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{artefacts, options::Paths};
use crate::{
    account::{Account, tokens::Grant},
    qemu::{self, MachineReport, command::GUEST_REGISTRY},
};

/// The sandbox, as `status --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether the daemon answers.
    pub running: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Where the API is.
    pub api_url: Option<String>,
    /// Tokens of the account.
    pub tokens: Option<Tokens>,
    /// What droplets are.
    pub driver: Option<String>,
    /// How processors of machines are made.
    pub accelerator: Option<String>,
    /// The registry, as this machine dials it.
    pub registry: Option<String>,
    /// The registry, as droplets dial it.
    pub registry_from_droplet: Option<String>,
    /// Where droplets download the agent.
    pub agent_url: Option<String>,
    /// SHA-256 of that agent.
    pub agent_sha256: Option<String>,
    /// The state directory.
    pub state_dir: String,
    /// The machines.
    pub droplets: Vec<MachineReport>,
}

/// Tokens of the account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// May do everything.
    pub full: Option<String>,
    /// May only read.
    pub read_only: Option<String>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

/// What the daemon knows about itself.
#[derive(Clone, Debug)]
pub struct Running {
    /// Where the API is.
    pub api_url: String,
    /// What droplets are.
    pub driver: &'static str,
    /// How processors of machines are made.
    pub accelerator: Option<&'static str>,
    /// The registry.
    pub registry: Option<String>,
}

impl Status {
    /// Of a sandbox whose daemon is away.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn away(paths: &Paths) -> io::Result<Self> {
        Ok(Self {
            running: false,
            pid: None,
            api_url: None,
            tokens: None,
            driver: None,
            accelerator: None,
            registry: None,
            registry_from_droplet: None,
            agent_url: None,
            agent_sha256: artefacts::agent_sha256(&paths.agent())?,
            state_dir: paths.state.display().to_string(),
            droplets: qemu::reports(&paths.machines())?,
        })
    }

    /// Of this daemon.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn of(paths: &Paths, running: &Running, account: &Account) -> io::Result<Self> {
        let token = |grant| account.token(&grant).map(|token| token.secret.expose_secret().to_owned());
        let machines = running.accelerator.is_some();
        Ok(Self {
            running: true,
            pid: Some(std::process::id()),
            api_url: Some(running.api_url.clone()),
            tokens: Some(Tokens { full: token(Grant::Full), read_only: token(Grant::ReadOnly) }),
            driver: Some(running.driver.to_owned()),
            accelerator: running.accelerator.map(str::to_owned),
            registry: running.registry.clone(),
            registry_from_droplet: running.registry.as_ref().map(|_| GUEST_REGISTRY.to_owned()),
            agent_url: machines.then(artefacts::agent_url),
            ..Self::away(paths)?
        })
    }

    /// As lines for people.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        match (&self.api_url, self.pid) {
            (Some(url), Some(pid)) => {
                lines.push(format!(
                    "The sandbox runs (process {pid}, droplets by {}).",
                    self.driver.as_deref().unwrap_or("?")
                ));
                lines.push(format!("  API       {url}"));
            }
            _ => lines.push("The sandbox does not run; `tidegate-sandbox start` starts it.".to_owned()),
        }
        if let Some(registry) = &self.registry {
            lines.push(format!("  registry  {registry} (from droplets {GUEST_REGISTRY})"));
        }
        if let (Some(url), Some(sha256)) = (&self.agent_url, &self.agent_sha256) {
            lines.push(format!("  agent     {url} (sha256 {sha256})"));
        }
        lines.push(format!("  state     {}", self.state_dir));
        for droplet in &self.droplets {
            let state = if droplet.pid.is_some() { "running" } else { "off" };
            lines.push(format!(
                "  droplet   {} {} {} {state}, console {}",
                droplet.droplet_id,
                droplet.name,
                droplet.address,
                droplet.console_log.display()
            ));
        }
        if let (Some(url), Some(token)) =
            (&self.api_url, self.tokens.as_ref().and_then(|tokens| tokens.full.as_ref()))
        {
            lines.push("Use it:".to_owned());
            lines.push(format!("  export DIGITALOCEAN_API_URL={url}"));
            lines.push(format!("  export DIGITALOCEAN_TOKEN={token}"));
        }
        lines.join("\n") + "\n"
    }
}
