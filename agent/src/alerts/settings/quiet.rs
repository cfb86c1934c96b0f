//! Hours of the day in which warnings wait. Pure, but for the names of time zones, which the droplet knows.

use jiff::{Timestamp, civil::Time, tz::TimeZone};

/// From one time of day to another, in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    to: Time,
    zone: TimeZone,
}

/// Hours that cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum QuietError {
    /// A time of day.
    #[error("{0:?} is no time of day: write it as \"22:00\"")]
    Time(String),
    /// No time at all, or all of it.
    #[error("they begin when they end: let `from` and `to` differ")]
    Empty,
    /// The zone.
    #[error(
        "the droplet does not know the time zone {name:?}: write a name such as \"Europe/Berlin\", and see that the package \
         tzdata is installed there"
    )]
    Zone {
        /// As it was sent.
        name: String,
        /// What was looked for.
        source: jiff::Error,
    },
}

impl QuietHours {
    /// From `from` to `to`, each as "22:00"; where `to` is the earlier one, over midnight. An empty zone is UTC.
    ///
    /// # Errors
    /// When a time or the zone is none, or the times are the same.
    pub fn new((from, to): (&str, &str), zone: &str) -> Result<Self, QuietError> {
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err(QuietError::Empty);
        }
        let zone = match zone {
            "" => TimeZone::UTC,
            name => TimeZone::get(name)
                .map_err(|source| QuietError::Zone { name: name.chars().take(80).collect(), source })?,
        };
        Ok(Self { from, to, zone })
    }

    /// Whether it is quiet then.
    pub fn contains(&self, at: Timestamp) -> bool {
        let time = at.to_zoned(self.zone.clone()).time();
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
    }
}

fn time(text: &str) -> Result<Time, QuietError> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let two = |part: &str| {
            (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
        };
        Time::new(two(hour)?, two(minute)?, 0, 0).ok()
    });
    parsed.ok_or_else(|| QuietError::Time(text.chars().take(20).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_goes_over_midnight_in_its_own_zone() {
        let night = QuietHours::new(("22:00", "07:00"), "").unwrap();
        for (time, is_quiet) in [
            ("2026-11-23T21:59:59Z", false),
            ("2026-11-23T22:00:00Z", true),
            ("2026-11-24T00:00:00Z", true),
            ("2026-11-24T06:59:59Z", true),
            ("2026-11-24T07:00:00Z", false),
        ] {
            assert_eq!(night.contains(at(time)), is_quiet, "{time}");
        }
        let berlin = QuietHours::new(("12:00", "13:00"), "Europe/Berlin").unwrap();
        // An hour ahead in winter, two in summer.
        assert!(berlin.contains(at("2026-01-10T11:30:00Z")) && !berlin.contains(at("2026-01-10T12:00:00Z")));
        assert!(berlin.contains(at("2026-07-10T10:30:00Z")) && !berlin.contains(at("2026-07-10T11:30:00Z")));
    }

    #[test]
    fn what_is_no_time_or_zone_is_refused() {
        for bad in ["", "7:00", "24:00", "12:60", "12", "+1:00", "12:00:00", "aa:bb"] {
            assert!(matches!(QuietHours::new((bad, "07:00"), ""), Err(QuietError::Time(_))), "{bad}");
        }
        assert!(matches!(QuietHours::new(("07:00", "07:00"), ""), Err(QuietError::Empty)));
        let error = QuietHours::new(("22:00", "07:00"), "Europe/Atlantis").unwrap_err();
        assert!(error.to_string().contains("\"Europe/Atlantis\""), "{error}");
    }
}
