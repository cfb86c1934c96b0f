//! What holds whatever happens: random looks, with gaps, by random receivers.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use tidegate_proto::v1::AlertSeverity;

use super::{
    tests::{NOON, report, settings},
    *,
};

const CHECKS: [&str; 3] = ["cpu", "disk", "load"];
const LEVELS: [Level; 4] = [Level::Good, Level::Unknown, Level::Warning, Level::Critical];

/// Minutes since the look before, and how each check stands; none: it is gone.
type Look = (i64, [Option<Level>; 3]);

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let level = || prop_oneof![1 => Just(None), 6 => proptest::sample::select(&LEVELS[..]).prop_map(Some)];
    let minutes = prop_oneof![8 => 1_i64..5, 2 => 5_i64..300];
    prop::collection::vec((minutes, [level(), level(), level()]), 1..60)
}

fn receivers() -> impl Strategy<Value = AlertSettings> {
    let least = proptest::sample::select(&[AlertSeverity::Warning, AlertSeverity::Critical][..]);
    let quiet = prop::option::of((0_u8..24, 0_u8..24).prop_filter("not empty", |(from, to)| from != to));
    (prop::collection::vec(least, 1..3), quiet).prop_map(|(least, quiet)| {
        let hours = quiet.map(|(from, to)| (format!("{from:02}:00"), format!("{to:02}:00")));
        settings(&least, hours.as_ref().map(|(from, to)| (from.as_str(), to.as_str())))
    })
}

fn checks(levels: [Option<Level>; 3]) -> Vec<(&'static str, Level)> {
    CHECKS.into_iter().zip(levels).filter_map(|(id, level)| Some((id, level?))).collect()
}

/// What one receiver knows, from what it heard alone.
#[derive(Default)]
struct Ear {
    /// Findings without an end, when each was heard of last, and whether ever as critical.
    open: BTreeMap<String, (Timestamp, bool)>,
}

impl Ear {
    fn hear(&mut self, news: &News, receiver: &Receiver, now: Timestamp) -> Result<(), TestCaseError> {
        let mut seen = BTreeSet::new();
        for item in news.firing.iter().chain(&news.still).chain(&news.resolved) {
            prop_assert!(seen.insert(item.id.clone()), "{} is told twice in one message", item.id);
        }
        for item in &news.firing {
            let is_critical = item.level == Level::Critical;
            prop_assert!(receiver.least == Severity::Warning || is_critical, "{item:?}");
            let was = self.open.get(&item.id).is_some_and(|(_, critical)| *critical);
            self.open.insert(item.id.clone(), (now, is_critical || was));
        }
        for item in &news.still {
            let known = self.open.get_mut(&item.id);
            prop_assert!(known.is_some(), "still of what was never told: {item:?}");
            if let Some((last, was_critical)) = known {
                prop_assert!(receiver.least == Severity::Warning || *was_critical, "{item:?}");
                *last = now;
            }
        }
        for item in &news.resolved {
            prop_assert!(self.open.remove(&item.id).is_some(), "the end of what was never told: {item:?}");
        }
        Ok(())
    }
}

fn run(settings: &AlertSettings, looks: &[Look]) -> Result<(Vec<Ear>, Book, Timestamp), TestCaseError> {
    let mut now: Timestamp = NOON.parse().unwrap();
    let mut book = Book::new();
    let mut ears: Vec<Ear> = settings.receivers.iter().map(|_| Ear::default()).collect();
    for (minutes, levels) in looks {
        now = now.checked_add(SignedDuration::from_mins(*minutes)).unwrap();
        let planned = plan(&report(now, &checks(*levels)), &book, settings, now);
        book = planned.book;
        for (receiver, ear) in settings.receivers.iter().zip(&mut ears) {
            if let Some((_, news)) = planned.news.iter().find(|(name, _)| *name == receiver.name) {
                prop_assert!(!news.is_empty());
                ear.hear(news, receiver, now)?;
            }
            let known = book.get(&receiver.name).into_iter().flatten().map(|(id, _)| id.to_string());
            prop_assert_eq!(
                known.collect::<BTreeSet<_>>(),
                ear.open.keys().cloned().collect::<BTreeSet<_>>()
            );
        }
    }
    Ok((ears, book, now))
}

fn quiet(settings: &AlertSettings, now: Timestamp) -> bool {
    settings.quiet.as_ref().is_some_and(|quiet| quiet.contains(now))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Nobody hears the end of what they never heard of; all that was heard of ends once everything is good.
    #[test]
    fn every_beginning_has_its_end(settings in receivers(), looks in looks()) {
        let (mut ears, mut book, mut now) = run(&settings, &looks)?;
        // A day in which all is good: no quiet hours last that long.
        for _ in 0..24 {
            now = now.checked_add(SignedDuration::from_hours(1)).unwrap();
            let planned = plan(&report(now, &[]), &book, &settings, now);
            book = planned.book;
            for (receiver, ear) in settings.receivers.iter().zip(&mut ears) {
                for (_, news) in planned.news.iter().filter(|(name, _)| *name == receiver.name) {
                    prop_assert!(news.firing.is_empty() && news.still.is_empty());
                    ear.hear(news, receiver, now)?;
                }
            }
        }
        prop_assert!(book.is_empty(), "{book:?}");
        for ear in ears {
            prop_assert!(ear.open.is_empty(), "{:?}", ear.open);
        }
    }

    /// What stands is told once, and once for each `repeat` that passes, but for warnings in quiet hours.
    #[test]
    fn what_stands_is_told_once_per_repeat(
        settings in receivers(),
        before in looks(),
        level in proptest::sample::select(&LEVELS[1..]),
        minutes in 1_i64..6,
    ) {
        let (_, mut book, mut now) = run(&settings, &before)?;
        let mut told: BTreeMap<ReceiverName, Vec<Timestamp>> = BTreeMap::new();
        let begun = now;
        for _ in 0..(24 * 60 / minutes) {
            now = now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
            let planned = plan(&report(now, &[("disk", level)]), &book, &settings, now);
            book = planned.book;
            for (name, news) in planned.news {
                let ours = news.firing.iter().chain(&news.still).filter(|item| item.id == "host.disk").count();
                prop_assert!(ours <= 1);
                // Others end in the first minutes; what eased may go along with that.
                if ours == 1 && (news.resolved.is_empty() || now.duration_since(begun).as_mins() > 6) {
                    told.entry(name).or_default().push(now);
                }
            }
        }
        let severity = Severity::of(level).unwrap();
        let repeat = settings.repeat.as_secs();
        let gap = Duration::from_mins(u64::try_from(minutes).unwrap()).as_secs();
        for receiver in &settings.receivers {
            let times = told.get(&receiver.name).cloned().unwrap_or_default();
            for pair in times.windows(2) {
                let apart = pair[1].duration_since(pair[0]).unsigned_abs().as_secs();
                prop_assert!(apart >= repeat, "{pair:?}");
                let free = severity == Severity::Critical || settings.quiet.is_none();
                prop_assert!(!free || apart < repeat + gap, "{pair:?}");
            }
            for time in &times {
                prop_assert!(severity == Severity::Critical || !quiet(&settings, *time), "told in quiet hours");
            }
            if severity >= receiver.least {
                prop_assert!(!times.is_empty(), "a day without a word");
            }
        }
    }

    /// A look that is missing changes what is known only until the next one.
    #[test]
    fn looks_that_are_missing_lose_nothing(
        mut settings in receivers(),
        looks in looks(),
        keep in prop::collection::vec(any::<bool>(), 60),
        last in proptest::sample::select(&[Level::Good, Level::Warning, Level::Critical][..]),
    ) {
        settings.quiet = None;
        let last = (400, [Some(last), Some(Level::Good), None]);
        let mut some: Vec<Look> = Vec::new();
        let mut skipped = 0;
        for (look, keep) in looks.iter().zip(&keep) {
            if *keep {
                some.push((look.0 + std::mem::take(&mut skipped), look.1));
            } else {
                skipped += look.0;
            }
        }
        let all = [looks.as_slice(), &[last]].concat();
        some.push((last.0 + skipped, last.1));
        let (_, one, _) = run(&settings, &all)?;
        let (_, other, _) = run(&settings, &some)?;
        for receiver in &settings.receivers {
            let known = |book: &Book| {
                let told = book.get(&receiver.name).into_iter().flatten();
                told.map(|(id, told)| (id.to_string(), told.level)).collect::<Vec<_>>()
            };
            // Who heard nothing while it was critical does not hear that it is a warning.
            if receiver.least == Severity::Warning {
                prop_assert_eq!(known(&one), known(&other));
            }
        }
    }
}
