//! `tidegate exec`: a command in a running container, or on the droplet itself. Ends with the command's exit code.

use std::{collections::HashMap, io::IsTerminal as _};

use tidegate_proto::v1::{ExecStart, TerminalSize};

use super::{
    carrier::{carrier, no_droplet},
    context::Context,
    reach::{Reach, Which},
};
use crate::{
    agents::{self, Selection, Target},
    failure::{Failure, Outcome},
    session::{self, Input, Where},
};

/// Arguments of `exec`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tidegate exec web -- alembic current\n  tidegate exec --host -- systemctl status docker"
)]
pub struct Args {
    /// On the droplet itself, as a transient systemd unit (takes the role admin)
    #[arg(long)]
    host: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// Container of the service, by its number; by default the lowest
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    index: u32,
    /// SERVICE and the command; with --host the command alone
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "SERVICE -- COMMAND"
    )]
    words: Vec<String>,
}

/// How a far command runs; `exec` and `run` share it.
#[derive(Debug, clap::Args)]
pub struct How {
    /// No terminal, even when this end has one
    #[arg(short = 'T', long)]
    no_tty: bool,
    /// Do not pass on standard input
    #[arg(short = 'n', long)]
    no_stdin: bool,
    /// Variable for the command
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// User that runs it
    #[arg(short, long, default_value = "", hide_default_value = true)]
    user: String,
    /// Directory it starts in
    #[arg(short, long, default_value = "", hide_default_value = true)]
    workdir: String,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl How {
    /// The start message without what is run, and whether input goes along.
    pub(super) fn start(&self) -> (ExecStart, Input) {
        let terminal = !self.no_tty && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let start = ExecStart {
            terminal: terminal.then(TerminalSize::default),
            environment: self.variables.iter().cloned().collect::<HashMap<_, _>>(),
            user: self.user.clone(),
            working_directory: self.workdir.clone(),
            ..ExecStart::default()
        };
        (start, if self.no_stdin { Input::None } else { Input::Forward })
    }
}

/// A service and the words after it, with or without `--` between.
pub(super) fn service_and_command(words: &[String]) -> Option<(&str, Vec<String>)> {
    let (service, rest) = words.split_first()?;
    Some((service, command(rest)))
}

fn command(words: &[String]) -> Vec<String> {
    match words.split_first() {
        Some((dashes, rest)) if dashes == "--" => rest.to_vec(),
        _ => words.to_vec(),
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let (start, input) = args.how.start();
    let (place, start) = if args.host {
        (Where::Host, ExecStart { command: command(&args.words), ..start })
    } else {
        let (service, command) = service_and_command(&args.words).unwrap_or_default();
        (Where::Container, ExecStart { service: service.to_owned(), command, index: args.index, ..start })
    };
    if start.command.is_empty() {
        let hint = "tidegate exec web -- ls /   or   tidegate exec --host -- uptime";
        return Err(Failure::input("there is no command to run").hint(hint).into());
    }
    let reach = Reach::open(context)?;
    let (app, agent) = if args.host {
        (String::new(), reach.connect(&host(&reach, args.which.selection())?).await?)
    } else {
        let (name, app) = reach.app(args.which.app.as_ref())?;
        let agent = carrier(&reach, (&name, &app), args.which.selection(), &start.service).await?;
        (name.to_string(), agent)
    };
    let code = session::run(&agent, place, ExecStart { app, ..start }, input, &context.printer).await?;
    Ok(Outcome::Command(code))
}

/// Of several droplets the user has to choose: a command on the wrong machine is not taken back.
fn host(reach: &Reach, selection: Selection<'_>) -> anyhow::Result<Target> {
    let targets = agents::of_environment(&reach.fleet, &reach.inventory, selection)?;
    if targets.len() > 1 {
        let names: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
        let hint = format!("say which with --droplet: {}", names.join(", "));
        return Err(Failure::input("there are several droplets").hint(hint).into());
    }
    targets.into_iter().next().ok_or_else(|| no_droplet().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_the_same_with_and_without_dashes() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let expected = ("web", words("ls -l"));
        assert_eq!(service_and_command(&words("web ls -l")).unwrap(), expected);
        assert_eq!(service_and_command(&words("web -- ls -l")).unwrap(), expected);
        assert!(service_and_command(&[]).is_none());
    }
}
