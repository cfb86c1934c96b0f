//! `tidegate-agent status`.

use std::io::Write;

use clap::Args;
use serde_json::json;
use tidegate_proto::v1::{AppStatus, ReleaseSummary, StatusRequest};

use super::{Local, local};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    local: Local,
    /// Only this app.
    app: Option<String>,
}

pub(super) async fn run(arguments: &StatusArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut client = local::connect(&arguments.local.socket).await?;
    let request = StatusRequest { app: arguments.app.clone().unwrap_or_default() };
    let status = client.status(request).await.map_err(|status| local::explain(&status))?.into_inner();
    if arguments.local.json {
        let apps: Vec<serde_json::Value> = status.apps.iter().map(as_json).collect();
        writeln!(out, "{}", json!({ "apps": apps }))?;
        return Ok(());
    }
    if status.apps.is_empty() {
        writeln!(out, "no apps")?;
    }
    for app in &status.apps {
        let doubt = app.in_doubt.as_ref().map(|failure| format!("  in doubt: {}", failure.cause));
        let maintenance = if app.maintenance { "  under maintenance" } else { "" };
        let doubt = doubt.unwrap_or_default();
        writeln!(out, "{}  {}{maintenance}{doubt}", app.app, release(app.release.as_ref()))?;
        for container in app.services.iter().flat_map(|service| &service.containers) {
            writeln!(
                out,
                "  {}  {} {}  {}",
                container.name, container.state, container.health, container.image
            )?;
        }
    }
    Ok(())
}

fn release(release: Option<&ReleaseSummary>) -> String {
    match release {
        Some(release) => format!("r{}", release.release),
        None => "never released".to_owned(),
    }
}

fn as_json(app: &AppStatus) -> serde_json::Value {
    let services: Vec<_> = app
        .services
        .iter()
        .map(|service| {
            let containers: Vec<_> = service
                .containers
                .iter()
                .map(|c| json!({"name": c.name, "id": c.id, "image": c.image, "state": c.state, "health": c.health, "restarts": c.restarts}))
                .collect();
            json!({ "service": service.service, "containers": containers })
        })
        .collect();
    json!({
        "app": app.app,
        "release": app.release.as_ref().map(|release| release.release),
        "running_release": app.running_release.as_ref().map(|release| release.release),
        "maintenance": app.maintenance,
        "in_doubt": app.in_doubt.as_ref().map(|failure| &failure.what),
        "services": services,
    })
}
