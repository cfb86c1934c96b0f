//! `tidegate health --after-reboot`: what came back after each droplet's last start, and what did not.

use futures::future::join_all;
use serde::Serialize;
use tidegate_proto::v1::{AfterBootRequest, AfterBootResponse, AppBack, BackState, BroughtBy, ContainerBack};

use super::{context::Context, reach::Reach};
use crate::{
    agents::Target,
    failure::{Failure, Outcome, hints_of},
    output::Table,
    release::times::timestamp,
};

/// What `--json` prints: one entry per droplet.
#[derive(Debug, Serialize)]
struct DropletView {
    droplet: String,
    address: String,
    /// The kernel's id of the droplet's last start.
    boot_id: String,
    booted_at: Option<String>,
    /// When the agent began after it; none while it is about to look.
    agent_at: Option<String>,
    agent_after_seconds: Option<i64>,
    apps: Vec<AppView>,
    /// Why the agent could not be asked.
    error: Option<String>,
    #[serde(skip)]
    hints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct AppView {
    app: String,
    release: u64,
    state: State,
    /// Why not all could be done or seen.
    why: String,
    back_at: Option<String>,
    back_after_seconds: Option<i64>,
    containers: Vec<ContainerView>,
}

#[derive(Debug, Serialize)]
struct ContainerView {
    service: String,
    container: String,
    state: State,
    by: By,
    why: String,
    running_since: Option<String>,
    well_since: Option<String>,
    back_after_seconds: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Back,
    Coming,
    NotBack,
    Stopped,
    Ended,
}

/// Who brought a container back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Docker,
    AgentStarted,
    AgentMade,
}

/// Asks all these droplets, about one app or (empty) all.
pub(super) async fn run(
    context: &Context,
    reach: &Reach,
    (targets, app): (&[Target], &str),
) -> anyhow::Result<Outcome> {
    let views = join_all(targets.iter().map(|target| view(reach, target, app))).await;
    context.printer.result(&views, text(&views));
    ending(&views)
}

/// One droplet that does not answer hides none of the others.
async fn view(reach: &Reach, target: &Target, app: &str) -> DropletView {
    let asked = async {
        let agent = reach.connect(target).await?;
        let mut client = agent.client();
        anyhow::Ok(agent.call(client.after_boot(AfterBootRequest { app: app.to_owned() })).await?)
    };
    let (told, error, hints) = match asked.await {
        Ok(told) => (told, None, Vec::new()),
        Err(error) => (AfterBootResponse::default(), Some(format!("{error:#}")), hints_of(&error)),
    };
    let AfterBootResponse { boot_id, booted_at, agent_at, apps } = told;
    let after = After(booted_at.as_ref().map(|at| at.seconds));
    DropletView {
        droplet: target.short.clone(),
        address: target.address.to_string(),
        boot_id,
        booted_at: booted_at.as_ref().and_then(timestamp),
        agent_at: agent_at.as_ref().and_then(timestamp),
        agent_after_seconds: after.seconds(agent_at.as_ref()),
        apps: apps.into_iter().map(|app| app_view(app, after)).collect(),
        error,
        hints,
    }
}

/// The droplet's start, in seconds since 1970.
#[derive(Clone, Copy)]
struct After(Option<i64>);

impl After {
    /// How long after it that was.
    fn seconds(self, at: Option<&prost_types::Timestamp>) -> Option<i64> {
        Some(at?.seconds.saturating_sub(self.0?).max(0))
    }
}

fn app_view(app: AppBack, after: After) -> AppView {
    AppView {
        state: state(app.state()),
        back_at: app.back_at.as_ref().and_then(timestamp),
        back_after_seconds: after.seconds(app.back_at.as_ref()),
        app: app.app,
        release: app.release,
        why: app.why,
        containers: app.containers.into_iter().map(|one| container_view(one, after)).collect(),
    }
}

fn container_view(container: ContainerBack, after: After) -> ContainerView {
    let by = match container.by() {
        BroughtBy::Docker | BroughtBy::Unspecified => By::Docker,
        BroughtBy::AgentStarted => By::AgentStarted,
        BroughtBy::AgentMade => By::AgentMade,
    };
    ContainerView {
        state: state(container.state()),
        by,
        running_since: container.running_since.as_ref().and_then(timestamp),
        well_since: container.well_since.as_ref().and_then(timestamp),
        back_after_seconds: after.seconds(container.well_since.as_ref()),
        service: container.service,
        container: container.container,
        why: container.why,
    }
}

fn state(state: BackState) -> State {
    match state {
        BackState::Back => State::Back,
        BackState::Coming => State::Coming,
        BackState::Stopped => State::Stopped,
        BackState::Ended => State::Ended,
        // What a newer agent may call otherwise is not back.
        BackState::NotBack | BackState::Unspecified => State::NotBack,
    }
}

/// A row per container, and what there is to say of apps and droplets as a whole.
fn text(views: &[DropletView]) -> String {
    let mut table = Table::new(["DROPLET", "APP", "SERVICE", "CONTAINER", "STATE"]);
    let (mut rows, mut notes) = (false, String::new());
    for view in views {
        notes.push_str(&summary(view));
        for app in &view.apps {
            for container in &app.containers {
                rows = true;
                table.row([
                    view.droplet.clone(),
                    format!("{} r{}", app.app, app.release),
                    container.service.clone(),
                    container.container.clone(),
                    container_words(container),
                ]);
            }
            notes.push_str(&app_note(&view.droplet, app));
        }
    }
    if rows { format!("{table}\n{notes}") } else { notes }
}

fn container_words(container: &ContainerView) -> String {
    let by = match container.by {
        By::Docker => "",
        By::AgentStarted => ", started by the agent",
        By::AgentMade => ", had vanished and was made again",
    };
    let why = &container.why;
    match container.state {
        State::Back => format!("back{}{by}", after(container.back_after_seconds)),
        State::Ended => "ended, as it may".to_owned(),
        State::Stopped => format!("not started: {why}"),
        State::Coming => format!("not back yet: {why}{by}"),
        State::NotBack => format!("not back: {why}{by}"),
    }
}

fn after(seconds: Option<i64>) -> String {
    seconds.map(|seconds| format!(" after {seconds} s")).unwrap_or_default()
}

fn app_note(droplet: &str, app: &AppView) -> String {
    let name = &app.app;
    let why = if app.why.is_empty() { String::new() } else { format!(": {}", app.why) };
    match app.state {
        State::Back => format!("{droplet}: {name} is back{}\n", after(app.back_after_seconds)),
        State::Coming => format!("{droplet}: {name} is not back yet{why}\n"),
        State::Stopped => format!("{droplet}: {name} stands still, as somebody left it\n"),
        State::NotBack | State::Ended => format!("{droplet}: {name} is not back{why}\n"),
    }
}

/// One line about a droplet.
fn summary(view: &DropletView) -> String {
    let name = &view.droplet;
    if let Some(error) = &view.error {
        return format!("{name} cannot be asked: {error}\n");
    }
    let booted = view.booted_at.as_deref().unwrap_or("at a time that is not known");
    let agent = match view.agent_after_seconds {
        Some(seconds) => format!("its agent began after {seconds} s"),
        None => "its agent is about to look".to_owned(),
    };
    let none = if view.apps.is_empty() { "; no app serves there" } else { "" };
    format!("{name} was started {booted} (boot {}), {agent}{none}\n", view.boot_id)
}

fn ending(views: &[DropletView]) -> anyhow::Result<Outcome> {
    let silent: Vec<&str> = views.iter().filter(|v| v.error.is_some()).map(|v| v.droplet.as_str()).collect();
    let is_back = |app: &&AppView| matches!(app.state, State::Back | State::Stopped);
    let missing: Vec<String> = views
        .iter()
        .flat_map(|view| view.apps.iter().filter(|app| !is_back(app)).map(move |app| (view, app)))
        .map(|(view, app)| format!("{} on {}", app.app, view.droplet))
        .collect();
    if silent.is_empty() && missing.is_empty() {
        return Ok(Outcome::Done);
    }
    let silent = (!silent.is_empty()).then(|| format!("{} could not be asked", silent.join(", ")));
    let missing_words = (!missing.is_empty()).then(|| format!("not all is back: {}", missing.join(", ")));
    let what = silent.into_iter().chain(missing_words).collect::<Vec<_>>().join("; ");
    let mut failure = Failure::failed(what);
    if !missing.is_empty() {
        failure = failure.hint("`tidegate logs` tells more; `tidegate deploy` makes what is missing");
    }
    let hints = views.iter().flat_map(|view| &view.hints);
    Err(hints.fold(failure, Failure::hint).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds: 1_795_000_000 + second, nanos: 0 }
    }

    fn container(name: &str, state: BackState, by: BroughtBy) -> ContainerBack {
        let why = match state {
            BackState::NotBack => "it ended with exit code 1",
            BackState::Stopped => "somebody stopped it at 2026-11-18T10:00:00Z",
            _ => "",
        };
        ContainerBack {
            service: name.to_owned(),
            container: format!("shop-{name}-1"),
            state: state.into(),
            by: by.into(),
            why: why.to_owned(),
            running_since: (state == BackState::Back).then(|| at(12)),
            well_since: (state == BackState::Back).then(|| at(41)),
        }
    }

    fn droplet(name: &str, state: BackState, containers: Vec<ContainerBack>) -> DropletView {
        let app = AppBack {
            app: "shop".to_owned(),
            release: 42,
            state: state.into(),
            back_at: (state == BackState::Back).then(|| at(41)),
            why: String::new(),
            containers,
        };
        DropletView {
            droplet: name.to_owned(),
            address: "203.0.113.11:7443".to_owned(),
            boot_id: "4f2a8a3e-0b5c-4a43-9f3c-6f6f2a1f0c11".to_owned(),
            booted_at: Some("2026-11-18T11:06:40Z".to_owned()),
            agent_at: Some("2026-11-18T11:06:49Z".to_owned()),
            agent_after_seconds: Some(9),
            apps: vec![app_view(app, After(Some(1_795_000_000)))],
            error: None,
            hints: Vec::new(),
        }
    }

    fn some() -> Vec<DropletView> {
        let containers = vec![
            container("db", BackState::Back, BroughtBy::Docker),
            container("cron", BackState::Stopped, BroughtBy::Docker),
            container("web", BackState::Back, BroughtBy::AgentMade),
            container("worker", BackState::NotBack, BroughtBy::AgentStarted),
        ];
        let silent = DropletView {
            error: Some("web-2 cannot be reached: connection refused".to_owned()),
            hints: vec!["is it on?".to_owned()],
            apps: Vec::new(),
            ..droplet("web-2", BackState::Back, Vec::new())
        };
        vec![droplet("web-1", BackState::NotBack, containers), silent]
    }

    #[test]
    fn each_container_says_when_it_was_back_or_why_it_is_not() {
        insta::assert_snapshot!(text(&some()), @r"
        DROPLET  APP       SERVICE  CONTAINER      STATE
        web-1    shop r42  db       shop-db-1      back after 41 s
        web-1    shop r42  cron     shop-cron-1    not started: somebody stopped it at 2026-11-18T10:00:00Z
        web-1    shop r42  web      shop-web-1     back after 41 s, had vanished and was made again
        web-1    shop r42  worker   shop-worker-1  not back: it ended with exit code 1, started by the agent

        web-1 was started 2026-11-18T11:06:40Z (boot 4f2a8a3e-0b5c-4a43-9f3c-6f6f2a1f0c11), its agent began after 9 s
        web-1: shop is not back
        web-2 cannot be asked: web-2 cannot be reached: connection refused
        ");
    }

    #[test]
    fn programs_get_everything() {
        let told = serde_json::to_value(some()).unwrap();
        let container = &told[0]["apps"][0]["containers"][2];
        assert_eq!((&container["state"], &container["by"]), (&"back".into(), &"agent_made".into()));
        assert_eq!(
            (&container["back_after_seconds"], &told[0]["agent_after_seconds"]),
            (&41.into(), &9.into())
        );
        assert_eq!(told[1]["error"], "web-2 cannot be reached: connection refused");
    }

    #[test]
    fn it_ends_well_only_when_all_is_back_that_nobody_stopped() {
        for state in [BackState::Back, BackState::Stopped] {
            assert_eq!(ending(&[droplet("web-1", state, Vec::new())]).unwrap(), Outcome::Done);
        }
        for state in [BackState::Coming, BackState::NotBack] {
            let error = ending(&[droplet("web-1", state, Vec::new())]).unwrap_err();
            assert_eq!(error.to_string(), "not all is back: shop on web-1");
        }
        let error = ending(&some()).unwrap_err();
        assert_eq!(error.to_string(), "web-2 could not be asked; not all is back: shop on web-1");
        assert_eq!(hints_of(&error).last().unwrap(), "is it on?");
    }
}
