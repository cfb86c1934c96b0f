//! `PlanRollback`, `Rollback` and `CancelRelease`: ways back.
//!
//! Owns the conversion and the audit entries. Must not decide which release is meant.

use tidegate_proto::v1::{
    self, CancelReleaseRequest, CancelReleaseResponse, PlanDeployResponse, RollbackRequest,
};
use tonic::Status;

use super::{Context, backups::keys, caller::Caller, deploy, errors, stream::Answers, together};
use crate::{
    apps::{AppName, ReleaseNumber},
    audit::{Deed, Outcome},
    release::{BackTo, DataOfThen},
};

/// Whose role it takes to bring data back.
const RESTORE: &str = "/tidegate.v1.Agent/RestoreBackup";

pub(super) async fn plan(context: &Context, request: RollbackRequest) -> Result<PlanDeployResponse, Status> {
    let (app, to) = asked(&request)?;
    let interrupt = deploy::interrupt(request.interrupt());
    let wanted = BackTo { release: to, interrupt, data: data(&request), ..BackTo::default() };
    let plan = context.engine.plan_rollback(&app, wanted).await.map_err(|error| errors::engine(&error))?;
    Ok(deploy::planned(plan))
}

pub(super) async fn rollback(
    context: &Context,
    caller: &Caller,
    request: RollbackRequest,
) -> Result<Answers<v1::ReleaseEvent>, Status> {
    let (app, to) = asked(&request)?;
    let data = data(&request);
    if data == DataOfThen::Comes {
        context.may(caller, RESTORE, &request.app)?;
        context.backups.lend(&app, keys(request.keys.clone())?);
    }
    let together = together::asked(context, request.together.clone()).await?;
    let wanted = to.map_or_else(|| "the one before".to_owned(), |release| release.to_string());
    let deed = Deed::new(caller.actor(), "rollback", app.to_string()).with("to", &wanted);
    let deed = if data == DataOfThen::Comes { deed.with("database", "restored") } else { deed };
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let interrupt = deploy::interrupt(request.interrupt());
    let idempotency_key = request.idempotency_key;
    let wanted = BackTo { release: to, idempotency_key, interrupt, together, data };
    let release = context.engine.rollback(&app, wanted, &caller.actor()).await;
    deploy::follow(context, release, begun).await
}

pub(super) async fn cancel(
    context: &Context,
    caller: &Caller,
    request: CancelReleaseRequest,
) -> Result<CancelReleaseResponse, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let deed = Deed::new(caller.actor(), "cancel-release", app.to_string());
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let release = context.engine.cancel(&app, &format!("{} asked for it", caller.actor()));
    let told = release.map_or_else(|| "none".to_owned(), |release| release.to_string());
    begun.with("release", &told).end(Outcome::Succeeded).await;
    Ok(CancelReleaseResponse { release: release.map_or(0, ReleaseNumber::get) })
}

fn data(request: &RollbackRequest) -> DataOfThen {
    if request.restore_database { DataOfThen::Comes } else { DataOfThen::Stays }
}

fn asked(request: &RollbackRequest) -> Result<(AppName, Option<ReleaseNumber>), Status> {
    let app = AppName::new(request.app.clone()).map_err(|error| errors::bad_field("app", &error))?;
    Ok((app, (request.release != 0).then(|| ReleaseNumber::new(request.release))))
}
