//! From how everything stands, and what each receiver was told of it, to what each is told now. Pure.
//!
//! Owns the rules. Must not know how messages are worded, kept or sent. It goes by what stands and what was told, not by what
//! changed: a look that is missing loses nothing.
//!
//! # Rules, for each receiver by itself
//! - A finding of its severity that it was not told of, or not as this bad, is **firing**.
//! - One that goes on is **still** there when `repeat` has passed since it was told last.
//! - One that eased, from critical to a warning, is told as that with the next message that is sent anyway, at the latest when
//!   `repeat` has passed. That it is less bad is no reason to wake anybody.
//! - One that it was told of, and that is good or gone, is **resolved**. Nobody hears of the end of what they never heard of.
//! - In quiet hours warnings wait: their beginning, their repeats, and the end of what was told as a warning last. What began and
//!   ended meanwhile is never told. What is critical goes at once, and so does the end of what was told as critical last.
//! - A receiver of what is critical hears of a finding from its first critical message to its end, also while it is a warning
//!   in between. Where new settings give a receiver less to hear, what it was told of is repeated no more, and its end is told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    message::{Item, News},
    settings::{AlertSettings, Receiver, ReceiverName, Severity},
};
use crate::health::{Check, CheckId, Level, Report};

/// What a receiver was told of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// As how bad, last.
    pub level: Level,
    /// As how bad at most.
    pub worst: Severity,
    /// Since when it was so bad.
    pub since: Timestamp,
    /// What is checked.
    pub what: String,
    /// When it was told last.
    pub at: Timestamp,
}

/// What all receivers were told and do not know the end of.
pub type Book = BTreeMap<ReceiverName, BTreeMap<CheckId, Told>>;

/// What is told after a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To whom; who has nothing to hear is not there.
    pub news: Vec<(ReceiverName, News)>,
    /// What was told then.
    pub book: Book,
}

/// What is told after this look, at `now`. Receivers that the settings do not have are forgotten.
pub fn plan(report: &Report, book: &Book, settings: &AlertSettings, now: Timestamp) -> Plan {
    let findings: BTreeMap<&CheckId, &Check> = report
        .checks
        .iter()
        .filter(|check| check.level != Level::Good)
        .map(|check| (&check.id, check))
        .collect();
    let mut plan = Plan::default();
    for receiver in &settings.receivers {
        let told = book.get(&receiver.name).cloned().unwrap_or_default();
        let one = One { receiver, settings, now, told, news: News::default(), eased: Vec::new() };
        let (news, told) = one.plan(report, &findings);
        if !news.is_empty() {
            plan.news.push((receiver.name.clone(), news));
        }
        if !told.is_empty() {
            plan.book.insert(receiver.name.clone(), told);
        }
    }
    plan
}

struct One<'a> {
    receiver: &'a Receiver,
    settings: &'a AlertSettings,
    now: Timestamp,
    told: BTreeMap<CheckId, Told>,
    news: News,
    eased: Vec<&'a Check>,
}

/// What is to be done about a finding that a receiver was told of.
#[derive(PartialEq, Eq)]
enum Goes {
    Worse,
    Again,
    Easier,
    Nothing,
}

impl<'a> One<'a> {
    fn plan(
        mut self,
        report: &Report,
        findings: &BTreeMap<&CheckId, &'a Check>,
    ) -> (News, BTreeMap<CheckId, Told>) {
        for check in findings.values() {
            self.finding(check);
        }
        let ended: BTreeSet<CheckId> =
            self.told.keys().filter(|id| !findings.contains_key(id)).cloned().collect();
        for id in ended {
            self.end(&id, report);
        }
        if !self.news.is_empty() {
            for check in std::mem::take(&mut self.eased) {
                self.news.still.push(item(check));
                self.note(check);
            }
        }
        (self.news, self.told)
    }

    fn waits(&self, severity: Severity) -> bool {
        let is_quiet = || self.settings.quiet.as_ref().is_some_and(|quiet| quiet.contains(self.now));
        severity == Severity::Warning && is_quiet()
    }

    fn finding(&mut self, check: &'a Check) {
        let Some(severity) = Severity::of(check.level) else { return };
        let Some(told) = self.told.get(&check.id) else {
            if severity >= self.receiver.least && !self.waits(severity) {
                self.news.firing.push(item(check));
                self.note(check);
            }
            return;
        };
        match self.goes(told, severity) {
            Goes::Worse => self.news.firing.push(item(check)),
            Goes::Again => self.news.still.push(item(check)),
            Goes::Easier => return self.eased.push(check),
            Goes::Nothing => return,
        }
        self.note(check);
    }

    fn goes(&self, told: &Told, severity: Severity) -> Goes {
        let before = Severity::of(told.level).unwrap_or(Severity::Warning);
        if severity > before {
            return Goes::Worse;
        }
        if told.worst.max(severity) < self.receiver.least {
            return Goes::Nothing;
        }
        if self.is_due(told) && !self.waits(severity) {
            Goes::Again
        } else if severity < before {
            Goes::Easier
        } else {
            Goes::Nothing
        }
    }

    /// What was told in the future, before the clock was set back, is told again too.
    fn is_due(&self, told: &Told) -> bool {
        let since = self.now.duration_since(told.at);
        since.is_negative() || since.unsigned_abs() >= self.settings.repeat
    }

    fn end(&mut self, id: &CheckId, report: &Report) {
        let Some(told) = self.told.get(id) else { return };
        if self.waits(Severity::of(told.level).unwrap_or(Severity::Warning)) {
            return;
        }
        let now = report.checks.iter().find(|check| check.id == *id);
        self.news.resolved.push(Item {
            id: id.to_string(),
            level: told.level,
            since: told.since,
            what: told.what.clone(),
            why: now.map_or_else(|| "is not there any more".to_owned(), |check| check.why.clone()),
            hint: String::new(),
        });
        self.told.remove(id);
    }

    fn note(&mut self, check: &Check) {
        let severity = Severity::of(check.level).unwrap_or(Severity::Warning);
        let worst = self.told.get(&check.id).map_or(severity, |told| told.worst.max(severity));
        let told =
            Told { level: check.level, worst, since: check.since, what: check.what.clone(), at: self.now };
        self.told.insert(check.id.clone(), told);
    }
}

fn item(check: &Check) -> Item {
    Item {
        id: check.id.to_string(),
        level: check.level,
        since: check.since,
        what: check.what.clone(),
        why: check.why.clone(),
        hint: check.hint.clone(),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
