//! `tidegate-agent backup` and `tidegate-agent verify`: what the droplet's timers start. Each asks the agent and waits for
//! the end, however long that takes.

use std::io::Write;

use clap::Args;
use serde_json::json;
use tidegate_proto::{
    status::RichError,
    v1::{
        BackupCause, BackupEvent, BackupSummary, Failure, MakeBackupRequest, VerifyBackupRequest,
        backup_event::Event,
    },
};
use tonic::{Status, Streaming};

use super::{Local, local};
use crate::timers::Instance;

/// How the agent says that the latest backup was verified before.
const VERIFIED_ALREADY: &str = "ALREADY_VERIFIED";
/// What the agent calls Redis and Valkey.
const REDIS: &str = "redis";

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct BackupArguments {
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    whose: Whose,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Args)]
struct Whose {
    /// App.
    #[arg(required_unless_present = "instance", conflicts_with = "instance")]
    app: Option<String>,
    /// Service; not needed when only one of the app asks for backups.
    service: Option<String>,
    /// App and service in one word, as systemd's units are named: `shop-db`. The timers say this.
    #[arg(long, value_parser = Instance::parse, conflicts_with = "service")]
    instance: Option<Instance>,
}

impl Whose {
    fn names(&self) -> (String, String) {
        match &self.instance {
            Some(instance) => (instance.app().to_string(), instance.service().to_string()),
            None => (self.app.clone().unwrap_or_default(), self.service.clone().unwrap_or_default()),
        }
    }

    fn cause(&self) -> BackupCause {
        if self.instance.is_some() { BackupCause::Schedule } else { BackupCause::Manual }
    }
}

pub(super) async fn make(arguments: &BackupArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut client = local::connect(&arguments.local.socket).await?;
    let (app, service) = arguments.whose.names();
    let request = MakeBackupRequest { app, service, cause: arguments.whose.cause().into() };
    let begun = client.make_backup(request).await.map_err(|status| local::explain(&status))?;
    let ended = follow(begun.into_inner(), &arguments.local, out).await?;
    let backup = ended.map_err(|status| local::explain(&status))?;
    if arguments.local.json {
        return Ok(writeln!(out, "{}", as_json(&backup))?);
    }
    let BackupSummary { id, app, service, stored_bytes, copies, tables, rows, .. } = &backup;
    let at = copies.join(", ");
    writeln!(
        out,
        "backup {id} of {app}/{service}: {stored_bytes} bytes at {at}, {rows} rows in {tables} tables"
    )?;
    if let Some(failure) = &backup.failure {
        writeln!(out, "warning: {}\n  cause: {}\n  hint: {}", failure.what, failure.cause, failure.hint)?;
    }
    Ok(())
}

pub(super) async fn verify(arguments: &VerifyArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut client = local::connect(&arguments.local.socket).await?;
    let (app, service) = arguments.whose.names();
    let request = VerifyBackupRequest { app, service, ..VerifyBackupRequest::default() };
    let begun = client.verify_backup(request).await.map_err(|status| local::explain(&status))?;
    let backup = match follow(begun.into_inner(), &arguments.local, out).await? {
        Ok(backup) => backup,
        Err(status) => return verified_before(&status, &arguments.local, out),
    };
    if arguments.local.json {
        return Ok(writeln!(out, "{}", as_json(&backup))?);
    }
    let BackupSummary { id, app, service, .. } = &backup;
    let held = held(&backup);
    let took = seconds(&backup).map(|took| format!(" in {took:.1} s")).unwrap_or_default();
    writeln!(out, "backup {id} of {app}/{service} is verified: {held} restored{took}")?;
    Ok(())
}

/// `1200 rows in 14 tables`, `80 keys in 2 databases`
fn held(backup: &BackupSummary) -> String {
    let (row, table) = if backup.engine == REDIS { ("keys", "databases") } else { ("rows", "tables") };
    format!("{} {row} in {} {table}", backup.rows, backup.tables)
}

/// That the latest backup needs no verification any more is no failure, or a timer's unit would fail each time that no
/// backup was made in between.
fn verified_before(status: &Status, local: &Local, out: &mut dyn Write) -> anyhow::Result<()> {
    let told = RichError::from_status(status);
    if told.reason != VERIFIED_ALREADY {
        return Err(local::explain(status));
    }
    if local.json {
        writeln!(out, "{}", json!({ "nothing_to_do": told.what }))?;
    } else {
        writeln!(out, "nothing to do: {}", told.what)?;
    }
    Ok(())
}

/// Writes what is told on the way; how it ended, or why it failed.
async fn follow(
    mut events: Streaming<BackupEvent>,
    local: &Local,
    out: &mut dyn Write,
) -> anyhow::Result<Result<BackupSummary, Status>> {
    loop {
        match events.message().await {
            Ok(Some(BackupEvent { event: Some(Event::Progress(line)) })) => {
                if !local.json {
                    writeln!(out, "{line}")?;
                    out.flush()?;
                }
            }
            Ok(Some(BackupEvent { event: Some(Event::Finished(backup)) })) => return Ok(Ok(backup)),
            Ok(Some(BackupEvent { event: None })) => {}
            Ok(None) => anyhow::bail!("the agent ended before it told how the run ended"),
            Err(status) => return Ok(Err(status)),
        }
    }
}

fn seconds(backup: &BackupSummary) -> Option<f64> {
    let took = std::time::Duration::try_from(backup.verify_took?).ok()?;
    Some(took.as_secs_f64())
}

fn as_json(backup: &BackupSummary) -> serde_json::Value {
    let failure =
        |failure: &Failure| json!({"what": failure.what, "cause": failure.cause, "hint": failure.hint});
    json!({
        "id": backup.id,
        "app": backup.app,
        "service": backup.service,
        "stored_bytes": backup.stored_bytes,
        "destinations": backup.copies,
        "tables": backup.tables,
        "rows": backup.rows,
        "verify_seconds": seconds(backup),
        "failure": backup.failure.as_ref().map(failure),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{super::Arguments, *};

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        whose: Whose,
    }

    fn names(words: &[&str]) -> Option<(String, String, BackupCause)> {
        let words = [&["backup"], words].concat();
        let whose = Alone::try_parse_from(words).ok()?.whose;
        let (app, service) = whose.names();
        Some((app, service, whose.cause()))
    }

    #[test]
    fn a_timer_names_an_instance_and_a_person_an_app() {
        let told = |app: &str, service: &str, cause| Some((app.to_owned(), service.to_owned(), cause));
        assert_eq!(names(&["--instance", "my\\x2dshop-db"]), told("my-shop", "db", BackupCause::Schedule));
        assert_eq!(names(&["shop"]), told("shop", "", BackupCause::Manual));
        assert_eq!(names(&["shop", "db"]), told("shop", "db", BackupCause::Manual));
        for wrong in
            [&[][..], &["--instance", "shop"], &["--instance", "shop-db", "shop"], &["shop", "db", "x"]]
        {
            assert_eq!(names(wrong), None, "{wrong:?}");
        }
    }

    /// The templates in `systemd/` say these words.
    #[test]
    fn the_units_of_the_timers_say_what_there_is() {
        let units = [
            include_str!("../../../systemd/tidegate-backup@.service"),
            include_str!("../../../systemd/tidegate-verify@.service"),
            include_str!("../../../systemd/tidegate-health.service"),
        ];
        for unit in units {
            let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
            let words = line.replace("%i", "shop-db");
            Arguments::try_parse_from(words.split_whitespace()).unwrap();
        }
    }

    #[test]
    fn what_was_verified_before_is_no_failure() {
        let status = |reason| {
            RichError::new(tonic::Code::FailedPrecondition, reason, "it was verified on Sunday").into()
        };
        let local = Local { socket: "/x".into(), json: false };
        let mut out = Vec::new();
        verified_before(&status(VERIFIED_ALREADY), &local, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "nothing to do: it was verified on Sunday\n");
        assert!(verified_before(&status("NO_KEY"), &local, &mut Vec::new()).is_err());
    }
}
