//! `Timers`: when backups and their verifications are due, of those apps that the caller has.
//!
//! Owns the conversion. Must not know how timers come about.

use tidegate_proto::v1::{self, TimersRequest, TimersResponse};
use tonic::Status;

use super::{Context, caller::Caller, convert, errors};
use crate::timers::{Due, TimerKind, due};

const RPC: &str = "/tidegate.v1.Agent/Timers";

/// systemd's patterns of our units.
const OURS: [&str; 2] = ["tidegate-backup@*.timer", "tidegate-verify@*.timer"];

pub(super) async fn timers(
    context: &Context,
    caller: &Caller,
    request: &TimersRequest,
) -> Result<TimersResponse, Status> {
    if !request.app.is_empty() {
        context.may(caller, RPC, &request.app)?;
    }
    let loaded = context.systemd.timers(&OURS).await.map_err(|error| errors::systemd(&error))?;
    let units = context.units.clone();
    let present = tokio::task::spawn_blocking(move || units.present()).await.map_err(|_| errors::broken())?;
    let present = present.map_err(|error| errors::unit_files(&error))?;
    let is_wanted = |due: &Due| {
        let app = due.unit.instance().app().as_str();
        (request.app.is_empty() || request.app == app) && context.may(caller, RPC, app).is_ok()
    };
    let timers = due(loaded, &present).into_iter().filter(is_wanted).map(message).collect();
    Ok(TimersResponse { timers })
}

fn message(due: Due) -> v1::Timer {
    let Due { unit, schedule, status } = due;
    let kind = match unit.kind() {
        TimerKind::Backup => "backup",
        TimerKind::Verify => "verify",
    };
    let (next, last) = status.as_ref().map_or((None, None), |status| (status.next, status.last));
    v1::Timer {
        unit: unit.timer(),
        app: unit.instance().app().to_string(),
        service: unit.instance().service().to_string(),
        kind: kind.to_owned(),
        next: next.map(convert::timestamp),
        last: last.map(convert::timestamp),
        result: status.map_or_else(|| "not loaded".to_owned(), |status| status.result),
        schedule: schedule.unwrap_or_default(),
    }
}
