//! The rules by example.

use std::time::Duration;

use jiff::SignedDuration;
use tidegate_proto::v1::{
    self, AlertCommand, AlertReceiver, AlertSeverity, SetAlertsRequest, alert_receiver::Kind,
};

use super::*;

pub(super) const NOON: &str = "2026-11-23T12:00:00Z";

pub(super) fn settings(least: &[AlertSeverity], quiet: Option<(&str, &str)>) -> AlertSettings {
    let receivers = least.iter().enumerate().map(|(number, least)| AlertReceiver {
        name: format!("r{number}"),
        least: (*least).into(),
        kind: Some(Kind::Command(AlertCommand { command: vec!["true".to_owned()] })),
    });
    let quiet = quiet.map(|(from, to)| v1::QuietHours {
        from: from.to_owned(),
        to: to.to_owned(),
        zone: String::new(),
    });
    SetAlertsRequest {
        receivers: receivers.collect(),
        repeat: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
        quiet,
        droplet: "web-1".to_owned(),
        ..SetAlertsRequest::default()
    }
    .try_into()
    .unwrap()
}

pub(super) fn report(at: Timestamp, checks: &[(&str, Level)]) -> Report {
    let check = |(id, level): &(&str, Level)| Check {
        id: CheckId::host(*id),
        level: *level,
        since: at,
        what: format!("the {id}"),
        why: format!("is {}", level.word()),
        hint: String::new(),
    };
    Report { at, checks: checks.iter().map(check).collect() }
}

/// Receivers, what they were told, and what time it is.
struct Desk {
    settings: AlertSettings,
    book: Book,
    now: Timestamp,
}

impl Desk {
    fn new(least: &[AlertSeverity], quiet: Option<(&str, &str)>) -> Self {
        Self { settings: settings(least, quiet), book: Book::new(), now: NOON.parse().unwrap() }
    }

    /// So many minutes later it stands so; what the first receiver is told.
    fn look(&mut self, minutes: i64, checks: &[(&str, Level)]) -> String {
        self.all(minutes, checks).into_iter().next().unwrap()
    }

    fn all(&mut self, minutes: i64, checks: &[(&str, Level)]) -> Vec<String> {
        self.now = self.now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        let planned = plan(&report(self.now, checks), &self.book, &self.settings, self.now);
        self.book = planned.book;
        let words = |receiver: &Receiver| {
            let news = planned.news.iter().find(|(name, _)| *name == receiver.name);
            let Some((_, news)) = news else { return String::new() };
            let sections = [("firing", &news.firing), ("still", &news.still), ("resolved", &news.resolved)];
            let of = |(section, items): &(&str, &Vec<Item>)| {
                let item = |item: &Item| format!("{section} {} {}", item.level.word(), item.id);
                items.iter().map(item).collect::<Vec<_>>()
            };
            sections.iter().flat_map(of).collect::<Vec<_>>().join(", ")
        };
        self.settings.receivers.iter().map(words).collect()
    }
}

use AlertSeverity::{Critical as OnlyCritical, Warning as All};
use Level::{Critical, Good, Unknown, Warning};

#[test]
fn a_finding_begins_goes_on_and_ends() {
    let mut desk = Desk::new(&[All], None);
    assert_eq!(desk.look(0, &[("disk", Good)]), "");
    assert_eq!(
        desk.look(1, &[("disk", Warning), ("cpu", Unknown)]),
        "firing unknown host.cpu, firing warning host.disk"
    );
    assert_eq!(desk.look(1, &[("disk", Warning), ("cpu", Unknown)]), "");
    assert_eq!(desk.look(58, &[("disk", Warning), ("cpu", Warning)]), "");
    assert_eq!(
        desk.look(1, &[("disk", Warning), ("cpu", Good)]),
        "still warning host.disk, resolved unknown host.cpu"
    );
    assert_eq!(desk.look(1, &[("disk", Critical)]), "firing critical host.disk");
    assert_eq!(desk.look(1, &[]), "resolved critical host.disk", "it is gone");
    assert_eq!(desk.look(1, &[]), "");
    assert!(desk.book.is_empty());
}

#[test]
fn what_eased_is_told_with_something_else_or_at_the_repeat() {
    let mut desk = Desk::new(&[All], None);
    desk.look(0, &[("disk", Critical)]);
    assert_eq!(desk.look(1, &[("disk", Warning)]), "");
    assert_eq!(desk.look(1, &[("disk", Critical)]), "", "nobody was told that it eased");
    assert_eq!(
        desk.look(1, &[("disk", Warning), ("cpu", Warning)]),
        "firing warning host.cpu, still warning host.disk"
    );
    assert_eq!(desk.look(1, &[("disk", Critical), ("cpu", Warning)]), "firing critical host.disk");
    assert_eq!(desk.look(1, &[("disk", Warning), ("cpu", Warning)]), "");
    assert_eq!(
        desk.look(59, &[("disk", Warning), ("cpu", Good)]),
        "still warning host.disk, resolved warning host.cpu"
    );
}

#[test]
fn who_wants_what_is_critical_hears_that_to_its_end_and_nothing_else() {
    let mut desk = Desk::new(&[OnlyCritical], None);
    assert_eq!(desk.look(0, &[("disk", Warning), ("cpu", Unknown)]), "");
    assert_eq!(desk.look(1, &[("disk", Critical), ("cpu", Unknown)]), "firing critical host.disk");
    assert_eq!(desk.look(60, &[("disk", Warning), ("cpu", Unknown)]), "still warning host.disk");
    assert_eq!(desk.look(60, &[("disk", Warning), ("cpu", Unknown)]), "still warning host.disk");
    assert_eq!(desk.look(1, &[("disk", Good), ("cpu", Good)]), "resolved warning host.disk");
}

#[test]
fn warnings_wait_in_quiet_hours_and_what_is_critical_does_not() {
    let mut desk = Desk::new(&[All], Some(("13:00", "15:00")));
    assert_eq!(
        desk.look(0, &[("disk", Warning), ("load", Critical)]),
        "firing warning host.disk, firing critical host.load"
    );
    // 13:00
    assert_eq!(
        desk.look(60, &[("disk", Warning), ("load", Critical), ("cpu", Warning)]),
        "still critical host.load"
    );
    assert_eq!(desk.look(1, &[("disk", Good), ("cpu", Good), ("load", Good)]), "resolved critical host.load");
    assert_eq!(desk.look(1, &[("clock", Warning), ("units", Warning)]), "");
    assert_eq!(desk.look(1, &[("clock", Warning), ("units", Critical)]), "firing critical host.units");
    // 15:00: the end of the disk's is told, and what began; what ended meanwhile is not.
    assert_eq!(
        desk.look(117, &[("clock", Warning), ("units", Critical), ("cpu", Good)]),
        "firing warning host.clock, still critical host.units, resolved warning host.disk"
    );
}

#[test]
fn receivers_are_told_by_themselves_and_new_ones_what_stands() {
    let mut desk = Desk::new(&[All], None);
    desk.look(0, &[("disk", Warning)]);
    desk.settings = settings(&[All, All, OnlyCritical], None);
    assert_eq!(desk.all(1, &[("disk", Warning)]), ["", "firing warning host.disk", ""]);
    desk.settings = settings(&[OnlyCritical], None);
    assert_eq!(desk.all(120, &[("disk", Warning)]), [""], "it is not for this one any more");
    assert_eq!(desk.all(1, &[]), ["resolved warning host.disk"], "but its end is");
    assert!(desk.book.is_empty(), "and who is gone is forgotten");
}

#[test]
fn a_clock_that_was_set_back_silences_nobody() {
    let mut desk = Desk::new(&[All], None);
    desk.look(0, &[("disk", Warning)]);
    assert_eq!(desk.look(-1000, &[("disk", Warning)]), "still warning host.disk");
    assert_eq!(desk.look(59, &[("disk", Warning)]), "");
    assert_eq!(desk.look(1, &[("disk", Warning)]), "still warning host.disk");
    assert_eq!(desk.settings.repeat, Duration::from_hours(1));
}
