//! `tidegate status`: what runs on the droplets, as their agents see it.

use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use tidegate_proto::v1::{
    AppStatus, ContainerStatus, HostStatus, InfoResponse, ReleaseSummary, StatusRequest, StatusResponse,
};

use super::{
    context::Context,
    reach::{Reach, Which},
};
use crate::{
    agents::{self, Target},
    clock::human,
    failure::{Failure, Outcome},
    output::Table,
    release::{
        follow::{FailureView, state_name},
        times::timestamp,
    },
};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
}

/// What `--json` prints: one entry per droplet.
#[derive(Debug, Serialize)]
struct DropletView {
    droplet: String,
    address: String,
    host: Option<HostView>,
    apps: Vec<AppView>,
    /// Why the agent could not be asked.
    error: Option<String>,
}

/// The machine itself.
#[derive(Debug, Serialize)]
struct HostView {
    agent_version: String,
    os: String,
    kernel: String,
    docker_version: String,
    cgroup_version: u32,
    uptime_seconds: u64,
    load_1: f64,
    memory_total_bytes: u64,
    memory_available_bytes: u64,
    disk_total_bytes: u64,
    disk_available_bytes: u64,
}

#[derive(Debug, Serialize)]
struct AppView {
    app: String,
    release: Option<ReleaseView>,
    running_release: Option<ReleaseView>,
    /// Why the running release cannot end by itself.
    in_doubt: Option<FailureView>,
    maintenance: bool,
    hosts: Vec<HostNameView>,
    containers: Vec<ContainerView>,
}

/// A host name at the ingress.
#[derive(Debug, Serialize)]
struct HostNameView {
    host: String,
    /// Where its certificate comes from; `off` is plain HTTP.
    tls: String,
    certificate_not_after: Option<String>,
    /// What went wrong with its certificate last.
    trouble: Option<String>,
    trouble_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReleaseView {
    release: u64,
    state: &'static str,
    started_at: Option<String>,
    finished_at: Option<String>,
    actor: String,
    source_digest: String,
    git_revision: String,
    git_branch: String,
}

#[derive(Debug, Serialize)]
struct ContainerView {
    service: String,
    name: String,
    id: String,
    image: String,
    state: String,
    health: String,
    restarts: u64,
    started_at: Option<String>,
    exit_code: i64,
    memory_limit_bytes: u64,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let targets = agents::of_environment(&reach.fleet, &reach.inventory, args.which.selection())?;
    let app = args.which.app.as_ref().map(ToString::to_string).unwrap_or_default();
    let views = join_all(targets.iter().map(|target| view(&reach, target, &app))).await;
    context.printer.result(&views, text(&views));
    let silent: Vec<&str> = views.iter().filter(|v| v.error.is_some()).map(|v| v.droplet.as_str()).collect();
    if silent.is_empty() {
        return Ok(Outcome::Done);
    }
    let hint = "`tidegate plan` shows whether the droplets are as wanted";
    Err(Failure::failed(format!("{} could not be asked", silent.join(", "))).hint(hint).into())
}

async fn view(reach: &Reach, target: &Target, app: &str) -> DropletView {
    let asked = async {
        let (agent, info) = reach.checked(target).await?;
        let mut client = agent.client();
        let status = agent.call(client.status(StatusRequest { app: app.to_owned() })).await?;
        anyhow::Ok((info, status))
    };
    let (host, apps, error) = match asked.await {
        Ok((info, StatusResponse { apps })) => {
            (Some(host_view(info)), apps.into_iter().map(app_view).collect(), None)
        }
        Err(error) => (None, Vec::new(), Some(format!("{error:#}"))),
    };
    DropletView { droplet: target.short.clone(), address: target.address.to_string(), host, apps, error }
}

fn host_view(info: InfoResponse) -> HostView {
    HostView {
        agent_version: info.agent_version,
        os: info.os,
        kernel: info.kernel,
        docker_version: info.docker_version,
        cgroup_version: info.cgroup_version,
        uptime_seconds: info.uptime.and_then(|up| u64::try_from(up.seconds).ok()).unwrap_or_default(),
        load_1: info.load_1,
        memory_total_bytes: info.memory_total_bytes,
        memory_available_bytes: info.memory_available_bytes,
        disk_total_bytes: info.disk_total_bytes,
        disk_available_bytes: info.disk_available_bytes,
    }
}

/// One line about the machine.
fn host_text(host: &HostView) -> String {
    let gib = |bytes: u64| format!("{}.{}", bytes >> 30, ((bytes >> 20) & 1023) * 10 / 1024);
    let docker = if host.docker_version.is_empty() { "does not answer" } else { &host.docker_version };
    format!(
        "  agent {}, {}, Docker {docker}, up {}, load {:.2}, {} of {} GiB memory and {} of {} GiB disk free\n",
        host.agent_version,
        host.os,
        human(Duration::from_secs(host.uptime_seconds)),
        host.load_1,
        gib(host.memory_available_bytes),
        gib(host.memory_total_bytes),
        gib(host.disk_available_bytes),
        gib(host.disk_total_bytes),
    )
}

fn app_view(status: AppStatus) -> AppView {
    let containers = status.services.into_iter().flat_map(|service| {
        let name = service.service;
        service.containers.into_iter().map(move |container| container_view(&name, container))
    });
    AppView {
        app: status.app,
        release: status.release.map(release_view),
        running_release: status.running_release.map(release_view),
        in_doubt: status.in_doubt.map(FailureView::from),
        maintenance: status.maintenance,
        hosts: status.hosts.into_iter().map(host_name_view).collect(),
        containers: containers.collect(),
    }
}

fn host_name_view(host: HostStatus) -> HostNameView {
    HostNameView {
        host: host.host,
        tls: host.tls,
        certificate_not_after: host.certificate_not_after.as_ref().and_then(timestamp),
        trouble: Some(host.trouble).filter(|trouble| !trouble.is_empty()),
        trouble_at: host.trouble_at.as_ref().and_then(timestamp),
    }
}

/// One line about a host name.
fn host_name_text(host: &HostNameView) -> String {
    if host.tls == "off" {
        return format!("  http://{}\n", host.host);
    }
    let until = host.certificate_not_after.as_ref().map_or_else(
        || "no certificate yet".to_owned(),
        |until| format!("certificate ({}) until {until}", host.tls),
    );
    let trouble = host
        .trouble
        .as_ref()
        .map(|trouble| format!("\n    warning: {}: {trouble}", host.trouble_at.as_deref().unwrap_or("-")));
    format!("  https://{}  {until}{}\n", host.host, trouble.unwrap_or_default())
}

fn release_view(summary: ReleaseSummary) -> ReleaseView {
    ReleaseView {
        release: summary.release,
        state: state_name(summary.state()),
        started_at: summary.started_at.as_ref().and_then(timestamp),
        finished_at: summary.finished_at.as_ref().and_then(timestamp),
        actor: summary.actor,
        source_digest: summary.source_digest,
        git_revision: summary.git_revision,
        git_branch: summary.git_branch,
    }
}

fn container_view(service: &str, container: ContainerStatus) -> ContainerView {
    ContainerView {
        service: service.to_owned(),
        name: container.name,
        id: container.id,
        image: container.image,
        state: container.state,
        health: container.health,
        restarts: container.restarts,
        started_at: container.started_at.as_ref().and_then(timestamp),
        exit_code: container.exit_code,
        memory_limit_bytes: container.memory_limit_bytes,
    }
}

fn text(views: &[DropletView]) -> String {
    let mut text = String::new();
    for view in views {
        text.push_str(&format!("{}  {}", view.droplet, view.address));
        match (&view.error, &view.host) {
            (Some(error), _) => text.push_str(&format!("  cannot be asked: {error}\n")),
            (None, Some(host)) => text.push_str(&host_text(host)),
            (None, None) => text.push('\n'),
        }
        if view.error.is_none() && view.apps.is_empty() {
            text.push_str("no apps\n");
        }
        for app in &view.apps {
            text.push_str(&app_text(app));
        }
    }
    text
}

fn app_text(app: &AppView) -> String {
    let release = app.release.as_ref().map_or_else(|| "no release".to_owned(), release_text);
    let serves = app.release.as_ref().map(|release| release.release);
    let running = match app.running_release.as_ref().map(|release| release.release) {
        None => String::new(),
        running if running == serves => "; what it replaced is being cleared away".to_owned(),
        Some(release) => format!("; r{release} is under way"),
    };
    let mut table = Table::new(["SERVICE", "CONTAINER", "STATE", "HEALTH", "RESTARTS", "IMAGE"]);
    for container in &app.containers {
        let state = match container.state.as_str() {
            "exited" => format!("exited ({})", container.exit_code),
            other => other.to_owned(),
        };
        table.row([
            container.service.clone(),
            container.name.clone(),
            state,
            if container.health.is_empty() { "-".to_owned() } else { container.health.clone() },
            container.restarts.to_string(),
            container.image.clone(),
        ]);
    }
    let rows = table.to_string().lines().fold(String::new(), |text, line| text + "  " + line + "\n");
    let maintenance = if app.maintenance { "; under maintenance" } else { "" };
    let hosts: String = app.hosts.iter().map(host_name_text).collect();
    let doubt = app.in_doubt.as_ref().map(doubt_text).unwrap_or_default();
    format!("{}  {release}{running}{maintenance}\n{doubt}{hosts}{rows}", app.app)
}

/// Two lines about a release whose end cannot be known.
fn doubt_text(doubt: &FailureView) -> String {
    format!("  warning: {}: {}\n    hint: {}\n", doubt.what, doubt.cause, doubt.hint)
}

fn release_text(release: &ReleaseView) -> String {
    let revision = release.git_revision.get(..7).map(|short| format!(" {short}")).unwrap_or_default();
    let at = release.finished_at.as_deref().or(release.started_at.as_deref()).unwrap_or("-");
    format!("r{}{revision} {} {at} by {}", release.release, release.state, release.actor)
}
