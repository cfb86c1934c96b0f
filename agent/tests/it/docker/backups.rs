//! Backups of a real PostgreSQL that serves: made, verified, pruned, and what becomes of them when something goes wrong.

mod breaking;
mod buckets;
mod elsewhere;
mod mariadb;
mod redis;
mod restores;
pub mod site;
mod trouble;
mod versions;

use std::time::Duration;

use site::{Site, id_of, name, service};
use tidegate_agent::{
    backup::manifest::Content,
    backup_runs::{BackupError, BackupState, Cause, Make, Progress, Prune, PruneMode, Verify},
    scratch::SCRATCH_LABEL,
};
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_and_verified_and_told() {
    let site = Site::start(
        r#"checks: ["SELECT count(*) > 0 FROM pg_tables WHERE schemaname = 'public'"],
                databases: [shop, "it's | \"odd\""]"#,
    )
    .await;
    let (sender, mut lines) = mpsc::channel(100);
    let row = site.runs.make(Site::make(Cause::Manual), Progress::to(sender)).await.unwrap();
    let mut told = Vec::new();
    while let Ok(line) = lines.try_recv() {
        told.push(line);
    }
    assert!(told.iter().any(|line| line.starts_with("database shop: 3 tables, ")), "{told:?}");
    assert_eq!((row.state, row.actor.as_str(), row.tables, row.rows), (BackupState::Stored, "test", 4, 5302));
    assert_eq!((row.revision.as_deref(), row.failure.as_ref()), (Some("0009"), None));
    assert!(row.stored.get() > 0 && row.stored < row.plain, "{row:?}");
    assert_eq!(row.copies, [format!("directory {}", site.local().display())]);

    let shown = site.runs.show(&name("shop"), row.id).await.unwrap();
    let manifest = shown.manifest.unwrap();
    let databases: Vec<&str> = manifest
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::PostgresDump { database } => Some(database.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(databases, ["shop", "it's | \"odd\""]);
    assert_eq!((manifest.parts[2].name.as_str(), manifest.recipients.len()), ("globals.sql.zst.age", 1));
    assert_eq!((shown.copies.len(), shown.copies[0].damage.len()), (1, 0));
    let secrets = site.files().into_iter().filter(|file| {
        let bytes = fs_err::read(file).unwrap();
        bytes.windows(8).any(|window| window == b"a-secret")
            || bytes.windows(6).any(|window| window == b"orders")
    });
    assert_eq!(secrets.filter(|file| !file.ends_with("manifest")).count(), 0, "parts are not in clear");

    let verified = site.runs.verify(Site::verify(None), Progress::none()).await.unwrap();
    assert_eq!((verified.id, verified.state), (row.id, BackupState::Verified));
    assert!(verified.verified_at.is_some() && verified.verify_took.unwrap() > Duration::ZERO);
    assert!(site.scratches().await.is_empty(), "{SCRATCH_LABEL}");
    // The key is gone: nobody but the recipients opens it now.
    let again = site.runs.verify(Site::verify(Some(row.id)), Progress::none()).await.unwrap_err();
    assert!(matches!(again, BackupError::NoKey { verified_at: Some(_), .. }), "{again:?}");
    assert!(again.hint().contains("--identity FILE"), "{}", again.hint());
    let listing = site.runs.list(&name("shop"), None).await.unwrap();
    assert_eq!((listing.backups.len(), listing.orphans.len(), listing.unseen.len()), (1, 0, 0));
    assert_eq!((listing.backups[0].row.state, listing.backups[0].copies.len()), (BackupState::Verified, 1));

    // Two at once: one is made, the other is told who makes it.
    let other = Make { actor: "another".to_owned(), ..Site::make(Cause::Manual) };
    let (one, two) = tokio::join!(
        site.runs.make(Site::make(Cause::Manual), Progress::none()),
        site.runs.make(other, Progress::none())
    );
    let refused = [one.as_ref().err(), two.as_ref().err()].into_iter().flatten().collect::<Vec<_>>();
    assert!(matches!(refused.as_slice(), [BackupError::Busy { .. }]), "{one:?} {two:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_keeps_the_last_verified() {
    let site = Site::start("keep: { last: 1 }").await;
    let prune = |mode| Prune { app: name("shop"), service: None, mode };
    let first = site.make_one(Cause::Manual).await;
    site.runs.verify(Site::verify(Some(first)), Progress::none()).await.unwrap();
    let second = site.make_one(Cause::Manual).await;
    let third = site.make_one(Cause::Manual).await;
    // What is left of a run of the day before yesterday, and of one that may be going on somewhere.
    site.orphan("20261101T030000Z-00000001", Duration::from_hours(48));
    site.orphan("20261102T030000Z-00000002", Duration::from_hours(1));

    let shown = site.runs.prune(prune(PruneMode::Show)).await.unwrap();
    let [shown] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!(shown.goes.iter().map(id_of).collect::<Vec<_>>(), [second]);
    assert_eq!(shown.stays[0], (third, vec!["one of the newest".to_owned()]));
    assert_eq!(shown.stays[1], (first, vec!["newest verified".to_owned()]));
    assert_eq!((shown.orphans.len(), shown.deleted.backups.len()), (1, 0));
    assert_eq!(site.ids().await, [third, second, first], "nothing was deleted");

    let pruned = site.runs.prune(prune(PruneMode::Delete)).await.unwrap();
    assert_eq!((&pruned[0].deleted.backups, pruned[0].deleted.failures.len()), (&vec![second], 0));
    assert!(pruned[0].deleted.bytes.get() > 0);
    assert_eq!(site.ids().await, [third, first]);
    assert_eq!(site.runs.list(&name("shop"), None).await.unwrap().orphans.len(), 1, "the young one");

    // One that a schedule makes does that by itself; the verified one outlives it again.
    let fourth = site.make_one(Cause::Schedule).await;
    assert_eq!(site.ids().await, [fourth, first]);
    let listing = site.runs.list(&name("shop"), Some(&service("db"))).await.unwrap();
    assert!(
        listing.backups.iter().all(|listed| listed.copies.len() == 1 && listed.copies[0].damage.is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_part_is_found_and_never_called_verified() {
    let site = Site::start("checks: [\"SELECT count(*) > 0 FROM orders\"]").await;
    site.without_odd().await;
    let id = site.make_one(Cause::Manual).await;
    let part = site.file(id, "database-2.dump.zst.age");
    let whole = fs_err::read(&part).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs_err::write(&part, &flipped).unwrap();

    let error = site.runs.verify(Site::verify(None), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
    let failure = error.failure();
    assert!(failure.what.contains("database-2.dump.zst.age"), "{failure:?}");
    assert!(failure.cause.contains("is not what was stored"), "{failure:?}");
    let row = site.row(id).await;
    assert_eq!((row.state, row.verified_at, row.verify_failure), (BackupState::Stored, None, Some(failure)));
    assert!(site.scratches().await.is_empty());

    fs_err::write(&part, &whole[..middle]).unwrap();
    let listing = site.runs.list(&name("shop"), None).await.unwrap();
    assert!(
        listing.backups[0].copies[0].damage[0].starts_with("database-2.dump.zst.age has "),
        "{listing:?}"
    );
    let error = site.runs.verify(Site::verify(Some(id)), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::NoCopy { .. }), "{error:?}");

    // Nothing of it was the agent's doing: put right, it is verified.
    fs_err::write(&part, &whole).unwrap();
    let verified = site.runs.verify(Site::verify(None), Progress::none()).await.unwrap();
    assert_eq!((verified.state, verified.verify_failure), (BackupState::Verified, None));

    // A backup that holds what was there, where that is not what should be.
    site.sql("shop", "DELETE FROM orders").await;
    let empty = site.make_one(Cause::Manual).await;
    let verify = Verify { service: Some(service("db")), ..Site::verify(None) };
    let error = site.runs.verify(verify, Progress::none()).await.unwrap_err();
    assert!(
        matches!(&error, BackupError::Check { id, answer, .. } if (*id, answer.as_str()) == (empty, "f")),
        "{error:?}"
    );
    assert_eq!(site.row(empty).await.state, BackupState::Stored);
}
