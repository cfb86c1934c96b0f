//! What the commands are told: options and environment, read once.

use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Longest state directory: names of sockets (108 bytes) are made from it.
const LONGEST_STATE_DIR: usize = 60;

/// A DigitalOcean account on this machine: the API on loopback, droplets as virtual machines.
#[derive(Debug, Parser)]
#[command(name = "tidegate-sandbox", version, arg_required_else_help = true)]
pub struct Cli {
    /// Where everything is kept [default: ~/.local/state/tidegate-sandbox]
    #[arg(long, global = true, env = "TIDEGATE_SANDBOX_DIR", value_name = "DIR")]
    pub state_dir: Option<OsString>,
    /// Where built images are kept [default: ~/.cache/tidegate-sandbox]
    #[arg(long, global = true, env = "TIDEGATE_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<OsString>,
    /// Recipes of the images [default: those of the source tree this program was built from]
    #[arg(long, global = true, value_name = "DIR")]
    pub recipes: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run in the foreground
    Serve(ServeArgs),
    /// Start in the background and wait until it answers
    Start(ServeArgs),
    /// Shut the machines down, then stop; everything is kept for the next start
    Stop(StopArgs),
    /// Tell whether it runs, and how to use it
    Status(JsonArgs),
    /// Remove machines and state; images stay in the cache
    Reset(ResetArgs),
    /// Build the images of machines and containers that are not built yet
    Images(ImagesArgs),
}

/// Options of the daemon.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Where the API listens; a loopback address
    #[arg(long, default_value = "127.0.0.1:8765", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Droplets' public addresses are taken from this network (/24, loopback)
    #[arg(long, default_value = "127.0.1.0", value_name = "ADDRESS")]
    pub public_net: Ipv4Addr,
    /// What droplets are
    #[arg(long, value_enum, default_value_t = DriverName::Qemu)]
    pub driver: DriverName,
    /// Port of the registry on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 5000, value_name = "PORT")]
    pub registry_port: u16,
    /// The agent's program, which droplets can then download
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,
}

/// What droplets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriverName {
    /// Virtual machines.
    Qemu,
    /// Entries in the account's books.
    None,
}

impl DriverName {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::None => "none",
        }
    }
}

/// Options of `stop`.
#[derive(Clone, Copy, Debug, Args)]
pub struct StopArgs {
    /// Seconds the machines have to shut down before their plug is pulled
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub patience: u64,
}

/// `--json`.
#[derive(Clone, Copy, Debug, Args)]
pub struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `reset`.
#[derive(Clone, Copy, Debug, Args)]
pub struct ResetArgs {
    /// Do it
    #[arg(long)]
    pub yes: bool,
}

/// Options of `images`.
#[derive(Debug, Args)]
pub struct ImagesArgs {
    /// What to do with them [default: build]
    #[command(subcommand)]
    pub action: Option<ImagesAction>,
    /// Build the machine image anew, with today's packages
    #[arg(long)]
    pub rebuild: bool,
    /// Only these: `base`, or recipes of containers
    #[arg(value_name = "NAME")]
    pub only: Vec<String>,
}

/// What to do with images.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ImagesAction {
    /// Tell what is built
    List(JsonArgs),
}

/// Why a command cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// No home directory.
    #[error("HOME is not set, so there is no default for {0}; set HOME or give the option")]
    NoHome(&'static str),
    /// The state directory's name is too long.
    #[error(
        "the state directory {} is longer than {LONGEST_STATE_DIR} characters, so sockets in it cannot be named; choose a shorter one with --state-dir",
        .0.display()
    )]
    StateDirTooLong(PathBuf),
    /// The API would be reachable from elsewhere.
    #[error(
        "--listen {0} is not a loopback address: the sandbox has no defences for a network; use 127.0.0.1:PORT"
    )]
    NotLoopback(SocketAddr),
    /// Droplets would be reachable from elsewhere.
    #[error("--public-net {0} is not a network of loopback addresses such as 127.0.1.0")]
    NotLoopbackNet(Ipv4Addr),
    /// Directories.
    #[error("a directory cannot be used")]
    Io(#[source] io::Error),
}

impl ServeArgs {
    /// Refuses what would face a network.
    ///
    /// # Errors
    /// When an address is not a loopback one.
    pub fn check(&self) -> Result<(), OptionsError> {
        if !self.listen.ip().is_loopback() {
            return Err(OptionsError::NotLoopback(self.listen));
        }
        let [first, _, third, last] = self.public_net.octets();
        // 127.0.0.0/24 is the host's own: the API, the registry, other programs.
        if first != 127 || last != 0 || (third == 0 && self.public_net == Ipv4Addr::new(127, 0, 0, 0)) {
            return Err(OptionsError::NotLoopbackNet(self.public_net));
        }
        Ok(())
    }
}

/// The directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// State.
    pub state: PathBuf,
    /// Built images.
    pub cache: PathBuf,
    /// Whether the user chose the cache.
    pub chosen_cache: Option<PathBuf>,
    /// Recipes.
    pub recipes: PathBuf,
}

impl Paths {
    /// From options, and `home` for defaults.
    ///
    /// # Errors
    /// When there is no default, or the state directory's name is too long.
    pub fn new(cli: &Cli, home: Option<&Path>) -> Result<Self, OptionsError> {
        // An empty variable is one that is not set.
        let given = |dir: &Option<OsString>| dir.clone().filter(|dir| !dir.is_empty());
        let below_home = |dir: &Option<OsString>, default: &str, what| match (given(dir), home) {
            (Some(dir), _) => std::path::absolute(dir).map_err(OptionsError::Io),
            (None, Some(home)) => Ok(home.join(default)),
            (None, None) => Err(OptionsError::NoHome(what)),
        };
        let state = below_home(&cli.state_dir, ".local/state/tidegate-sandbox", "--state-dir")?;
        if state.as_os_str().len() > LONGEST_STATE_DIR {
            return Err(OptionsError::StateDirTooLong(state));
        }
        let cache = below_home(&cli.cache_dir, ".cache/tidegate-sandbox", "--cache-dir")?;
        let chosen_cache = given(&cli.cache_dir).map(|_| cache.clone());
        let recipes = match &cli.recipes {
            Some(dir) => std::path::absolute(dir).map_err(OptionsError::Io)?,
            None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/images")),
        };
        Ok(Self { state, cache, chosen_cache, recipes })
    }

    /// The account's state.
    pub fn account(&self) -> PathBuf {
        self.state.join("account")
    }

    /// The machines.
    pub fn machines(&self) -> PathBuf {
        self.state.join("machines")
    }

    /// The registry's process.
    pub fn registry(&self) -> PathBuf {
        self.state.join("registry")
    }

    /// What the registry holds.
    pub fn registry_storage(&self) -> PathBuf {
        self.cache.join("registry")
    }

    /// The agent's program.
    pub fn agent(&self) -> PathBuf {
        self.state.join("agent")
    }

    /// Socket of the artefact server.
    pub fn artefacts_socket(&self) -> PathBuf {
        self.state.join("artefacts.sock")
    }

    /// Socket of the daemon.
    pub fn control_socket(&self) -> PathBuf {
        self.state.join("control.sock")
    }

    /// The daemon's lock.
    pub fn lock(&self) -> PathBuf {
        self.state.join("daemon.lock")
    }

    /// What the daemon says in the background.
    pub fn log(&self) -> PathBuf {
        self.state.join("daemon.log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(args: &[&str]) -> ServeArgs {
        let cli = Cli::try_parse_from(["tidegate-sandbox", "serve"].iter().chain(args)).unwrap();
        let Command::Serve(serve) = cli.command else { panic!("another command") };
        serve
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn what_would_face_a_network_is_refused() {
        serve(&[]).check().unwrap();
        serve(&["--listen", "127.0.0.2:0", "--public-net", "127.0.77.0"]).check().unwrap();
        assert!(serve(&["--listen", "0.0.0.0:8765"]).check().is_err());
        for net in ["10.0.0.0", "127.0.1.1", "127.0.0.0"] {
            assert!(serve(&["--public-net", net]).check().is_err(), "{net}");
        }
    }

    #[test]
    fn directories_have_defaults_below_home() {
        let cli = Cli::try_parse_from(["tidegate-sandbox", "--cache-dir", "/c", "status"]).unwrap();
        if cli.state_dir.is_none() {
            let paths = Paths::new(&cli, Some(Path::new("/home/u"))).unwrap();
            assert_eq!(paths.state, Path::new("/home/u/.local/state/tidegate-sandbox"));
            assert!(matches!(Paths::new(&cli, None), Err(OptionsError::NoHome("--state-dir"))));
        }
        let cli = Cli::try_parse_from(["tidegate-sandbox", "--cache-dir", "", "--state-dir", "/s", "status"])
            .unwrap();
        let paths = Paths::new(&cli, Some(Path::new("/home/u"))).unwrap();
        assert_eq!(paths.cache, Path::new("/home/u/.cache/tidegate-sandbox"), "empty is not set");
        assert_eq!(paths.chosen_cache, None);
        let long = format!("/{}", "x".repeat(80));
        let cli = Cli::try_parse_from(["tidegate-sandbox", "--state-dir", &long, "status"]).unwrap();
        assert!(matches!(Paths::new(&cli, None), Err(OptionsError::StateDirTooLong(_))));
    }
}
