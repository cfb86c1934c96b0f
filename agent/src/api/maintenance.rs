//! `SetMaintenance`: an app's visitors are told to come back later.
//!
//! Owns the conversion and the audit entry. Must not know what visitors see.

use tidegate_proto::v1::{SetMaintenanceRequest, SetMaintenanceResponse};
use tonic::Status;

use super::{Context, caller::Caller, deed, errors};
use crate::{
    apps::AppName,
    audit::Deed,
    ingress::{Changed, Maintenance},
};

pub(super) async fn set(
    context: &Context,
    caller: &Caller,
    request: SetMaintenanceRequest,
) -> Result<SetMaintenanceResponse, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let (wanted, word) = if request.on { (Maintenance::On, "on") } else { (Maintenance::Off, "off") };
    let deed = Deed::new(caller.actor(), "maintenance", app.to_string()).with("set", word);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let engine = context.engine.clone();
    let work =
        async move { engine.set_maintenance(&app, wanted).await.map_err(|error| errors::engine(&error)) };
    let changed = deed::done(begun, work).await?;
    Ok(SetMaintenanceResponse { changed: changed == Changed::Yes })
}
