//! What is remembered, and that it stays bounded.

use jiff::SignedDuration;
use uuid::Uuid;

use super::*;
use crate::{
    alerts::{
        message::{About, News},
        plan::Told,
        settings::Severity,
    },
    health::{CheckId, Level},
    store::DatabaseSettings,
};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn store() -> (tempfile::TempDir, AlertStore) {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let settings = DatabaseSettings { reserve_bytes: 0, ..DatabaseSettings::default() };
    let database = Database::open(&directory.path().join("agent.db"), MIGRATIONS, settings).unwrap();
    (directory, AlertStore::new(database))
}

fn at(seconds: i64) -> Timestamp {
    NOW.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn name(text: &str) -> ReceiverName {
    ReceiverName::new(text).unwrap()
}

fn message(number: u128) -> AlertMessage {
    let about = About { droplet: "web-1".into(), fleet: "shop".into(), environment: "production".into() };
    AlertMessage::new((Uuid::from_u128(number), NOW), &about, News::default())
}

fn book(receivers: &[&str]) -> Book {
    let told = Told {
        level: Level::Unknown,
        worst: Severity::Critical,
        since: at(-60),
        what: "disk /".to_owned(),
        at: NOW,
    };
    let findings = BTreeMap::from([(CheckId::host("disk"), told)]);
    receivers.iter().map(|receiver| (name(receiver), findings.clone())).collect()
}

async fn numbers(store: &AlertStore, receiver: &str) -> Vec<u128> {
    let mut found = Vec::new();
    while let Some(queued) = store.next(&name(receiver), NOW).await.unwrap() {
        found.push(queued.message.id.as_u128());
        store.delivered(&name(receiver), &queued, NOW).await.unwrap();
    }
    found
}

#[tokio::test]
async fn what_was_told_and_what_waits_come_back_in_order() {
    let (_directory, store) = store();
    let both = vec![(name("a"), message(1)), (name("b"), message(2)), (name("a"), message(3))];
    store.record(book(&["a", "b"]), both, NOW).await.unwrap();
    assert_eq!(store.book().await.unwrap(), book(&["a", "b"]));
    store.record(book(&["b"]), vec![(name("a"), message(4))], NOW).await.unwrap();
    assert_eq!(store.book().await.unwrap(), book(&["b"]));
    assert_eq!(numbers(&store, "a").await, [1, 3, 4]);
    assert_eq!(numbers(&store, "b").await, [2]);
    assert_eq!(numbers(&store, "c").await, [0_u128; 0]);
}

#[tokio::test]
async fn how_a_receiver_fares_is_told_until_a_message_arrives() {
    let (_directory, store) = store();
    let messages = vec![(name("a"), message(1)), (name("a"), message(2))];
    store.record(Book::new(), messages, NOW).await.unwrap();
    let state = async || store.receivers().await.unwrap().remove(&name("a")).unwrap();
    let waiting = ReceiverState { waiting: 2, next: Some(NOW), ..ReceiverState::default() };
    assert_eq!(state().await, waiting, "before the first try");
    let queued = store.next(&name("a"), NOW).await.unwrap().unwrap();
    for (failure, seconds) in [("first", 10), ("second", 30)] {
        let times = (at(seconds), at(seconds + 20));
        store.failed((&name("a"), queued.number), failure.to_owned(), times).await.unwrap();
    }
    let failing = Some((at(10), "second".to_owned()));
    assert_eq!(state().await, ReceiverState { next: Some(at(50)), failing, ..waiting.clone() });
    let queued = store.next(&name("a"), NOW).await.unwrap().unwrap();
    assert_eq!((queued.attempts, queued.next_try), (2, at(50)));
    store.delivered(&name("a"), &queued, at(60)).await.unwrap();
    let expected = ReceiverState { delivered: Some(at(60)), waiting: 1, ..waiting };
    assert_eq!(state().await, expected);
}

#[tokio::test]
async fn what_is_too_much_or_too_old_is_given_up_and_said_once() {
    let (_directory, store) = store();
    for number in 1..=203 {
        store.record(Book::new(), vec![(name("a"), message(number))], NOW).await.unwrap();
    }
    let first = store.next(&name("a"), NOW).await.unwrap().unwrap();
    assert_eq!((first.message.id.as_u128(), first.message.lost), (4, 3));
    assert_eq!(store.receivers().await.unwrap()[&name("a")].waiting, 200);
    // One more is lost while that one is under way: it is said in the next.
    store.record(Book::new(), vec![(name("a"), message(204))], NOW).await.unwrap();
    store.delivered(&name("a"), &first, NOW).await.unwrap();
    let later = at(3 * 86_400);
    store.record(Book::new(), vec![(name("a"), message(205))], later).await.unwrap();
    let next = store.next(&name("a"), later).await.unwrap().unwrap();
    assert_eq!((next.message.id.as_u128(), next.message.lost), (6, 2), "3 days are not too old");
    let later = at(3 * 86_400 + 1);
    let last = store.next(&name("a"), later).await.unwrap().unwrap();
    assert_eq!((last.message.id.as_u128(), last.message.lost), (205, 201));
    store.delivered(&name("a"), &last, later).await.unwrap();
    let state = store.receivers().await.unwrap().remove(&name("a")).unwrap();
    assert_eq!((state.waiting, state.lost), (0, 204));
    store.record(Book::new(), vec![(name("a"), message(206))], later).await.unwrap();
    assert_eq!(store.next(&name("a"), later).await.unwrap().unwrap().message.lost, 0);
}

#[tokio::test]
async fn who_is_no_receiver_any_more_is_forgotten() {
    let (_directory, store) = store();
    let messages = vec![(name("a"), message(1)), (name("b \"x\""), message(2))];
    store.record(book(&["a", "b \"x\""]), messages, NOW).await.unwrap();
    for (receiver, number) in [("a", 1), ("b \"x\"", 2)] {
        store.failed((&name(receiver), number), "no".to_owned(), (NOW, at(900))).await.unwrap();
    }
    store.keep_only(vec![name("b \"x\""), name("c")], Some(at(5))).await.unwrap();
    assert_eq!(store.book().await.unwrap(), book(&["b \"x\""]));
    assert_eq!(store.next(&name("a"), NOW).await.unwrap(), None);
    let kept = store.next(&name("b \"x\""), NOW).await.unwrap().unwrap();
    assert_eq!(kept.next_try, at(5), "it is tried at once");
    assert_eq!(store.receivers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_ping_is_remembered() {
    let (_directory, store) = store();
    assert_eq!(store.ping().await.unwrap(), PingState::default());
    store.pinged(NOW, None).await.unwrap();
    store.pinged(at(60), Some("no".to_owned())).await.unwrap();
    let state = PingState { answered: Some(NOW), failure: Some("no".to_owned()) };
    assert_eq!(store.ping().await.unwrap(), state);
    store.forget_ping().await.unwrap();
    assert_eq!(store.ping().await.unwrap(), PingState::default());
}
