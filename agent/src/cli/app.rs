//! `tidegate-agent app stop|start|follow`: what the unit of an app runs, and people who stop an app without it.
//!
//! # Exit codes
//! 0 done; 1 not done. Of `follow`: 0 the app was stopped or removed, 1 it does not serve.

use std::{io::Write, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use sd_notify::NotifyState;
use serde_json::json;
use tidegate_proto::{
    status::RichError,
    v1::{AppStanding, AppState, FollowAppRequest, StartAppRequest, StopAppRequest},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use super::{
    Local,
    local::{self, Client},
};

/// How long a stop or a start may take: each container has a time of its own for it.
const PATIENCE: Duration = Duration::from_mins(15);
/// How long a unit waits for an agent that does not answer, or for somebody else's work on the app, before it fails.
const WAIT: Duration = Duration::from_mins(8);
/// Between tries.
const TRY: Duration = Duration::from_secs(3);

/// What is done with an app.
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Stop an app's containers; they stay so until it is started or released again.
    Stop(StopArguments),
    /// Start what ran when the app was stopped.
    Start(AppArguments),
    /// Tell systemd how an app stands, as its unit's program: it has it started first, and ends when it does not serve.
    #[command(hide = true)]
    Follow(AppArguments),
}

/// Which app.
#[derive(Debug, Args)]
pub struct AppArguments {
    #[command(flatten)]
    local: Local,
    /// App.
    app: String,
}

/// Which app, and who asks.
#[derive(Debug, Args)]
pub struct StopArguments {
    #[command(flatten)]
    app: AppArguments,
    /// The app's unit asks: nothing is stopped when its program ended by itself, nor while the droplet goes down.
    #[arg(long, hide = true)]
    unit: bool,
    /// The unit's program, as systemd tells it while that runs.
    #[arg(long, hide = true, env = "MAINPID")]
    main_pid: Option<u32>,
}

pub(super) fn run(command: &AppCommand, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    local::block_on(async {
        match command {
            AppCommand::Stop(arguments) => stop(arguments, out).await?,
            AppCommand::Start(arguments) => code = start(arguments, out).await?,
            AppCommand::Follow(arguments) => {
                let mut terminate = signal(SignalKind::terminate())?;
                code = tokio::select! {
                    code = follow(arguments, out) => code?,
                    // What was told last would stand there as if it were so still.
                    _ = terminate.recv() => {
                        tell(&[NotifyState::Status("the unit is stopped")]);
                        ExitCode::SUCCESS
                    }
                };
            }
        }
        Ok(())
    })?;
    Ok(code)
}

async fn stop(arguments: &StopArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let StopArguments { app: AppArguments { local, app }, unit, main_pid } = arguments;
    if *unit && main_pid.is_none() {
        return Ok(writeln!(
            out,
            "{app}: the unit's program has ended by itself; nothing is stopped for it"
        )?);
    }
    let mut client = local::connect_for(&local.socket, PATIENCE).await?;
    let request = StopAppRequest { app: app.clone(), unit: *unit };
    let told = client.stop_app(request).await.map_err(|status| local::explain(&status))?.into_inner();
    if local.json {
        return Ok(writeln!(out, "{}", json!({ "stopped": told.stopped, "going_down": told.going_down }))?);
    }
    if told.going_down {
        return Ok(writeln!(
            out,
            "{app}: the droplet goes down, so nothing is stopped: the app comes back with it"
        )?);
    }
    Ok(writeln!(out, "{app}: stopped {}; `tidegate-agent app start {app}` starts it", listed(&told.stopped))?)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing, for nothing ran".to_owned() } else { names.join(", ") }
}

async fn start(arguments: &AppArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let AppArguments { local, app } = arguments;
    let mut client = local::connect_for(&local.socket, PATIENCE).await?;
    let asked = client.start_app(StartAppRequest { app: app.clone() }).await;
    let told = asked.map_err(|status| local::explain(&status))?.into_inner().containers;
    let failed = told.iter().any(|one| !one.failure.is_empty());
    if local.json {
        let one = |one: &tidegate_proto::v1::BroughtBack| json!({ "container": one.container, "made": one.made, "failure": one.failure });
        writeln!(out, "{}", json!({ "containers": told.iter().map(one).collect::<Vec<_>>() }))?;
    } else if told.is_empty() {
        writeln!(out, "{app}: nobody had stopped it")?;
    }
    for one in told.iter().filter(|_| !local.json) {
        let made = if one.made { "made again and started" } else { "started" };
        match one.failure.as_str() {
            "" => writeln!(out, "{}: {made}", one.container)?,
            why => writeln!(out, "{}: not started: {why}", one.container)?,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the unit's program does with what it was told.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It goes on.
    On,
    /// The app serves.
    Ready,
    /// It ends well: there is nothing to follow.
    End,
    /// It fails.
    Fail,
}

fn next(state: AppState) -> Next {
    match state {
        AppState::Serves => Next::Ready,
        AppState::Coming | AppState::Changing | AppState::Unspecified => Next::On,
        AppState::Stopped | AppState::Absent => Next::End,
        AppState::Fails => Next::Fail,
    }
}

async fn follow(arguments: &AppArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut started = false;
    loop {
        match local::connect_for(&arguments.local.socket, PATIENCE).await {
            Ok(mut client) => {
                if !started {
                    begin(&mut client, &arguments.app, begun).await?;
                    started = true;
                }
                if let Some(code) = watch(&mut client, &arguments.app, out).await? {
                    return Ok(code);
                }
            }
            Err(error) if !started && begun.elapsed() >= WAIT => return Err(error),
            Err(_) => {}
        }
        // Its containers do not need the agent to serve.
        tell(&[NotifyState::Status("the agent does not answer; what the app does is not known")]);
        sleep(TRY).await;
    }
}

/// Has the app started, if somebody stopped it, as soon as nobody else works on it.
async fn begin(client: &mut Client, app: &str, begun: Instant) -> anyhow::Result<()> {
    loop {
        let request = StartAppRequest { app: app.to_owned() };
        let Err(status) = client.start_app(request).await else { return Ok(()) };
        let may_pass = ["BUSY", "IN_DOUBT", ""].contains(&RichError::from_status(&status).reason.as_str());
        if !may_pass || begun.elapsed() >= WAIT {
            return Err(local::explain(&status));
        }
        sleep(TRY).await;
    }
}

/// Tells systemd what the agent tells; the end, or none when the agent went away.
async fn watch(client: &mut Client, app: &str, out: &mut dyn Write) -> anyhow::Result<Option<ExitCode>> {
    let Ok(stream) = client.follow_app(FollowAppRequest { app: app.to_owned() }).await else {
        return Ok(None);
    };
    let mut stream = stream.into_inner();
    while let Ok(Some(told)) = stream.message().await {
        let AppStanding { line, .. } = &told;
        tell(&[NotifyState::Status(line)]);
        match next(told.state()) {
            Next::On => {}
            Next::Ready => tell(&[NotifyState::Ready]),
            Next::End => {
                writeln!(out, "{line}")?;
                return Ok(Some(ExitCode::SUCCESS));
            }
            Next::Fail => {
                writeln!(out, "{line}")?;
                return Ok(Some(ExitCode::FAILURE));
            }
        }
    }
    Ok(None)
}

/// Without systemd nobody is told.
fn tell(state: &[NotifyState<'_>]) {
    sd_notify::notify(state).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_active_while_the_app_serves_and_fails_when_it_does_not() {
        assert_eq!(next(AppState::Serves), Next::Ready);
        assert_eq!((next(AppState::Coming), next(AppState::Changing)), (Next::On, Next::On));
        assert_eq!((next(AppState::Stopped), next(AppState::Absent)), (Next::End, Next::End));
        assert_eq!(next(AppState::Fails), Next::Fail);
    }

    #[test]
    fn nothing_is_stopped_for_a_unit_whose_program_has_ended_by_itself() {
        let local = Local { socket: "/nonexistent/agent.sock".into(), json: false };
        let app = AppArguments { local, app: "shop".to_owned() };
        let command = AppCommand::Stop(StopArguments { app, unit: true, main_pid: None });
        let mut out = Vec::new();
        run(&command, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("nothing is stopped"));
    }
}
