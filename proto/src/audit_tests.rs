use proptest::prelude::*;

use super::*;

fn record(n: i64) -> Record {
    Record {
        at: Timestamp::from_second(1_790_000_000 + n).unwrap(),
        actor: "spiffe://shop.production/user/jane".to_owned(),
        action: "deploy".to_owned(),
        subject: "shop".to_owned(),
        outcome: "succeeded".to_owned(),
        fields: BTreeMap::from([("release".to_owned(), n.to_string()), ("a".to_owned(), "b".to_owned())]),
    }
}

fn log(length: i64) -> (Vec<AuditEntry>, Head) {
    let mut head = Head::EMPTY;
    let mut entries = Vec::new();
    for n in 0..length {
        let entry = seal(head, record(n));
        head = follow(head, &entry).unwrap();
        entries.push(entry);
    }
    (entries, head)
}

#[test]
fn a_sealed_log_verifies_from_any_point() {
    let (entries, head) = log(5);
    assert_eq!(verify(Head::EMPTY, &entries).unwrap(), head);
    let third = verify(Head::EMPTY, &entries[..3]).unwrap();
    assert_eq!(third.number, 3);
    assert_eq!(verify(third, &entries[3..]).unwrap(), head);
}

#[test]
fn the_bytes_never_change() {
    // A log on a droplet outlives the agent that wrote it: this value must stay as it is.
    let entry = seal(Head::EMPTY, record(0));
    assert_eq!(hex::encode(&entry.hash), GOLDEN);
}

const GOLDEN: &str = "74e1071953bfd7d8b30017a3b7af6048d30434f3cad6fe8d7b76e3ee398cb803";

type Change = fn(&mut AuditEntry);

#[test]
fn every_change_is_found_at_its_entry() {
    let changes: [(&str, Change); 10] = [
        ("actor", |entry| entry.actor.push('x')),
        ("action", |entry| entry.action = "look".to_owned()),
        ("subject", |entry| entry.subject.clear()),
        ("outcome", |entry| entry.outcome = "failed: 1".to_owned()),
        ("seconds", |entry| entry.at.as_mut().unwrap().seconds += 1),
        ("nanoseconds", |entry| entry.at.as_mut().unwrap().nanos += 1),
        ("a field's value", |entry| {
            entry.fields.insert("a".to_owned(), "c".to_owned());
        }),
        ("a field more", |entry| {
            entry.fields.insert("z".to_owned(), String::new());
        }),
        ("a field less", |entry| {
            entry.fields.remove("a");
        }),
        ("hash", |entry| entry.hash[0] ^= 1),
    ];
    for (what, change) in changes {
        let (mut entries, _) = log(4);
        change(&mut entries[2]);
        assert_eq!(verify(Head::EMPTY, &entries), Err(ChainError::Content { number: 3 }), "{what}");
    }
}

#[test]
fn text_moved_between_fields_is_found() {
    let (mut entries, _) = log(1);
    entries[0].action = "deplo".to_owned();
    entries[0].subject = "yshop".to_owned();
    assert_eq!(verify(Head::EMPTY, &entries), Err(ChainError::Content { number: 1 }));
}

#[test]
fn removed_reordered_and_rewritten_entries_are_found() {
    let (mut entries, _) = log(4);
    entries.remove(1);
    assert_eq!(verify(Head::EMPTY, &entries), Err(ChainError::Number { expected: 2, found: 3 }));
    let (mut entries, _) = log(4);
    entries.swap(1, 2);
    assert_eq!(verify(Head::EMPTY, &entries), Err(ChainError::Number { expected: 2, found: 3 }));
    // Rewritten with a valid hash of its own: the next one tells.
    let (mut entries, _) = log(4);
    let before = verify(Head::EMPTY, &entries[..1]).unwrap();
    entries[1] = seal(before, record(99));
    assert_eq!(verify(Head::EMPTY, &entries), Err(ChainError::Link { number: 3 }));
    let (mut entries, _) = log(1);
    entries[0].at = None;
    assert_eq!(verify(Head::EMPTY, &entries), Err(ChainError::Time { number: 1 }));
}

#[test]
fn a_remembered_head_tells_a_cut_or_replaced_log() {
    let (entries, head) = log(4);
    let third = verify(Head::EMPTY, &entries[..3]).unwrap();
    assert!(extends(third, head, Some(&entries[2].hash)).is_ok());
    assert!(extends(Head::EMPTY, head, None).is_ok());
    assert!(matches!(extends(head, third, None), Err(ChainError::Cut { expected: 4, found: 3 })));
    assert!(matches!(extends(third, head, Some(&entries[1].hash)), Err(ChainError::Link { number: 3 })));
    assert!(extends(third, head, None).is_err());
}

proptest! {
    #[test]
    fn any_record_seals_and_verifies(
        actor in ".{0,40}",
        fields in proptest::collection::btree_map(".{0,10}", ".{0,10}", 0..5),
        milliseconds in -10_000_000_000_000_i64..10_000_000_000_000,
    ) {
        let at = Timestamp::from_millisecond(milliseconds).unwrap();
        let entry = seal(Head::EMPTY, Record { at, actor, fields, ..record(0) });
        prop_assert_eq!(verify(Head::EMPTY, [&entry]).unwrap().number, 1);
    }
}
