//! `tidegate logs`: what containers wrote, from all droplets of an app.

use futures::{StreamExt as _, stream::select_all};
use jiff::{Span, Timestamp, Unit};
use serde::Serialize;
use tidegate_proto::v1::{LogEntry, LogsRequest, StreamKind};

use super::{
    context::Context,
    reach::{Reach, Which},
};
use crate::{
    agents::AgentError,
    failure::Outcome,
    output::{Format, Printer, Stream},
    release::times::{timestamp, to_proto},
};

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Go on with what is written from now on
    #[arg(short, long)]
    follow: bool,
    /// From this time on: `10m`, `2h`, or `2026-11-21T10:15:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The last lines of each container
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<u32>,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// Services; by default all
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// What `--json` prints for every line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    droplet: &'a str,
    service: &'a str,
    container: &'a str,
    at: Option<String>,
    stream: &'static str,
    #[serde(rename = "line")]
    text: String,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let now = context.clock.now();
    let since = args.since.as_deref().map(|text| moment(text, now)).transpose()?;
    let until = args.until.as_deref().map(|text| moment(text, now)).transpose()?;
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    let request = LogsRequest {
        app: name.to_string(),
        services: args.services.clone(),
        follow: args.follow,
        since: since.map(to_proto),
        until: until.map(to_proto),
        tail: args.tail,
    };
    let mut streams = Vec::new();
    for target in &targets {
        let agent = reach.connect(target).await?;
        let entries = agent.client().logs(request.clone()).await.map_err(|status| agent.error(&status))?;
        let droplet = target.short.clone();
        streams.push(entries.into_inner().map(move |entry| match entry {
            Ok(entry) => Ok((droplet.clone(), entry)),
            Err(status) => Err(agent.error(&status)),
        }));
    }
    let shown = async {
        let mut all = select_all(streams);
        while let Some(entry) = all.next().await {
            let (droplet, entry) = entry?;
            show(&context.printer, args, (&droplet, targets.len()), &entry);
        }
        Ok::<_, AgentError>(())
    };
    tokio::select! {
        ended = shown => ended?,
        // Following ends when the reader has seen enough: that is no failure.
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(Outcome::Done)
}

fn show(printer: &Printer, args: &Args, from: (&str, usize), entry: &LogEntry) {
    let (droplet, droplets) = from;
    let at = entry.at.as_ref().and_then(timestamp);
    let line = String::from_utf8_lossy(&entry.line);
    if printer.format() == Format::Json {
        let stream = if entry.stream() == StreamKind::Stderr { "stderr" } else { "stdout" };
        let line = line.into_owned();
        printer.json(&Line {
            droplet,
            service: &entry.service,
            container: &entry.container,
            at,
            stream,
            text: line,
        });
        return;
    }
    let whose = if droplets > 1 { format!("{droplet}/{}", entry.container) } else { entry.container.clone() };
    let at = if args.timestamps { at.map(|at| format!("{at} ")).unwrap_or_default() } else { String::new() };
    printer.bytes(Stream::Out, format!("{whose} | {at}{line}\n").as_bytes());
}

/// A time, or a span back from now.
fn moment(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let refused = || {
        crate::failure::Failure::input(format!("`{text}` is no time"))
            .hint("a time is `10m`, `2h`, `1d`, or `2026-11-21T10:15:00Z`")
    };
    let span: Span = text.parse().map_err(|error| refused().because(error))?;
    let seconds = span
        .total((Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()))
        .map_err(|error| refused().because(error))?;
    let back = std::time::Duration::try_from_secs_f64(seconds).map_err(|error| refused().because(error))?;
    now.checked_sub(back).map_err(|error| refused().because(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_back_from_now() {
        let now: Timestamp = "2026-11-21T10:15:00Z".parse().unwrap();
        assert_eq!(moment("10m", now).unwrap().to_string(), "2026-11-21T10:05:00Z");
        assert_eq!(moment("1d", now).unwrap().to_string(), "2026-11-20T10:15:00Z");
        assert_eq!(moment("2026-11-21T00:00:00Z", now).unwrap().to_string(), "2026-11-21T00:00:00Z");
        assert!(moment("yesterday-ish", now).is_err());
    }
}
