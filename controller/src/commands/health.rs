//! `tidegate health`: what is not well on the droplets, as their agents see it.

use futures::future::join_all;
use serde::Serialize;
use tidegate_proto::v1::{HealthCheck, HealthRequest, HealthResponse, HealthState};

use super::{after_reboot, context::Context, reach::Reach};
use crate::{
    agents::{self, Selection, Target},
    failure::{Failure, Outcome, hints_of},
    names::Name,
    output::Table,
    release::times::timestamp,
};

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this app of the fleet file, without the droplets themselves
    #[arg(value_name = "APP")]
    app: Option<Name>,
    /// Droplet, such as `web-1`; by default all that the command is for
    #[arg(long, value_name = "DROPLET")]
    droplet: Option<String>,
    /// Show what is good too
    #[arg(long)]
    all: bool,
    /// Show what came back after each droplet's last start, and what did not; end with 1 when not all did
    #[arg(long, conflicts_with_all = ["all", "exit_code"])]
    after_reboot: bool,
    /// End with 3 when something is a warning, or unknown; what is critical ends with 1 in any case
    #[arg(long)]
    exit_code: bool,
}

/// What `--json` prints: one entry per droplet, with all checks.
#[derive(Debug, Serialize)]
struct DropletView {
    droplet: String,
    address: String,
    /// When it was looked.
    at: Option<String>,
    checks: Vec<CheckView>,
    /// Why the agent could not be asked.
    error: Option<String>,
    #[serde(skip)]
    hints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CheckView {
    id: String,
    /// Empty: the droplet itself.
    app: String,
    state: State,
    since: Option<String>,
    what: String,
    why: String,
    hint: String,
}

/// How something is, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    Unknown,
    Warning,
    Critical,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let selection = args.droplet.as_deref().map_or(Selection::All, Selection::Named);
    let (app, targets) = match &args.app {
        None => (String::new(), agents::of_environment(&reach.fleet, &reach.inventory, selection)?),
        Some(named) => {
            let (name, app) = reach.app(Some(named))?;
            (name.to_string(), reach.targets((&name, &app), selection)?)
        }
    };
    if args.after_reboot {
        return after_reboot::run(context, &reach, (&targets, &app)).await;
    }
    let views = join_all(targets.iter().map(|target| view(&reach, target, &app))).await;
    let shown = if args.all { State::Good } else { State::Unknown };
    context.printer.result(&views, text(&views, shown));
    ending(&views, args.exit_code.then_some(Outcome::Differences))
}

/// One droplet that does not answer hides none of the others.
async fn view(reach: &Reach, target: &Target, app: &str) -> DropletView {
    let asked = async {
        let agent = reach.connect(target).await?;
        let mut client = agent.client();
        anyhow::Ok(agent.call(client.health(HealthRequest { app: app.to_owned() })).await?)
    };
    let empty = DropletView {
        droplet: target.short.clone(),
        address: target.address.to_string(),
        at: None,
        checks: Vec::new(),
        error: None,
        hints: Vec::new(),
    };
    match asked.await {
        Ok(HealthResponse { at, checks }) => DropletView {
            at: at.as_ref().and_then(timestamp),
            checks: checks.into_iter().map(check_view).collect(),
            ..empty
        },
        Err(error) => DropletView { error: Some(format!("{error:#}")), hints: hints_of(&error), ..empty },
    }
}

fn check_view(check: HealthCheck) -> CheckView {
    let state = match check.state() {
        HealthState::Good => State::Good,
        HealthState::Warning => State::Warning,
        HealthState::Critical => State::Critical,
        // What a newer agent may call otherwise is not good.
        HealthState::Unknown | HealthState::Unspecified => State::Unknown,
    };
    CheckView {
        since: check.since.as_ref().and_then(timestamp),
        id: check.id,
        app: check.app,
        state,
        what: check.what,
        why: check.why,
        hint: check.hint,
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Checks that are at least so bad, the worst first; and what can be done, each once.
fn text(views: &[DropletView], least: State) -> String {
    let mut table = Table::new(["DROPLET", "WHAT", "STATE", "SINCE", "WHY"]);
    let mut rows: Vec<(&DropletView, &CheckView)> = views
        .iter()
        .flat_map(|view| view.checks.iter().map(move |check| (view, check)))
        .filter(|(_, check)| check.state >= least)
        .collect();
    rows.sort_by_key(|(_, check)| std::cmp::Reverse(check.state));
    let mut hints: Vec<&str> = Vec::new();
    for (view, check) in &rows {
        table.row([
            view.droplet.clone(),
            check.id.clone(),
            check.state.word().to_owned(),
            check.since.clone().unwrap_or_else(|| "-".to_owned()),
            format!("{}: {}", check.what, check.why),
        ]);
        if !check.hint.is_empty() && !hints.contains(&check.hint.as_str()) {
            hints.push(&check.hint);
        }
    }
    let mut text = if rows.is_empty() { String::new() } else { format!("{table}\n") };
    for view in views {
        text.push_str(&summary(view));
    }
    for hint in hints {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

/// One line about a droplet.
fn summary(view: &DropletView) -> String {
    let name = &view.droplet;
    if let Some(error) = &view.error {
        return format!("{name} cannot be asked: {error}\n");
    }
    let good = view.checks.iter().filter(|check| check.state == State::Good).count();
    match view.checks.len() {
        all if all == good => format!("{name}: all checks are good ({all})\n"),
        all => format!("{name}: {good} of {all} checks are good\n"),
    }
}

fn ending(views: &[DropletView], lesser: Option<Outcome>) -> anyhow::Result<Outcome> {
    let silent: Vec<&str> = views.iter().filter(|v| v.error.is_some()).map(|v| v.droplet.as_str()).collect();
    let checks = || views.iter().flat_map(|view| &view.checks);
    let critical = checks().filter(|check| check.state == State::Critical).count();
    if silent.is_empty() && critical == 0 {
        let is_less = checks().any(|check| check.state != State::Good);
        return Ok(lesser.filter(|_| is_less).unwrap_or(Outcome::Done));
    }
    let silent = (!silent.is_empty()).then(|| format!("{} could not be asked", silent.join(", ")));
    let critical = match critical {
        0 => None,
        1 => Some("1 check is critical".to_owned()),
        several => Some(format!("{several} checks are critical")),
    };
    let what = silent.into_iter().chain(critical).collect::<Vec<_>>().join("; ");
    let hints = views.iter().flat_map(|view| &view.hints);
    Err(hints.fold(Failure::failed(what), Failure::hint).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind_of};

    fn check(id: &str, state: State, why: &str) -> CheckView {
        CheckView {
            id: id.to_owned(),
            app: String::new(),
            state,
            since: Some("2026-11-23T02:00:00Z".to_owned()),
            what: id.rsplit('.').next().unwrap().to_owned(),
            why: why.to_owned(),
            hint: if state > State::Unknown { "see `df -h`".to_owned() } else { String::new() },
        }
    }

    fn droplet(name: &str, checks: Vec<CheckView>) -> DropletView {
        DropletView {
            droplet: name.to_owned(),
            address: "203.0.113.11:7443".to_owned(),
            at: Some("2026-11-23T03:00:00Z".to_owned()),
            checks,
            error: None,
            hints: Vec::new(),
        }
    }

    fn silent(name: &str) -> DropletView {
        DropletView {
            at: None,
            error: Some(format!("{name} cannot be reached: connection refused")),
            hints: vec!["is it on?".to_owned()],
            ..droplet(name, Vec::new())
        }
    }

    fn some() -> Vec<DropletView> {
        let checks = vec![
            check("app.shop.container.shop-web-1", State::Critical, "ended with exit code 3"),
            check("host.clock", State::Unknown, "could not be looked at: no D-Bus"),
            check("host.cpu", State::Good, "12 % busy over 60 s"),
            check("host.disk", State::Warning, "93 % used, 1.7 GiB of 24 GiB left"),
        ];
        let good = vec![check("host.cpu", State::Good, "3 % busy over 60 s")];
        vec![droplet("web-1", checks), silent("web-2"), droplet("web-3", good)]
    }

    #[test]
    fn what_is_not_well_has_a_line_and_a_silent_droplet_hides_none() {
        insta::assert_snapshot!(text(&some(), State::Unknown));
        assert!(text(&some(), State::Good).contains("12 % busy"));
    }

    #[test]
    fn programs_get_every_check() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&some()).unwrap());
    }

    #[test]
    fn the_exit_code_tells_how_bad_it_is() {
        let ending = |state, lesser| ending(&[droplet("web-1", vec![check("host.disk", state, "")])], lesser);
        let differences = Some(Outcome::Differences);
        assert_eq!(ending(State::Good, differences).unwrap(), Outcome::Done);
        assert_eq!(ending(State::Warning, None).unwrap(), Outcome::Done);
        assert_eq!(ending(State::Warning, differences).unwrap(), Outcome::Differences);
        assert_eq!(ending(State::Unknown, differences).unwrap(), Outcome::Differences);
        let error = ending(State::Critical, None).unwrap_err();
        assert_eq!((kind_of(&error), error.to_string()), (Kind::Failed, "1 check is critical".to_owned()));
        let error = super::ending(&some(), None).unwrap_err();
        assert_eq!(error.to_string(), "web-2 could not be asked; 1 check is critical");
        assert_eq!(hints_of(&error), ["is it on?"]);
    }
}
