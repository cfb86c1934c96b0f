//! Rows through a backup's life.

use super::*;
use crate::{
    apps::ReleaseNumber,
    backup::{ByteCount, sample},
    backup_runs::Cause,
    store::DatabaseSettings,
};

fn droplet(enrolment: &str) -> DropletFolder {
    DropletFolder {
        fleet: "shop".parse().unwrap(),
        environment: "production".parse().unwrap(),
        droplet: "7".parse().unwrap(),
        enrolment: enrolment.parse().unwrap(),
    }
}

fn row(id: &str) -> BackupRow {
    let id: BackupId = id.parse().unwrap();
    BackupRow {
        state: BackupState::Running,
        id,
        cause: Cause::Schedule,
        actor: "local:root".to_owned(),
        started_at: id.time(),
        finished_at: None,
        server_version: None,
        plain: ByteCount::default(),
        stored: ByteCount::default(),
        copies: Vec::new(),
        tables: 0,
        rows: 0,
        revision: None,
        release: ReleaseNumber::new(42),
        ..BackupRow::found(&sample::manifest(), Vec::new())
    }
}

fn key() -> SecretString {
    SecretString::from("AGE-SECRET-KEY-1OF-THE-TEST")
}

struct World {
    store: BackupStore,
    directory: tempfile::TempDir,
}

fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.db");
    let database = Database::open(&file, MIGRATIONS, DatabaseSettings::default()).unwrap();
    World { store: BackupStore::new(database), directory }
}

fn app() -> AppName {
    AppName::new("shop").unwrap()
}

fn later() -> Timestamp {
    "2026-11-22T04:00:00Z".parse().unwrap()
}

const ONE: &str = "20261120T030000Z-00000001";
const TWO: &str = "20261121T030000Z-00000002";

#[tokio::test]
async fn a_row_goes_from_running_to_verified_and_loses_its_key() {
    let World { store, directory: _directory } = world();
    let (mine, row) = (droplet("e1"), row(ONE));
    store.begin(&mine, &row, key()).await.unwrap();
    assert_eq!(store.rows(&mine, &app(), None).await.unwrap(), std::slice::from_ref(&row));
    assert_eq!(store.running().await.unwrap()[0].droplet, "shop/production/7-e1");
    assert!(store.begin(&mine, &row, key()).await.is_err(), "ids are not used twice");

    let facts = Facts::of(&sample::manifest(), vec!["directory /backups".to_owned()]);
    let partly = Failure::new("the bucket did not take it", "no such bucket");
    store.stored(row.id, &facts, (Some(&partly), later())).await.unwrap();
    let stored = store.row(&mine, &app(), row.id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.finished_at), (BackupState::Stored, Some(later())));
    assert_eq!((stored.tables, stored.rows, stored.copies.len()), (1, 3, 1));
    assert_eq!((stored.failure, stored.revision.as_deref()), (Some(partly), Some("0007")));
    assert_eq!(store.key(row.id).await.unwrap().unwrap().expose_secret(), key().expose_secret());

    let damaged = Failure::new("a part was changed", "");
    store.verify_failed(row.id, &damaged).await.unwrap();
    let failed = store.row(&mine, &app(), row.id).await.unwrap().unwrap();
    assert_eq!((failed.state, failed.verify_failure), (BackupState::Stored, Some(damaged)));
    assert!(store.key(row.id).await.unwrap().is_some());

    store.verified(row.id, (later(), Duration::from_millis(1500))).await.unwrap();
    let verified = store.row(&mine, &app(), row.id).await.unwrap().unwrap();
    assert_eq!((verified.state, verified.verify_failure), (BackupState::Verified, None));
    assert_eq!(
        (verified.verified_at, verified.verify_took),
        (Some(later()), Some(Duration::from_millis(1500)))
    );
    assert!(store.key(row.id).await.unwrap().is_none());
    store.forget(row.id).await.unwrap();
    assert_eq!(store.row(&mine, &app(), row.id).await.unwrap(), None);
}

#[tokio::test]
async fn what_has_ended_does_not_change_its_end() {
    let World { store, directory: _directory } = world();
    let (mine, row) = (droplet("e1"), row(ONE));
    store.begin(&mine, &row, key()).await.unwrap();
    store.forget(row.id).await.unwrap();
    assert_eq!(store.running().await.unwrap().len(), 1, "one that runs is not forgotten");
    let why = Failure::new("the server went away", "");
    store.failed(row.id, &why, later()).await.unwrap();
    store.stored(row.id, &Facts::of(&sample::manifest(), Vec::new()), (None, later())).await.unwrap();
    store.verified(row.id, (later(), Duration::ZERO)).await.unwrap();
    let failed = store.row(&mine, &app(), row.id).await.unwrap().unwrap();
    assert_eq!((failed.state, failed.failure), (BackupState::Failed, Some(why)));
    assert!(store.key(row.id).await.unwrap().is_none());
    assert!(store.running().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_copy_of_the_droplet_has_none_of_its_backups() {
    let World { store, directory: _directory } = world();
    store.begin(&droplet("e1"), &row(ONE), key()).await.unwrap();
    store.begin(&droplet("e2"), &row(TWO), key()).await.unwrap();
    let ids = |rows: Vec<BackupRow>| rows.into_iter().map(|row| row.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(store.rows(&droplet("e2"), &app(), None).await.unwrap()), [TWO]);
    let other = ServiceName::new("stock");
    assert!(store.rows(&droplet("e1"), &app(), Some(&other)).await.unwrap().is_empty());
    assert_eq!(store.row(&droplet("e2"), &app(), ONE.parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn an_erased_key_is_not_left_in_the_file() {
    let World { store, directory } = world();
    let (mine, row) = (droplet("e1"), row(ONE));
    store.begin(&mine, &row, key()).await.unwrap();
    store.stored(row.id, &Facts::of(&sample::manifest(), Vec::new()), (None, later())).await.unwrap();
    let file = directory.path().join("agent.db");
    let has_key = || {
        let bytes = fs_err::read(&file).unwrap();
        let key = key();
        bytes.windows(key.expose_secret().len()).any(|window| window == key.expose_secret().as_bytes())
    };
    let checkpoint = || {
        let connection = Connection::open(&file).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
    };
    checkpoint();
    assert!(has_key(), "the test looks at the right place");
    store.verified(row.id, (later(), Duration::ZERO)).await.unwrap();
    checkpoint();
    assert!(!has_key());
}
