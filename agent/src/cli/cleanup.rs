//! `tidegate-agent cleanup`: what the droplet's timer starts once a day. What went is written where the rest is, for the journal.

use std::{io::Write, time::Duration};

use clap::Args;
use serde_json::json;
use tidegate_proto::v1::{CleanUpRequest, CleanUpResponse};

use super::{Local, local};

/// A disk under load takes its time to give up images.
const PATIENCE: Duration = Duration::from_mins(30);

/// Arguments of `cleanup`.
#[derive(Debug, Args)]
pub struct CleanupArguments {
    #[command(flatten)]
    local: Local,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: &CleanupArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let CleanupArguments { local, dry_run } = arguments;
    let mut client = local::connect_for(&local.socket, PATIENCE).await?;
    let asked = client.clean_up(CleanUpRequest { dry_run: *dry_run }).await;
    let told = asked.map_err(|status| local::explain(&status))?.into_inner();
    if local.json {
        writeln!(out, "{}", as_json(&told))?;
    } else {
        write!(out, "{}", text(&told, if *dry_run { "would remove" } else { "removed" }))?;
    }
    Ok(())
}

fn text(told: &CleanUpResponse, verb: &str) -> String {
    let mut text = String::new();
    for leftover in &told.gone {
        let size =
            if leftover.bytes == 0 { String::new() } else { format!(" ({} bytes at most)", leftover.bytes) };
        text.push_str(&format!("{verb} {}: {}{size}\n", leftover.kind, leftover.name));
    }
    if told.gone.is_empty() {
        text.push_str("there is nothing to clean up\n");
    }
    for trouble in &told.troubles {
        text.push_str(&format!("note: {trouble}\n"));
    }
    text
}

fn as_json(told: &CleanUpResponse) -> serde_json::Value {
    let one = |one: &tidegate_proto::v1::Leftover| json!({ "kind": one.kind, "name": one.name, "bytes": one.bytes });
    json!({ "gone": told.gone.iter().map(one).collect::<Vec<_>>(), "troubles": told.troubles })
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::Leftover;

    use super::*;

    #[test]
    fn it_says_what_went_or_would() {
        let image = Leftover { kind: "image".to_owned(), name: "web:1".to_owned(), bytes: 7 };
        let told = CleanUpResponse { gone: vec![image], troubles: vec!["images: no".to_owned()] };
        assert_eq!(text(&told, "removed"), "removed image: web:1 (7 bytes at most)\nnote: images: no\n");
        assert_eq!(
            text(&told, "would remove").lines().next(),
            Some("would remove image: web:1 (7 bytes at most)")
        );
        assert_eq!(text(&CleanUpResponse::default(), "removed"), "there is nothing to clean up\n");
    }
}
