//! When our timers elapse: what systemd has loaded beside what stands in their drop-ins. Pure.

use std::collections::BTreeMap;

use super::{Found, Present, TimerUnit};
use crate::systemd::TimerStatus;

/// One of our timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub unit: TimerUnit,
    /// The `OnCalendar` of its drop-in; none where that is not ours.
    pub schedule: Option<String>,
    /// What systemd tells; none where it has not loaded it, so that it never elapses.
    pub status: Option<TimerStatus>,
}

/// All of ours, in the order of their names. Other units are passed over.
pub fn due(loaded: Vec<TimerStatus>, present: &Present) -> Vec<Due> {
    let ours = loaded.into_iter().filter_map(|status| Some((TimerUnit::parse_timer(&status.unit)?, status)));
    let mut loaded: BTreeMap<TimerUnit, TimerStatus> = ours.collect();
    let written = present.iter().filter(|(_, found)| matches!(found, Found::Ours(_)));
    let mut all: Vec<Due> = written
        .map(|(unit, found)| Due {
            unit: unit.clone(),
            schedule: found.schedule().map(str::to_owned),
            status: loaded.remove(unit),
        })
        .collect();
    all.extend(loaded.into_iter().map(|(unit, status)| Due { unit, schedule: None, status: Some(status) }));
    all.sort_by(|one, other| one.unit.cmp(&other.unit));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> TimerUnit {
        TimerUnit::parse_timer(&format!("{name}.timer")).unwrap()
    }

    fn status(name: &str) -> TimerStatus {
        TimerStatus {
            unit: format!("{name}.timer"),
            state: "active".to_owned(),
            next: None,
            last: None,
            result: "success".to_owned(),
        }
    }

    #[test]
    fn what_is_loaded_and_what_is_written_come_together() {
        let ours = Found::Ours("# x\n[Timer]\nOnCalendar=*-*-* 03:00\nRandomizedDelaySec=300s\n".to_owned());
        let present = Present::from([
            (unit("tidegate-backup@shop-db"), ours.clone()),
            (unit("tidegate-backup@shop-stock"), ours),
            (unit("tidegate-verify@shop-db"), Found::Foreign),
            (unit("tidegate-verify@blog-db"), Found::Leftover),
        ]);
        let loaded = ["tidegate-verify@shop-db", "tidegate-backup@shop-db", "apt-daily"].map(status).to_vec();
        let told: Vec<_> = due(loaded, &present)
            .into_iter()
            .map(|due| (due.unit.to_string(), due.schedule, due.status.is_some()))
            .collect();
        let at_three = || Some("*-*-* 03:00".to_owned());
        assert_eq!(
            told,
            [
                ("tidegate-backup@shop-db".to_owned(), at_three(), true),
                ("tidegate-backup@shop-stock".to_owned(), at_three(), false),
                ("tidegate-verify@shop-db".to_owned(), None, true),
            ]
        );
    }
}
