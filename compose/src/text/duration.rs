//! Durations in Go's form (`1h5m30.02s`), in 2.40 also with days and weeks.

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {text:?}; write one like 30s, 1m30s or 500ms")]
pub struct DurationError {
    text: String,
}

const UNITS: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const LONG_UNITS: &[(&str, i128)] = &[("d", 86_400_000_000_000), ("w", 604_800_000_000_000)];

/// Reads a duration as Go's `time.ParseDuration` does, in nanoseconds.
///
/// # Errors
/// When it has no unit, an unknown one, or is too long.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    read(text, &[UNITS])
}

/// Reads a duration that may also have days (`d`) and weeks (`w`).
///
/// # Errors
/// When it has no unit, an unknown one, or is too long.
pub fn parse_with_days(text: &str) -> Result<i64, DurationError> {
    read(text, &[UNITS, LONG_UNITS])
}

fn read(text: &str, tables: &[&[(&str, i128)]]) -> Result<i64, DurationError> {
    let fail = || DurationError { text: text.to_owned() };
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(fail());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fail)?;
        let (number, after) = rest.split_at_checked(end).ok_or_else(fail)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end).ok_or_else(fail)?;
        let scale = tables
            .iter()
            .flat_map(|table| table.iter())
            .find_map(|(name, scale)| (*name == unit).then_some(*scale))
            .ok_or_else(fail)?;
        total = total.saturating_add(amount(number, scale).ok_or_else(fail)?);
        rest = after;
    }
    i64::try_from(total.saturating_mul(sign)).map_err(|_| fail())
}

/// `number` (digits with at most one dot) times `scale`, cut to whole nanoseconds.
fn amount(number: &str, scale: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(scale)?;
    let mut part = scale;
    let mut carry: i128 = 0;
    let mut divisor: i128 = 1;
    for digit in fraction.chars().take(18) {
        carry = carry.checked_mul(10)?.checked_add(i128::from(digit.to_digit(10)?))?;
        divisor = divisor.checked_mul(10)?;
    }
    part = part.checked_mul(carry)? / divisor;
    value = value.checked_add(part)?;
    Some(value)
}

/// Prints nanoseconds in Go's form.
pub fn format(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    if size == 0 {
        return "0s".to_owned();
    }
    if size < 1_000 {
        return format!("{sign}{size}ns");
    }
    if size < 1_000_000 {
        return format!("{sign}{}\u{b5}s", decimal(size, 1_000, 3));
    }
    if size < 1_000_000_000 {
        return format!("{sign}{}ms", decimal(size, 1_000_000, 6));
    }
    let seconds = decimal(size % 60_000_000_000, 1_000_000_000, 9);
    let minutes = size / 60_000_000_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

fn decimal(value: u64, unit: u64, digits: usize) -> String {
    let fraction = format!("{:0digits$}", value % unit);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}", value / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_go() {
        for (text, nanos, printed) in [
            ("1m30s", 90_000_000_000, "1m30s"),
            ("500ms", 500_000_000, "500ms"),
            ("1h5m30s20ms", 3_930_020_000_000, "1h5m30.02s"),
            ("0", 0, "0s"),
            ("1.5us", 1_500, "1.5\u{b5}s"),
            ("-1s", -1_000_000_000, "-1s"),
            (".5h", 1_800_000_000_000, "30m0s"),
        ] {
            assert_eq!(parse(text), Ok(nanos), "{text}");
            assert_eq!(format(nanos), printed);
        }
        assert_eq!(parse_with_days("1d2h").map(format), Ok("26h0m0s".to_owned()));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "1x", "1.2.3s", ".s", "1d", "-", "9999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
