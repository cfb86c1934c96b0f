//! What every command is given, and the ways from it to fleet file, API and state.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::{
    clock::Clock,
    cloud::{Client, Endpoint, Token},
    environ::Environ,
    failure::Failure,
    fleet::{self, Fleet},
    names::{Name, Scope},
    output::{Format, Printer},
    state::{self, StateDir},
    waits::Waits,
};

/// Options that all commands have.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Fleet file
    #[arg(long, global = true, value_name = "FILE", default_value = fleet::FILE_NAME, help_heading = "Global options")]
    pub file: PathBuf,
    /// Environment of the fleet file; `production` is its base
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAME",
        default_value = "production",
        help_heading = "Global options"
    )]
    pub environment: Name,
    /// Where certificates and journals are kept [env: TIDEGATE_STATE_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub state_dir: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
}

/// What every command is given.
#[derive(Debug)]
pub struct Context {
    /// Options that all commands have.
    pub global: Global,
    /// The process's environment.
    pub environ: Environ,
    /// Time.
    pub clock: Clock,
    /// Output.
    pub printer: Printer,
    /// Waiting for others.
    pub waits: Waits,
}

impl Context {
    /// From options and what the process was given.
    pub fn new(global: Global, environ: Environ, clock: Clock) -> Self {
        let format = if global.json { Format::Json } else { Format::Text };
        Self { global, environ, clock, printer: Printer::new(format), waits: Waits::default() }
    }

    /// The fleet file for the chosen environment.
    ///
    /// # Errors
    /// When it is missing or wrong.
    pub fn fleet(&self) -> anyhow::Result<Fleet> {
        Ok(fleet::load(&self.global.file, &self.global.environment)?)
    }

    /// The process's environment with the project's `.env` behind it.
    ///
    /// # Errors
    /// When `.env` cannot be read.
    pub fn environ(&self, fleet: &Fleet) -> anyhow::Result<Environ> {
        Ok(self.environ.clone().with_file_in(&fleet.directory)?)
    }

    /// The API, with the user's token.
    ///
    /// # Errors
    /// When there is no token, or the endpoint is refused.
    pub fn client(&self, environ: &Environ) -> anyhow::Result<Client> {
        let endpoint = environ.get("DIGITALOCEAN_API_URL").unwrap_or(Endpoint::REAL);
        let endpoint: Endpoint =
            endpoint.parse().map_err(|e| Failure::input("DIGITALOCEAN_API_URL cannot be used").because(e))?;
        let token = environ.get("DIGITALOCEAN_TOKEN").or(environ.get("DIGITALOCEAN_ACCESS_TOKEN"));
        let token = token.ok_or_else(|| {
            Failure::input("there is no API token").hint(
                "set DIGITALOCEAN_TOKEN, or write it into .env beside tidegate.toml; \
                       tokens are made in DigitalOcean's control panel under API > Tokens",
            )
        })?;
        Ok(Client::new(endpoint, Token::new(token), self.clock.clone(), self.waits.clone())?)
    }

    /// The state directory of one environment.
    ///
    /// # Errors
    /// When nothing says where state is.
    pub fn state(&self, scope: &Scope) -> anyhow::Result<StateDir> {
        let root =
            state::root(self.global.state_dir.as_deref(), &self.environ).context("there is no state")?;
        Ok(StateDir::new(&root, scope))
    }
}
