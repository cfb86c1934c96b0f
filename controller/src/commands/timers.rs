//! `tidegate timers`: when the droplets make and verify backups and clean up by themselves, as their systemd has it.

use serde::Serialize;
use tidegate_proto::v1::{Timer, TimersRequest};

use super::{context::Context, reach::Reach};
use crate::{
    agents::{self, Selection, Target},
    failure::Outcome,
    names::Name,
    output::Table,
    release::times::timestamp,
};

/// Arguments of `timers`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this app of the fleet file
    #[arg(value_name = "APP")]
    app: Option<Name>,
    /// Droplet, such as `web-1`; by default all that the command is for
    #[arg(long, value_name = "DROPLET")]
    droplet: Option<String>,
}

/// What `--json` prints per timer.
#[derive(Debug, Serialize)]
struct View {
    droplet: String,
    unit: String,
    app: String,
    service: String,
    /// `backup`, `verify`.
    kind: String,
    /// systemd's `OnCalendar`.
    schedule: String,
    next: Option<String>,
    last: Option<String>,
    result: String,
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
    let request = TimersRequest { app };
    let mut all = Vec::new();
    for target in &targets {
        let agent = reach.connect(target).await?;
        let mut client = agent.client();
        let told = agent.call(client.timers(request.clone())).await?;
        all.extend(told.timers.into_iter().map(|timer| view(target, timer)));
    }
    context.printer.result(&all, text(&all));
    Ok(Outcome::Done)
}

fn view(target: &Target, timer: Timer) -> View {
    View {
        droplet: target.short.clone(),
        next: timer.next.as_ref().and_then(timestamp),
        last: timer.last.as_ref().and_then(timestamp),
        unit: timer.unit,
        app: timer.app,
        service: timer.service,
        kind: timer.kind,
        schedule: timer.schedule,
        result: timer.result,
    }
}

fn text(all: &[View]) -> String {
    if all.is_empty() {
        return "There are no timers: no service has a `schedule` under x-tidegate.backup.\n".to_owned();
    }
    let mut table = Table::new(["DROPLET", "WHAT", "SCHEDULE", "NEXT", "LAST", "RESULT"]);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for view in all {
        // Before it ran, systemd calls that a success too.
        let result = match (&view.last, view.result.as_str()) {
            (None, "success") => "-",
            (_, result) => result,
        };
        table.row([
            view.droplet.clone(),
            // What is the droplet's own belongs to no app.
            if view.app.is_empty() {
                view.kind.clone()
            } else {
                format!("{} {}/{}", view.kind, view.app, view.service)
            },
            view.schedule.clone(),
            or_none(view.next.clone()),
            or_none(view.last.clone()),
            result.to_owned(),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_timer_tells_when_and_how_it_went() {
        let view = |kind: &str, last: Option<&str>, result: &str| View {
            droplet: "web-1".into(),
            unit: format!("tidegate-{kind}@shop-db.timer"),
            app: "shop".into(),
            service: "db".into(),
            kind: kind.into(),
            schedule: "*-*-* 03:00".into(),
            next: Some("2026-11-23T03:02:11Z".into()),
            last: last.map(str::to_owned),
            result: result.into(),
        };
        let all = [
            view("backup", Some("2026-11-22T03:02:11Z"), "exit-code"),
            view("verify", None, "success"),
            View { next: None, ..view("verify", None, "not loaded") },
            View {
                app: String::new(),
                service: String::new(),
                schedule: String::new(),
                ..view("cleanup", Some("2026-11-22T04:41:02Z"), "success")
            },
        ];
        insta::assert_snapshot!(text(&all));
    }

    #[test]
    fn where_there_is_none_it_says_why() {
        assert!(text(&[]).contains("schedule"));
    }
}
