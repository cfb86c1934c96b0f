//! `tidegate init`: fleet file, `.env`, certificate authority. Asks only what flags and environment do not say, and only
//! on a terminal. Nothing is overwritten; a failure leaves nothing behind.

mod files;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use secrecy::SecretString;
use tidegate_proto::certificates::{PrivateKey, Root, certificate_from_pem};

use self::files::{FleetFile, dot_env, fleet_name_of};
use super::context::Context;
use crate::{
    authority::{NewEnvironment, NewFleet, User, decrypt_root, new_environment, new_fleet},
    failure::{Failure, Outcome},
    fleet,
    names::{Name, Scope},
    state::{StateDir, private_directory},
};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the fleet; by default that of the directory
    #[arg(long)]
    fleet: Option<Name>,
    /// Region of the droplets
    #[arg(long, default_value = "fra1")]
    region: String,
    /// Size of the droplets
    #[arg(long, default_value = "s-1vcpu-2gb")]
    size: String,
    /// Image of the droplets
    #[arg(long, default_value = "debian-13-x64")]
    image: String,
    /// Address or network that may use ssh and the agent; more than one is possible, so is `anywhere`
    #[arg(long = "admin-address", value_name = "CIDR")]
    admin_addresses: Vec<String>,
    /// Where droplets download the agent
    #[arg(long, value_name = "URL", requires = "agent_sha256")]
    agent_url: Option<String>,
    /// SHA-256 of the agent
    #[arg(long, value_name = "HEX", requires = "agent_url")]
    agent_sha256: Option<String>,
    /// Name of the app; by default that of the fleet
    #[arg(long)]
    app: Option<Name>,
    /// Compose file of the app; more than one is possible
    #[arg(long, value_name = "FILE", default_value = "compose.yaml")]
    compose: Vec<String>,
    /// File with the app's variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
    /// Name in your certificate; by default the local user's
    #[arg(long)]
    user: Option<String>,
    /// File with the passphrase of the root's key [env: TIDEGATE_CA_PASSPHRASE holds the passphrase itself]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Show the fleet file and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let file = &context.global.file;
    let existing = match fleet::load(file, &context.global.environment) {
        Ok(fleet) => Some(fleet),
        Err(fleet::FleetError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let (scope, text) = if let Some(fleet) = &existing {
        if args.fleet.as_ref().is_some_and(|name| *name != fleet.scope.fleet) {
            return Err(Failure::input(format!(
                "{} is there and is of fleet {}",
                file.display(),
                fleet.scope.fleet
            ))
            .hint("nothing is overwritten: leave --fleet out to keep the file, or remove the file")
            .into());
        }
        (fleet.scope.clone(), None)
    } else {
        let new = fleet_file(context, args)?;
        (
            Scope { fleet: new.fleet.clone(), environment: context.global.environment.clone() },
            Some(new.render()),
        )
    };
    let state = context.state(&scope)?;
    if state.environment_dir().exists() {
        let shown = state.environment_dir().display();
        return Err(Failure::input(format!("{scope} is initialised already: {shown} is there"))
            .hint("nothing is overwritten: that directory holds keys that cannot be made again")
            .into());
    }
    if args.dry_run {
        context.printer.line(text.as_deref().unwrap_or("the fleet file is there; only keys would be made"));
        return Ok(Outcome::Done);
    }
    let passphrase = passphrase(context, args, &state)?;
    let written = write_fleet_file(file, text.as_deref(), &context.global.environment)?;
    let made = make_keys(context, args, &scope, &state, &passphrase);
    if let (Err(_), Some(path)) = (&made, &written) {
        drop(fs_err::remove_file(path));
    }
    made?;
    let directory = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let env = dot_env(directory).context("the keys are made, but .env is not")?;
    report(context, &scope, &state, (written.as_deref(), env.as_deref()));
    Ok(Outcome::Done)
}

fn fleet_file(context: &Context, args: &Args) -> anyhow::Result<FleetFile> {
    if context.global.environment.as_str() != "production" {
        return Err(Failure::input("a new fleet begins with production; leave --environment out").into());
    }
    let fleet = match &args.fleet {
        Some(name) => name.clone(),
        None => fleet_name_of(&context.global.file).ok_or_else(|| {
            Failure::input("the directory's name cannot name a fleet")
                .hint("give --fleet, for example --fleet shop")
        })?,
    };
    let mut admins = args.admin_addresses.clone();
    if admins.is_empty() && context.printer.can_ask() {
        let answer = context.printer.ask("Your address or network, for ssh and the agent (or `anywhere`)")?;
        admins = answer.split([',', ' ']).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    }
    if admins.is_empty() {
        return Err(Failure::input("nobody could reach the agents: no admin's address is given")
            .hint("give --admin-address 198.51.100.7, your own public address or network; `anywhere` is possible")
            .into());
    }
    Ok(FleetFile {
        app: args.app.clone().unwrap_or_else(|| fleet.clone()),
        fleet,
        region: args.region.clone(),
        size: args.size.clone(),
        image: args.image.clone(),
        admins,
        agent: args.agent_url.clone().zip(args.agent_sha256.clone()),
        compose: args.compose.clone(),
        env_file: args.env_file.clone(),
    })
}

/// `--passphrase-file`, the environment, or the terminal.
fn passphrase(context: &Context, args: &Args, state: &StateDir) -> anyhow::Result<SecretString> {
    if let Some(path) = &args.passphrase_file {
        let text = fs_err::read_to_string(path)
            .map_err(|e| Failure::input("the passphrase cannot be read").because(e))?;
        return Ok(SecretString::from(text.lines().next().unwrap_or_default().to_owned()));
    }
    if let Some(text) = context.environ.get("TIDEGATE_CA_PASSPHRASE") {
        return Ok(SecretString::from(text.to_owned()));
    }
    if context.printer.can_ask() {
        let new = !state.fleet_file("root.age").exists();
        let question = if new {
            "A passphrase for the fleet's root key"
        } else {
            "The passphrase of the fleet's root key"
        };
        return Ok(context.printer.ask_passphrase(question)?);
    }
    Err(Failure::input("there is no passphrase for the fleet's root key")
        .hint("set TIDEGATE_CA_PASSPHRASE or give --passphrase-file")
        .into())
}

/// Writes the file after reading it back as any command would; tells the path when it was written.
fn write_fleet_file(file: &Path, text: Option<&str>, environment: &Name) -> anyhow::Result<Option<PathBuf>> {
    let Some(text) = text else { return Ok(None) };
    let directory = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let trial = tempfile::Builder::new().prefix(".tidegate-").suffix(".toml").tempfile_in(directory)?;
    fs_err::write(trial.path(), text)?;
    fleet::load(trial.path(), environment)
        .map_err(|error| Failure::input("what was given does not make a fleet file").because(error))?;
    // Not private like state: it belongs into the repository. `create_new` overwrites nothing.
    let mut new = fs_err::OpenOptions::new().write(true).create_new(true).open(file)?;
    new.write_all(text.as_bytes())?;
    Ok(Some(file.to_owned()))
}

fn make_keys(
    context: &Context,
    args: &Args,
    scope: &Scope,
    state: &StateDir,
    passphrase: &SecretString,
) -> anyhow::Result<()> {
    let now = context.clock.now();
    let user = match &args.user {
        Some(name) => User(name.parse().map_err(|e| Failure::input("--user cannot be used").because(e))?),
        None => User::local(&context.environ)?,
    };
    let parent = state.fleet_dir().parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    let holder = private_directory(parent)?;
    let fleet_there = state.fleet_file("root.pem").exists();
    let root = if fleet_there {
        open_root(state, scope, passphrase)?
    } else {
        new_fleet(&NewFleet { directory: holder.path(), scope, passphrase, now })?
    };
    let environment = private_directory(holder.path())?;
    new_environment(&NewEnvironment {
        directory: environment.path(),
        scope,
        user: &user.0,
        root: &root,
        now,
    })?;
    if fleet_there {
        fs_err::rename(environment.keep(), state.environment_dir())?;
    } else {
        fs_err::rename(environment.keep(), holder.path().join(scope.environment.as_str()))?;
        fs_err::rename(holder.path(), state.fleet_dir())?;
        drop(holder.keep());
    }
    Ok(())
}

fn open_root(state: &StateDir, scope: &Scope, passphrase: &SecretString) -> anyhow::Result<Root> {
    let encrypted = fs_err::read(state.fleet_file("root.age"))?;
    let key = decrypt_root(&encrypted, passphrase)
        .map_err(|e| Failure::input("the fleet's root cannot be opened").because(e))?;
    let certificate = certificate_from_pem(&state.read(&state.fleet_file("root.pem"), scope)?)?;
    Ok(Root::new(certificate, PrivateKey::from_pem(&key)?)?)
}

fn report(context: &Context, scope: &Scope, state: &StateDir, (file, env): (Option<&Path>, Option<&Path>)) {
    let mut lines = Vec::new();
    lines.extend(file.map(|path| format!("wrote {}", path.display())));
    lines.extend(env.map(|path| {
        format!("wrote {}: put your DIGITALOCEAN_TOKEN there, and keep it out of git", path.display())
    }));
    lines.push(format!("made the keys of {scope} in {}", state.fleet_dir().display()));
    lines.push("keep a copy of that directory: its keys cannot be made again".to_owned());
    lines.push("`tidegate plan` shows what comes next.".to_owned());
    let value = serde_json::json!({ "scope": scope.to_string(), "fleet_file": file, "env_file": env, "state": state.fleet_dir() });
    context.printer.result(&value, lines.join("\n"));
}
