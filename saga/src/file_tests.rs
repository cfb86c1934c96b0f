use super::*;
use crate::{NodeFailure, NodeName, NodePlan, Outcome, State};
use serde_json::json;
use std::collections::BTreeSet;

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn records() -> Vec<Record> {
    vec![
        Record::SagaStarted {
            saga: "up".into(),
            nodes: vec![NodePlan { name: name("ssh key"), after: vec![] }],
            pivot: None,
            params: json!({"fleet": "shöp"}),
        },
        Record::NodeStarted { node: name("ssh key") },
        Record::NodeFailed { node: name("ssh key"), failure: NodeFailure::new("no\nroute") },
        Record::UndoStarted { node: name("ssh key") },
        Record::UndoFinished { node: name("ssh key") },
        Record::SagaFinished { outcome: Outcome::Undone },
    ]
}

fn written(path: &Path) {
    let journal = FileJournal::new(path);
    let (generation, before) = journal.claim_now().unwrap();
    assert!(before.is_empty());
    for record in records() {
        journal.append_now(generation, &record).unwrap();
    }
}

#[tokio::test]
async fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    assert!(FileJournal::new(&path).load().await.unwrap().is_empty());
    written(&path);
    assert_eq!(FileJournal::new(&path).load().await.unwrap(), records());
    let (generation, read) = FileJournal::new(&path).claim().await.unwrap();
    assert_eq!((generation.number(), read), (2, records()));
}

#[test]
fn the_format_of_version_1_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    written(&path);
    assert_eq!(fs_err::read_to_string(&path).unwrap(), include_str!("file_golden.txt"));
}

#[test]
fn cut_at_every_byte_it_holds_a_prefix_and_takes_more() {
    let folder = tempfile::tempdir().unwrap();
    let (path, cut) = (folder.path().join("journal"), folder.path().join("cut"));
    written(&path);
    let bytes = fs_err::read(&path).unwrap();
    let mut seen = BTreeSet::new();
    for length in 0..bytes.len() {
        fs_err::write(&cut, &bytes[..length]).unwrap();
        let journal = FileJournal::new(&cut);
        let (generation, read) = journal.claim_now().unwrap();
        assert!(records().starts_with(&read), "at byte {length}");
        State::replay(&read).unwrap();
        seen.insert(read.len());
        let next = &records()[read.len()];
        journal.append_now(generation, next).unwrap();
        let after = FileJournal::new(&cut).load_now().unwrap();
        assert_eq!(after, records()[..=read.len()], "at byte {length}");
    }
    assert_eq!(seen.len(), records().len());
}

#[test]
fn a_torn_tail_of_rubbish_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    written(&path);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes.extend([0; 40]);
    fs_err::write(&path, &bytes).unwrap();
    assert_eq!(FileJournal::new(&path).claim_now().unwrap().1, records());
}

#[test]
fn any_changed_byte_before_the_last_line_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    written(&path);
    let bytes = fs_err::read(&path).unwrap();
    let last_line = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for at in 0..last_line {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs_err::write(&path, &changed).unwrap();
        let read = FileJournal::new(&path).load_now();
        assert!(matches!(read, Err(JournalError::Damaged { .. })), "byte {at}: {read:?}");
    }
}

#[test]
fn an_entry_of_a_later_version_is_not_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let json = r#"{"generation":1,"number":1,"entry":{"record":"node-dreamt"}}"#;
    let claim = r#"{"claim":1}"#;
    let text = format!("{HEADER}{} {claim}\n{} {json}\n", checksum(claim), checksum(json));
    fs_err::write(&path, &text).unwrap();
    let refused = FileJournal::new(&path).claim_now().unwrap_err();
    assert!(refused.to_string().contains("line 3"), "{refused}");
    assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
}

#[test]
fn who_was_superseded_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (old, new) = (FileJournal::new(&path), FileJournal::new(&path));
    let (first, _) = old.claim_now().unwrap();
    old.append_now(first, &records()[0]).unwrap();
    let (second, read) = new.claim_now().unwrap();
    assert_eq!(read.len(), 1);
    let refused = old.append_now(first, &records()[1]);
    assert!(matches!(refused, Err(JournalError::Superseded { .. })), "{refused:?}");
    new.append_now(second, &records()[1]).unwrap();
    assert_eq!(new.load_now().unwrap(), records()[..2]);
}
