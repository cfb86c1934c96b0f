//! What begins once the agent is somebody: releases that a dead agent left behind are finished or undone, apps are brought
//! back, runs of backups are set right, and findings are told.
//!
//! Owns the moment, and the audit of it. Must not know how a release is resumed.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    api::{self, Context},
    audit::{Deed, Outcome},
    release::{Joined, Release, ReleaseId},
    timers::keep_standing,
    trust::Phase,
};

/// Between tries, when the database does not answer: a minute in all.
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(25),
];

/// Waits for the enrolment, then resumes. Nothing happens on a droplet that is not enrolled, or is a copy.
pub(super) async fn when_enrolled(
    context: Arc<Context>,
    mut phase: watch::Receiver<Phase>,
    stop: CancellationToken,
) {
    if phase.wait_for(|phase| *phase == Phase::Enrolled).await.is_err() {
        return;
    }
    // Whatever cannot be resumed, somebody may have to be told.
    let alerts = context.alerts.run(context.health.reports(), stop);
    let others = async {
        releases(&context).await;
        restores(&context).await;
        let rest = async {
            backups(&context).await;
            timers(&context).await;
        };
        // Whose release or restore goes on has the app first.
        tokio::join!(context.comeback.run(), rest, context.app_units.keep());
    };
    tokio::join!(alerts, others);
}

/// The timer by which the droplet looks after its health, whoever else is there.
async fn timers(context: &Context) {
    for wait in WAITS {
        match keep_standing(&context.units, &context.systemd).await {
            Ok(()) => return,
            Err(failure) => {
                error!(error = crate::release::chain(&failure), "the timer of health could not be seen to");
                sleep(wait).await;
            }
        }
    }
}

async fn releases(context: &Context) {
    for wait in WAITS {
        match context.engine.resume_all().await {
            Ok(resumed) => {
                for release in resumed {
                    audit(context, release).await;
                }
                return;
            }
            Err(failure) => {
                error!(error = crate::release::chain(&failure), "releases could not be resumed");
                sleep(wait).await;
            }
        }
    }
}

async fn restores(context: &Context) {
    for wait in WAITS {
        match context.backups.resume_restores().await {
            Ok(0) => return,
            Ok(resumed) => {
                let deed = Deed::new("agent", "resume-restores", "droplet").with("resumed", &resumed);
                if let Err(failure) = context.audit.write(&deed, &Outcome::Succeeded).await {
                    error!(error = crate::release::chain(&failure), "this is not in the audit log");
                }
                return;
            }
            Err(failure) => {
                error!(error = crate::release::chain(&failure), "restores could not be resumed");
                sleep(wait).await;
            }
        }
    }
}

async fn backups(context: &Context) {
    for wait in WAITS {
        match context.backups.recover().await {
            Ok(0) => return,
            Ok(recovered) => {
                info!(recovered, "runs of backups that were cut off were set right");
                let deed = Deed::new("agent", "recover-backups", "droplet").with("recovered", &recovered);
                if let Err(failure) = context.audit.write(&deed, &Outcome::Succeeded).await {
                    error!(error = crate::release::chain(&failure), "this is not in the audit log");
                }
                return;
            }
            Err(failure) => {
                // A next run of the same service sets it right too.
                error!(error = crate::release::chain(&failure), "runs of backups could not be set right");
                sleep(wait).await;
            }
        }
    }
}

async fn audit(context: &Context, id: ReleaseId) {
    info!(app = %id.app, release = %id.release, "resumed");
    let deed = Deed::new("agent", "resume-release", id.app.to_string()).with("release", &id.release);
    match context.audit.begin(deed).await {
        Ok(begun) => {
            let release = Release { app: id.app, release: id.release, joined: Joined::Existing };
            tokio::spawn(api::audit_end(context.engine.clone(), release, begun));
        }
        // It is resumed already, and has to be: an app half changed is worse than a line that is missing.
        Err(failure) => {
            error!(error = crate::release::chain(&failure), "a resumed release is not in the audit log");
        }
    }
}
