//! How long a call may take until its answer begins. A stream that has begun has no end of its own.
//!
//! Owns the one table. Must not know what the calls do.

use std::time::Duration;

/// Nothing else may take longer.
const ORDINARY: Duration = Duration::from_mins(1);

/// The deadline of an RPC, by its path.
pub(super) fn of(rpc: &str) -> Duration {
    match rpc {
        // Docker may have to be asked for every image and container, on a droplet under load.
        "/tidegate.v1.Agent/PlanDeploy" | "/tidegate.v1.Agent/Deploy" => Duration::from_mins(5),
        // Containers get their grace period to stop.
        "/tidegate.v1.Agent/RemoveApp" | "/tidegate.v1.Agent/StopApp" | "/tidegate.v1.Agent/StartApp" => {
            Duration::from_mins(15)
        }
        // A disk under load takes its time to give up images.
        "/tidegate.v1.Agent/CleanUp" => Duration::from_mins(30),
        // A destination may take a quarter of an hour to be listed.
        "/tidegate.v1.Agent/Backups"
        | "/tidegate.v1.Agent/ShowBackup"
        | "/tidegate.v1.Agent/PruneBackups" => Duration::from_mins(16),
        // Several things may not answer in their time before the last one does.
        "/tidegate.v1.Agent/Health" => Duration::from_secs(85),
        "/tidegate.v1.Enrolment/Begin" | "/tidegate.v1.Enrolment/Complete" => Duration::from_secs(30),
        _ => ORDINARY,
    }
}
