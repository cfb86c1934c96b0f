//! Runs on agents, followed: making backups and verifying them. A run goes on there when nobody listens any more.

use tidegate_proto::v1::{
    BackupEvent, BackupSummary, MakeBackupRequest, VerifyBackupRequest, backup_event::Event,
};
use tonic::{Response, Status, Streaming};

use super::{found::Found, view::BackupView};
use crate::{
    agents::{Agent, AgentError, Target},
    commands::{
        attended::{attended, ended_badly},
        context::Context,
        reach::Reach,
    },
    output::{Format, Printer, Step},
};

/// How an agent says that the latest backup needs no verification.
const VERIFIED_ALREADY: &str = "ALREADY_VERIFIED";

/// What tells how a run ended.
const TELLS: &str = "`tidegate backup list` tells how it ended";

/// What is run.
#[derive(Debug)]
pub(super) enum Run {
    /// A backup is made.
    Make(MakeBackupRequest),
    /// One is verified.
    Verify(VerifyBackupRequest),
}

impl Run {
    /// `backup of shop/db on web-1`
    fn describe(&self, target: &Target) -> String {
        let (what, app, service) = match self {
            Self::Make(request) => ("backup", &request.app, &request.service),
            Self::Verify(request) => ("verification of the backup", &request.app, &request.service),
        };
        let service = if service.is_empty() { String::new() } else { format!("/{service}") };
        format!("{what} of {app}{service} on {}", target.short)
    }

    async fn begin(&self, agent: &Agent) -> Result<Response<Streaming<BackupEvent>>, Status> {
        match self {
            Self::Make(request) => agent.client().make_backup(request.clone()).await,
            Self::Verify(request) => agent.client().verify_backup(request.clone()).await,
        }
    }

    /// Whether the error says that there is nothing to do: the latest backup was meant, and that is verified.
    fn is_needless(&self, error: &AgentError) -> bool {
        matches!(self, Self::Verify(request) if request.id.is_empty())
            && matches!(error, AgentError::Call(call) if call.reason() == VERIFIED_ALREADY)
    }
}

/// Runs it on one droplet after the other, and prints what came of it, also of those before one that failed.
///
/// # Errors
/// At the first that fails, and when no droplet has what is meant.
pub(super) async fn on_each(
    context: &Context,
    reach: &Reach,
    targets: &[Target],
    run: &Run,
    describe: fn(&BackupView) -> String,
) -> anyhow::Result<()> {
    // All of them before any is begun: to an agent of another version it may mean something else.
    for target in targets {
        reach.checked(target).await?;
    }
    let mut found = Found::default();
    let mut ended = Ok(());
    for target in targets {
        let what = run.describe(target);
        let one = attended((&what, TELLS), Box::pin(one(context, reach, target, run))).await;
        ended = one.and_then(|one| found.take(one).map_err(|error| ended_badly((&what, TELLS), error)));
        if ended.is_err() {
            break;
        }
    }
    let done: Vec<&BackupView> = found.so_far().iter().flatten().collect();
    print(&context.printer, &done, describe);
    ended?;
    found.all()?;
    Ok(())
}

/// On one droplet; nothing where nothing was to do.
async fn one(
    context: &Context,
    reach: &Reach,
    target: &Target,
    run: &Run,
) -> Result<Option<BackupView>, AgentError> {
    let agent = reach.connect(target).await?;
    let step = context.printer.step(run.describe(target));
    match follow(&agent, run.begin(&agent).await, &step).await {
        Ok(backup) => {
            step.done("");
            Ok(Some(BackupView::new(&target.short, backup)))
        }
        Err(error) if run.is_needless(&error) => {
            step.done("there is nothing to do");
            context.printer.note(error.to_string());
            Ok(None)
        }
        Err(error) => {
            // A droplet that has nothing of it did not fail.
            if !error.is_not_found() {
                step.failed("");
            }
            Err(error)
        }
    }
}

/// Follows a run to its end.
async fn follow(
    agent: &Agent,
    begun: Result<Response<Streaming<BackupEvent>>, Status>,
    step: &Step,
) -> Result<BackupSummary, AgentError> {
    let mut events = begun.map_err(|status| agent.error(&status))?.into_inner();
    while let Some(event) = events.message().await.map_err(|status| agent.error(&status))? {
        match event.event {
            Some(Event::Progress(line)) => step.tell(&line),
            Some(Event::Finished(backup)) => return Ok(backup),
            None => {}
        }
    }
    let what = "a run without an end".to_owned();
    Err(AgentError::Contract { droplet: agent.name.clone(), what })
}

fn print(printer: &Printer, done: &[&BackupView], describe: fn(&BackupView) -> String) {
    for warning in done.iter().filter_map(|backup| backup.failure.as_ref()) {
        printer.note(format!("warning: {}", warning.in_one_line()));
        if !warning.hint.is_empty() {
            printer.note(format!("  hint: {}", warning.hint));
        }
    }
    match printer.format() {
        Format::Json => printer.json(&done),
        Format::Text => done.iter().for_each(|backup| printer.line(describe(backup))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::CallError;

    fn verification(id: &str) -> Run {
        Run::Verify(VerifyBackupRequest { id: id.to_owned(), ..VerifyBackupRequest::default() })
    }

    #[test]
    fn only_the_latest_needs_no_verification_when_it_was_verified() {
        let status = tidegate_proto::status::RichError::new(
            tonic::Code::FailedPrecondition,
            VERIFIED_ALREADY,
            "it was verified",
        );
        let error = AgentError::Call(Box::new(CallError::new("web-1", &status.into())));
        assert!(verification("").is_needless(&error));
        assert!(!verification("20261122T030000Z-4f2a91c0").is_needless(&error));
        assert!(!Run::Make(MakeBackupRequest::default()).is_needless(&error));
    }
}
