//! `tidegate maintenance`: an app's visitors are told to come back later, on all its droplets or one.

use serde::Serialize;
use tidegate_proto::v1::{SetMaintenanceRequest, StatusRequest};

use super::{
    context::Context,
    reach::{Reach, Which},
};
use crate::{agents::Target, failure::Outcome, names::Name, output::Table};

/// Arguments of `maintenance`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whether visitors are told so
    #[arg(value_enum, value_name = "on|off")]
    switch: Switch,
    /// App of the fleet file; not needed when there is only one
    #[arg(value_name = "APP")]
    app: Option<Name>,
    /// Droplet, such as `web-1`; by default all that the app is on
    #[arg(long, value_name = "DROPLET")]
    droplet: Option<String>,
    /// Show what would be changed; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    /// Answer 503 with a page, or with JSON where that is asked for; containers run on
    On,
    /// Serve again
    Off,
}

impl Switch {
    fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// What `--json` prints per droplet.
#[derive(Debug, Serialize)]
struct View {
    droplet: String,
    app: String,
    maintenance: &'static str,
    /// With `--dry-run`: whether it would be.
    changed: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let which = Which { app: args.app.clone(), droplet: args.droplet.clone() };
    let (name, app) = reach.app(which.app.as_ref())?;
    let targets = reach.targets((&name, &app), which.selection())?;
    let mut all = Vec::new();
    for target in &targets {
        let changed = if args.dry_run {
            would_change(&reach, (&name, target), args.switch).await?
        } else {
            set(&reach, (&name, target), args.switch).await?
        };
        all.push(View {
            droplet: target.short.clone(),
            app: name.to_string(),
            maintenance: args.switch.word(),
            changed,
        });
    }
    let mut text = text(&all, args);
    if args.dry_run {
        text.push_str("Nothing was changed.\n");
    }
    context.printer.result(&all, text);
    Ok(Outcome::Done)
}

async fn set(reach: &Reach, (app, target): (&Name, &Target), switch: Switch) -> anyhow::Result<bool> {
    let (agent, _) = reach.checked(target).await?;
    let mut client = agent.client();
    let request = SetMaintenanceRequest { app: app.to_string(), on: switch == Switch::On };
    Ok(agent.call(client.set_maintenance(request)).await?.changed)
}

async fn would_change(
    reach: &Reach,
    (app, target): (&Name, &Target),
    switch: Switch,
) -> anyhow::Result<bool> {
    let (agent, _) = reach.checked(target).await?;
    let mut client = agent.client();
    let status = agent.call(client.status(StatusRequest { app: app.to_string() })).await?;
    let is_on = status.apps.iter().any(|status| status.maintenance);
    Ok(is_on != (switch == Switch::On))
}

fn text(all: &[View], args: &Args) -> String {
    let mut table = Table::new(["DROPLET", "APP", "MAINTENANCE"]);
    for view in all {
        let word = view.maintenance;
        let told = match (view.changed, args.dry_run) {
            (false, _) => format!("is {word} already"),
            (true, true) => format!("would be {word}"),
            (true, false) => format!("is {word}"),
        };
        table.row([view.droplet.clone(), view.app.clone(), told]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_so_already_is_told() {
        let view = |droplet: &str, changed| View {
            droplet: droplet.into(),
            app: "shop".into(),
            maintenance: "on",
            changed,
        };
        let args = |dry_run| Args { switch: Switch::On, app: None, droplet: None, dry_run };
        let all = [view("web-1", true), view("web-2", false)];
        let text = text(&all, &args(false)) + &super::text(&all, &args(true));
        insta::assert_snapshot!(text);
    }
}
