//! Backups and timers at the agent's door: who may, what is refused, and what is written down. What they do to databases is
//! tested with Docker.

use std::time::Duration;

use tidegate_proto::{
    grants::Role,
    status::RichError,
    v1::{
        AuditEntry, AuditLogRequest, BackupCause, BackupEvent, BackupsRequest, MakeBackupRequest,
        PruneBackupsRequest, ShowBackupRequest, TimersRequest, VerifyBackupRequest,
    },
};
use tonic::{Code, Response, Status, Streaming};

use crate::support::{agent::Agent, command, enrolled, fleet::Fleet, reason};

const ID: &str = "20261122T030000Z-4f2a91c0";

fn of_shop() -> MakeBackupRequest {
    MakeBackupRequest { app: "shop".to_owned(), cause: BackupCause::Schedule.into(), ..Default::default() }
}

/// How a run ended that has to fail.
async fn failure(begun: Result<Response<Streaming<BackupEvent>>, Status>) -> Status {
    let mut events = match begun {
        Ok(events) => events.into_inner(),
        Err(status) => return status,
    };
    loop {
        match events.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a run without an end"),
            Err(status) => return status,
        }
    }
}

async fn audited(fleet: &Fleet, agent: &Agent, action: &str) -> Vec<AuditEntry> {
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Viewer)).await;
    let request = AuditLogRequest { after: 0, limit: 0 };
    let mut answers = client.audit_log(request).await.unwrap().into_inner();
    let mut entries = Vec::new();
    while let Some(entry) = answers.message().await.unwrap() {
        if entry.action == action {
            entries.push(entry);
        }
    }
    entries
}

/// Waits for what a run that nobody follows writes down at its end.
async fn ended(fleet: &Fleet, agent: &Agent, action: &str) -> Vec<AuditEntry> {
    let waiting = async {
        loop {
            let entries = audited(fleet, agent, action).await;
            if entries.len() >= 2 {
                return entries;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap()
}

#[tokio::test]
async fn a_grant_for_another_app_opens_nothing() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user_of(Role::Admin, "blog")).await;
    let app = || "shop".to_owned();
    let refused = [
        client.make_backup(of_shop()).await.map(drop),
        client.verify_backup(VerifyBackupRequest { app: app(), ..Default::default() }).await.map(drop),
        client.backups(BackupsRequest { app: app(), ..Default::default() }).await.map(drop),
        client.show_backup(ShowBackupRequest { app: app(), id: ID.to_owned() }).await.map(drop),
        client.prune_backups(PruneBackupsRequest { app: app(), ..Default::default() }).await.map(drop),
        client.timers(TimersRequest { app: app() }).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(reason(&refused.unwrap_err()), (Code::PermissionDenied, "NOT_GRANTED".to_owned()));
    }
    assert!(audited(&fleet, &agent, "make-backup").await.is_empty());
}

#[tokio::test]
async fn an_app_that_is_not_here_has_no_backups() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Operator)).await;
    let app = || "shop".to_owned();
    let no_app = (Code::NotFound, "NO_APP".to_owned());
    assert_eq!(reason(&failure(client.make_backup(of_shop()).await).await), no_app);
    let latest = VerifyBackupRequest { app: app(), ..Default::default() };
    assert_eq!(reason(&failure(client.verify_backup(latest).await).await), no_app);
    let all = BackupsRequest { app: app(), ..Default::default() };
    assert_eq!(reason(&client.backups(all).await.unwrap_err()), no_app);
    let prune = PruneBackupsRequest { app: app(), ..Default::default() };
    assert_eq!(reason(&client.prune_backups(prune).await.unwrap_err()), no_app);
    let one = ShowBackupRequest { app: app(), id: ID.to_owned() };
    assert_eq!(client.show_backup(one).await.unwrap_err().code(), Code::NotFound);
    let wrong = ShowBackupRequest { app: app(), id: "yesterday".to_owned() };
    assert_eq!(reason(&client.show_backup(wrong).await.unwrap_err()).1, "BAD_FIELD");
    let wrong = VerifyBackupRequest { app: app(), id: "yesterday".to_owned(), ..Default::default() };
    assert_eq!(reason(&failure(client.verify_backup(wrong).await).await).1, "BAD_FIELD");
}

#[tokio::test]
async fn what_was_asked_for_is_written_down_to_its_end_when_the_caller_goes_away() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Deployer)).await;
    drop(client.make_backup(MakeBackupRequest { service: "db".to_owned(), ..of_shop() }).await.unwrap());
    drop(client);
    let entries = ended(&fleet, &agent, "make-backup").await;
    let told: Vec<_> = entries.iter().map(|entry| entry.outcome.as_str()).collect();
    assert_eq!(told, ["started", "failed: NO_APP"]);
    assert_eq!(entries[0].subject, "shop/db");
    // Nobody but the droplet's own timers is believed that the time had come.
    assert_eq!(entries[0].fields["cause"], "manual");
}

#[tokio::test]
async fn a_look_at_what_would_be_deleted_is_no_deed() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Operator)).await;
    let prune = |dry_run| PruneBackupsRequest { app: "shop".to_owned(), dry_run, ..Default::default() };
    client.prune_backups(prune(true)).await.unwrap_err();
    assert!(audited(&fleet, &agent, "prune-backups").await.is_empty());
    client.prune_backups(prune(false)).await.unwrap_err();
    let told = audited(&fleet, &agent, "prune-backups").await;
    let told: Vec<_> = told.iter().map(|entry| entry.outcome.as_str()).collect();
    assert_eq!(told, ["started", "failed: NO_APP"]);
}

#[tokio::test]
async fn what_the_timers_start_says_why_it_failed() {
    let fleet = Fleet::new("production");
    let (droplet, agent) = enrolled(&fleet).await;
    for (word, action) in [("backup", "make-backup"), ("verify", "verify-backup")] {
        let socket = droplet.socket();
        let ran = move || command(&socket, &[word, "--instance", "shop-db"]);
        let error = tokio::task::spawn_blocking(ran).await.unwrap().unwrap_err();
        assert!(error.contains("shop") && error.contains("cause: ") && error.contains("hint: "), "{error}");
        let entries = audited(&fleet, &agent, action).await;
        assert_eq!((entries[0].actor.as_str(), entries[0].subject.as_str()), ("local:root", "shop/db"));
        assert_eq!(entries.last().unwrap().outcome, "failed: NO_APP");
    }
    let entries = audited(&fleet, &agent, "make-backup").await;
    assert_eq!(entries[0].fields["cause"], "schedule");
}

/// Where systemd runs there are timers or none; elsewhere it is said that it does not answer.
#[tokio::test]
async fn timers_are_told_or_why_they_are_not() {
    let fleet = Fleet::new("production");
    let (droplet, agent) = enrolled(&fleet).await;
    fs_err::create_dir(droplet.path("units")).unwrap();
    let drop_in = droplet.path("units/tidegate-backup@shop-db.timer.d");
    fs_err::create_dir(&drop_in).unwrap();
    let text = "# Written by tidegate-agent; what is changed here is lost.\n[Timer]\nOnCalendar=daily\n";
    fs_err::write(drop_in.join("schedule.conf"), text).unwrap();
    let told = async |user, app: &str| {
        let mut client = fleet.dial(agent.address, &user).await;
        client.timers(TimersRequest { app: app.to_owned() }).await.map(Response::into_inner)
    };
    match told(fleet.user(Role::Viewer), "shop").await {
        Ok(answered) => {
            let timer = &answered.timers[0];
            assert_eq!(
                (timer.app.as_str(), timer.service.as_str(), timer.kind.as_str()),
                ("shop", "db", "backup")
            );
            assert_eq!((timer.schedule.as_str(), timer.result.as_str()), ("daily", "not loaded"));
            let of_blog = told(fleet.user_of(Role::Viewer, "blog"), "").await.unwrap();
            assert!(of_blog.timers.is_empty(), "{of_blog:?}");
        }
        Err(status) => {
            let error = RichError::from_status(&status);
            assert_eq!((error.code, error.reason.as_str()), (Code::Unavailable, "SYSTEMD"));
            assert!(error.cause.contains("D-Bus") && error.hint.contains("systemctl"), "{error:?}");
        }
    }
}
