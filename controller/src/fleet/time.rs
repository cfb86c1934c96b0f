//! Times as the file has them: a whole number and one letter, such as `30m`.

use std::{ops::RangeInclusive, time::Duration};

pub(super) const SECOND: u64 = 1;
pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// The time, where its letter is one of `units`, each with its seconds, and its seconds are within `bounds`.
pub(super) fn parse(text: &str, units: &[(&str, u64)], bounds: &RangeInclusive<u64>) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (_, seconds) = units.iter().find(|(letter, _)| *letter == unit)?;
    let seconds = number.parse::<u64>().ok()?.checked_mul(*seconds)?;
    bounds.contains(&seconds).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_letter_within_bounds_are_a_time() {
        let units = [("m", MINUTE), ("h", HOUR)];
        let parsed = |text| parse(text, &units, &(5 * MINUTE..=DAY));
        assert_eq!(parsed("5m"), Some(Duration::from_mins(5)));
        assert_eq!(parsed("24h"), Some(Duration::from_hours(24)));
        for text in ["4m", "25h", "1d", "", "m", "+5m", "-5m", "5", "5 m", "5ü", "99999999999999999999m"] {
            assert_eq!(parsed(text), None, "{text}");
        }
        assert_eq!(parsed(&format!("{}h", u64::MAX)), None);
    }
}
