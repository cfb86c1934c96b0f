//! `PlanDeploy` and `Deploy`.
//!
//! Owns the conversion of what is deployed, and the audit of how it ended. Must not plan or release.

use futures::StreamExt;
use tidegate_proto::v1::{self, DeployRequest, PlanDeployResponse};
use tonic::Status;

use super::{Context, buckets, caller::Caller, convert, errors, releases, stream::Answers, together};
use crate::{
    apps::AppName,
    audit::{Begun, Deed, Outcome},
    release::{
        BackupFirst, Change, ChangeKind, DeployInput, Engine, EngineError, EventKind, GitRevision, Interrupt,
        Joined, MigrationHere, Part, Release, ReleasePlan, ReleaseState, SourceFile,
    },
};

/// Permission bits of a file that says none.
const ORDINARY_FILE: u32 = 0o644;

pub(super) async fn plan(context: &Context, request: DeployRequest) -> Result<PlanDeployResponse, Status> {
    let plan = context.engine.plan(&input(request)?).await.map_err(|error| errors::engine(&error))?;
    Ok(planned(plan))
}

/// A plan as a message.
pub(super) fn planned(plan: ReleasePlan) -> PlanDeployResponse {
    let returning = plan.standstill.iter().flat_map(|still| &still.returning);
    let returning = returning.map(|one| v1::ReturningBackup {
        service: one.service.to_string(),
        backup: one.backup.clone(),
        taken_at: Some(convert::timestamp(one.taken_at)),
    });
    PlanDeployResponse {
        returning: returning.collect(),
        changes: plan.changes().into_iter().map(change).collect(),
        notes: plan.notes,
    }
}

pub(super) async fn deploy(
    context: &Context,
    caller: &Caller,
    request: DeployRequest,
) -> Result<Answers<v1::ReleaseEvent>, Status> {
    let together = together::asked(context, request.together.clone()).await?;
    let input = DeployInput { together, ..input(request)? };
    let deed = Deed::new(caller.actor(), "deploy", input.app.to_string())
        .with("revision", &input.git.revision)
        .with("source", &input.source_digest());
    let buckets: Vec<&str> = input.buckets.iter().map(|bucket| bucket.name.as_str()).collect();
    let deed = if buckets.is_empty() { deed } else { deed.with("buckets", &buckets.join(",")) };
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let asked = context.engine.deploy(input, &caller.actor()).await;
    follow(context, asked, begun).await
}

/// Follows a release that was asked for, and sees that the audit log tells how it ended.
pub(super) async fn follow(
    context: &Context,
    asked: Result<Release, EngineError>,
    begun: Begun,
) -> Result<Answers<v1::ReleaseEvent>, Status> {
    let release = match asked {
        Ok(release) => release,
        Err(error) => {
            let status = errors::engine(&error);
            begun.end(Outcome::Failed(errors::reason(&status))).await;
            return Err(status);
        }
    };
    let begun = begun.with("release", &release.release);
    match release.joined {
        // Goes on when the caller is gone, as the release does.
        Joined::Began => drop(tokio::spawn(audit_end(context.engine.clone(), release.clone(), begun))),
        Joined::Existing => begun.with("joined", "yes").end(Outcome::Succeeded).await,
    }
    releases::follow(context, &release.app, Some(release.release), 0).await
}

/// Waits for the end of a release and writes it into the audit log.
pub(crate) async fn audit_end(engine: Engine, release: Release, begun: Begun) {
    let outcome = match end(&engine, &release).await {
        Some(ReleaseState::Released) => Outcome::Succeeded,
        Some(ReleaseState::Undone) => Outcome::Failed("UNDONE".to_owned()),
        Some(ReleaseState::Stuck) => Outcome::Failed("STUCK".to_owned()),
        Some(ReleaseState::Running | ReleaseState::Superseded | ReleaseState::Removed) | None => {
            Outcome::Failed("UNKNOWN".to_owned())
        }
    };
    begun.end(outcome).await;
}

async fn end(engine: &Engine, release: &Release) -> Option<ReleaseState> {
    let mut events = Box::pin(engine.watch(&release.app, Some(release.release), 0).await.ok()?);
    let mut last = None;
    while let Some(Ok(event)) = events.next().await {
        if let EventKind::Finished { state, .. } = event.kind {
            last = Some(state);
        }
    }
    last
}

fn input(request: DeployRequest) -> Result<DeployInput, Status> {
    let app = AppName::new(request.app.as_str()).map_err(|error| errors::bad_field("app", &error))?;
    let of_the_cloud = |name: &&String| name.starts_with("DIGITALOCEAN_") || name.starts_with("SPACES_");
    if let Some(name) = request.variables.keys().find(of_the_cloud) {
        return Err(errors::cloud_variable(name));
    }
    let interrupt = interrupt(request.interrupt());
    let migration = match request.migration_here() {
        v1::MigrationHere::Unspecified | v1::MigrationHere::Run => MigrationHere::Run,
        v1::MigrationHere::Elsewhere => MigrationHere::Elsewhere,
    };
    let buckets = buckets::known(request.buckets)?;
    let part = Part { elsewhere: request.elsewhere_services.iter().cloned().collect(), migration };
    Ok(DeployInput {
        files: request.files.into_iter().map(file).collect(),
        compose_files: request.compose_files,
        env_files: request.env_files,
        profiles: request.profiles,
        variables: request.variables.into_iter().collect(),
        model_digest: request.model_digest,
        git: GitRevision {
            revision: request.git_revision,
            branch: request.git_branch,
            subject: request.git_subject,
        },
        idempotency_key: request.idempotency_key,
        part,
        interrupt,
        backup_first: if request.backup_first { BackupFirst::Yes } else { BackupFirst::No },
        buckets,
        ..DeployInput::of(app)
    })
}

/// Whether services may be stopped together.
pub(super) fn interrupt(asked: v1::Interrupt) -> Interrupt {
    match asked {
        v1::Interrupt::Unspecified | v1::Interrupt::Refused => Interrupt::Refused,
        v1::Interrupt::Allowed => Interrupt::Allowed,
    }
}

fn file(file: v1::SourceFile) -> SourceFile {
    let mode = if file.mode == 0 { ORDINARY_FILE } else { file.mode & 0o777 };
    SourceFile { path: file.path, content: file.content, mode }
}

fn change(change: Change) -> v1::PlannedChange {
    let kind = match change.kind {
        ChangeKind::Keep => v1::ChangeKind::Keep,
        ChangeKind::Create => v1::ChangeKind::Create,
        ChangeKind::Recreate => v1::ChangeKind::Recreate,
        ChangeKind::Remove => v1::ChangeKind::Remove,
        ChangeKind::Pull => v1::ChangeKind::Pull,
        ChangeKind::Run => v1::ChangeKind::Run,
    };
    v1::PlannedChange {
        kind: kind.into(),
        object: change.object,
        reason: change.reason,
        strategy: change.strategy,
    }
}
