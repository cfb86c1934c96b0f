use std::{path::Path, sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{super::followed::LINES, *};
use crate::{
    audit::{self, AuditLog, Begun},
    backup_runs::BackupError,
    clock::ManualClock,
    store::{Database, DatabaseSettings},
};

fn log(directory: &Path) -> AuditLog {
    let database =
        Database::open(&directory.join("agent.db"), audit::MIGRATIONS, DatabaseSettings::default()).unwrap();
    AuditLog::new(database, Arc::new(ManualClock::new(Timestamp::constant(1_795_000_000, 0))))
}

fn refused() -> BackupError {
    BackupError::NobodyAsks(AppName::new("shop").unwrap())
}

async fn outcomes(log: &AuditLog) -> Vec<String> {
    log.entries(0, 10).await.unwrap().into_iter().map(|entry| entry.outcome).collect()
}

async fn begun(log: &AuditLog) -> Begun {
    log.begin(Deed::new("jane", "make-backup", "shop")).await.unwrap()
}

#[tokio::test]
async fn lines_come_first_and_then_the_end_which_is_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let answers = follow(begun(&log).await, telling(), |progress| async move {
        progress.say("database shop");
        progress.say("globals");
        Err(refused())
    });
    let told: Vec<_> = answers.collect().await;
    let lines: Vec<_> = told.iter().filter_map(|told| told.as_ref().ok()?.event.clone()).collect();
    assert_eq!(lines, ["database shop", "globals"].map(|line| Event::Progress(line.to_owned())));
    assert_eq!(errors::reason(told.last().unwrap().as_ref().unwrap_err()), "NO_BACKUPS");
    assert_eq!(outcomes(&log).await, ["started", "failed: NO_BACKUPS"]);
}

#[tokio::test]
async fn a_run_goes_on_when_its_caller_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let (go_on, wait) = oneshot::channel::<()>();
    let answers = follow(begun(&log).await, telling(), |progress| async move {
        wait.await.unwrap();
        // Nobody reads these, and more than fit are no hindrance.
        (0..LINES * 2).for_each(|line| progress.say(line.to_string()));
        Err(refused())
    });
    drop(answers);
    go_on.send(()).unwrap();
    let ended = async {
        while outcomes(&log).await != ["started", "failed: NO_BACKUPS"] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
}

#[test]
fn only_root_on_the_droplet_is_believed_that_its_time_had_come() {
    assert_eq!(cause(&Caller::LocalRoot, v1::BackupCause::Schedule), Cause::Schedule);
    assert_eq!(cause(&Caller::LocalRoot, v1::BackupCause::Unspecified), Cause::Manual);
    assert_eq!(cause(&Caller::LocalRoot, v1::BackupCause::Release), Cause::Manual);
}
