use jiff::Timestamp;

use super::*;
use crate::{clock::ManualClock, store::DatabaseSettings};

fn open(directory: &std::path::Path) -> AuditLog {
    let database =
        Database::open(&directory.join("agent.db"), MIGRATIONS, DatabaseSettings::default()).unwrap();
    AuditLog::new(database, Arc::new(ManualClock::new(Timestamp::constant(1_795_000_000, 5))))
}

fn deed(subject: &str) -> Deed {
    Deed::new("spiffe://shop.production/user/jane", "exec-container", subject).with("program", "alembic")
}

async fn fill(log: &AuditLog) {
    for subject in ["shop/web", "shop/db", "shop/cache"] {
        let begun = log.begin(deed(subject)).await.unwrap();
        begun.with("exit", &3).end(Outcome::Failed("exit".to_owned())).await;
    }
}

#[tokio::test]
async fn deeds_are_told_in_order_with_their_ends_and_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path())).await;
    let log = open(directory.path());
    let head = log.verify().await.unwrap();
    assert_eq!((head.number, log.head().await.unwrap()), (6, head));
    let last = log.entries(4, 10).await.unwrap();
    let told: Vec<_> = last.iter().map(|entry| (entry.number, entry.outcome.as_str())).collect();
    assert_eq!(told, [(5, "started"), (6, "failed: exit")]);
    let fields = &last.last().unwrap().fields;
    assert_eq!(fields.get("started").map(String::as_str), Some("5"));
    assert_eq!(fields.get("program").map(String::as_str), Some("alembic"));
    assert_eq!(log.entries(u64::MAX, 10).await.unwrap(), []);
}

#[tokio::test]
async fn entries_cannot_be_changed_removed_or_slipped_in() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    fill(&log).await;
    for statement in [
        "UPDATE audit SET actor = 'nobody' WHERE number = 2",
        "DELETE FROM audit WHERE number = 6",
        "INSERT INTO audit SELECT 9, seconds, nanoseconds, actor, action, subject, outcome, fields, previous_hash, hash \
         FROM audit WHERE number = 1",
    ] {
        let refused = log.database.write(move |transaction| transaction.execute(statement, ())).await;
        assert!(matches!(refused, Err(DatabaseError::Statement(_))), "{statement}: {refused:?}");
    }
    assert_eq!(log.verify().await.unwrap().number, 6);
}

#[tokio::test]
async fn tampering_behind_the_agents_back_is_found() {
    for (tampering, expected) in [
        ("UPDATE audit SET actor = 'nobody' WHERE number = 2", "entry 2 "),
        ("UPDATE audit SET fields = '{}' WHERE number = 3", "entry 3 "),
        ("DELETE FROM audit WHERE number = 4", "entry 4"),
        ("UPDATE audit SET seconds = seconds + 1 WHERE number = 6", "entry 6 "),
    ] {
        let directory = tempfile::tempdir().unwrap();
        fill(&open(directory.path())).await;
        let connection = rusqlite::Connection::open(directory.path().join("agent.db")).unwrap();
        connection
            .execute_batch("DROP TRIGGER audit_keeps_its_entries; DROP TRIGGER audit_loses_no_entries;")
            .unwrap();
        connection.execute(tampering, ()).unwrap();
        drop(connection);
        let error = open(directory.path()).verify().await.unwrap_err();
        let AuditError::Chain(source) = error else { panic!("{tampering}: {error}") };
        assert!(source.to_string().contains(expected), "{tampering}: {source}");
    }
}
