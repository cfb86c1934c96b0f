//! Rate limits, per token: a number of requests per hour, a burst per minute, and few listings of ssh keys per minute.
//! Windows slide: every request expires by itself. Kept in memory only.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use crate::account::settings::Settings;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// What a request is, to the limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A listing of ssh keys, which has a limit of its own.
    KeyList,
    /// Anything else.
    Other,
}

/// How a token stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether the request may be answered.
    pub(super) verdict: Verdict,
    /// Requests allowed per hour.
    pub(super) limit: u32,
    /// Requests left.
    pub(super) remaining: u32,
    /// When the oldest request expires, in seconds since 1970.
    pub(super) reset: i64,
}

/// Whether a request may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may.
    Pass,
    /// The hour is used up.
    HourUsedUp,
    /// Too many at once; there will be room after so long.
    TooFast(Duration),
}

/// The windows of all tokens. A request without a valid token counts under `None`.
#[derive(Debug, Default)]
pub(super) struct Limits {
    windows: BTreeMap<Option<usize>, Windows>,
}

#[derive(Debug, Default)]
struct Windows {
    requests: VecDeque<Timestamp>,
    key_lists: VecDeque<Timestamp>,
}

impl Limits {
    /// Counts a request, unless it is refused.
    pub(super) fn count(
        &mut self,
        token: Option<usize>,
        kind: Kind,
        now: Timestamp,
        settings: &Settings,
    ) -> Standing {
        let windows = self.windows.entry(token).or_default();
        drop_expired(&mut windows.requests, HOUR, now);
        drop_expired(&mut windows.key_lists, MINUTE, now);
        let burst = room_after(&windows.requests, settings.burst_limit, now);
        let keys = match kind {
            Kind::KeyList => room_after(&windows.key_lists, settings.key_list_limit, now),
            Kind::Other => None,
        };
        let verdict = if windows.requests.len() >= as_len(settings.hourly_limit) {
            Verdict::HourUsedUp
        } else if let Some(wait) = burst.max(keys) {
            Verdict::TooFast(wait)
        } else {
            windows.requests.push_back(now);
            if kind == Kind::KeyList {
                windows.key_lists.push_back(now);
            }
            Verdict::Pass
        };
        let used = u32::try_from(windows.requests.len()).unwrap_or(u32::MAX);
        let remaining = match verdict {
            Verdict::Pass => settings.hourly_limit.saturating_sub(used),
            Verdict::HourUsedUp | Verdict::TooFast(_) => 0,
        };
        let oldest = windows.requests.front().copied().unwrap_or(now);
        let reset = oldest.saturating_add(HOUR).unwrap_or(Timestamp::MAX).as_second();
        Standing { verdict, limit: settings.hourly_limit, remaining, reset }
    }
}

fn as_len(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn drop_expired(window: &mut VecDeque<Timestamp>, life: Duration, now: Timestamp) {
    while window.front().is_some_and(|request| age(*request, now) >= life) {
        window.pop_front();
    }
}

fn age(request: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(request)).unwrap_or_default()
}

/// How long until fewer than `limit` requests lie in the last minute; `None` if that is so now.
fn room_after(window: &VecDeque<Timestamp>, limit: u32, now: Timestamp) -> Option<Duration> {
    // The request that has to leave the minute is the one `limit` places from the end.
    let place = window.len().checked_sub(as_len(limit).max(1))?;
    let wait = MINUTE.checked_sub(age(*window.get(place)?, now))?;
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn after(seconds: u64) -> Timestamp {
        start() + Duration::from_secs(seconds)
    }

    fn settings() -> Settings {
        Settings { hourly_limit: 5, burst_limit: 3, key_list_limit: 1, ..Settings::default() }
    }

    #[test]
    fn a_burst_is_stopped_and_told_when_to_come_back() {
        let mut limits = Limits::default();
        for second in 0..3 {
            assert_eq!(limits.count(Some(0), Kind::Other, after(second), &settings()).verdict, Verdict::Pass);
        }
        let stopped = limits.count(Some(0), Kind::Other, after(10), &settings());
        assert_eq!(stopped.verdict, Verdict::TooFast(Duration::from_secs(50)));
        assert_eq!(stopped.remaining, 0);
        assert_eq!(
            limits.count(Some(1), Kind::Other, after(10), &settings()).verdict,
            Verdict::Pass,
            "other token"
        );
        assert_eq!(limits.count(Some(0), Kind::Other, after(60), &settings()).verdict, Verdict::Pass);
    }

    #[test]
    fn every_request_expires_by_itself_after_an_hour() {
        let mut limits = Limits::default();
        for minute in 0..5 {
            let standing = limits.count(None, Kind::Other, after(minute * 60), &settings());
            assert_eq!(standing.verdict, Verdict::Pass);
            assert_eq!(standing.remaining, 4 - u32::try_from(minute).unwrap());
            assert_eq!(standing.reset, after(3600).as_second());
        }
        assert_eq!(limits.count(None, Kind::Other, after(400), &settings()).verdict, Verdict::HourUsedUp);
        assert_eq!(limits.count(None, Kind::Other, after(3600), &settings()).verdict, Verdict::Pass);
        assert_eq!(limits.count(None, Kind::Other, after(3601), &settings()).verdict, Verdict::HourUsedUp);
    }

    #[test]
    fn listing_keys_has_its_own_limit() {
        let mut limits = Limits::default();
        assert_eq!(limits.count(None, Kind::KeyList, start(), &settings()).verdict, Verdict::Pass);
        let stopped = limits.count(None, Kind::KeyList, after(1), &settings());
        assert_eq!(stopped.verdict, Verdict::TooFast(Duration::from_secs(59)));
        assert_eq!(limits.count(None, Kind::Other, after(1), &settings()).verdict, Verdict::Pass);
    }
}
