//! Integers as Go's `strconv.ParseInt` reads them.

/// Reads an integer with base 0: `0x`, `0o`, `0b` and a leading `0` choose the base.
pub fn parse_base_0(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = parse_unsigned_base_0(digits)?;
    let signed = i128::from(size);
    i64::try_from(if negative { -signed } else { signed }).ok()
}

/// Reads an unsigned integer with base 0.
pub fn parse_unsigned_base_0(digits: &str) -> Option<u64> {
    let lower = digits.to_ascii_lowercase();
    let (base, rest) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.trim_start_matches('0'))
    } else {
        (10, lower.as_str())
    };
    if rest.is_empty() && base == 8 && lower.bytes().all(|b| b == b'0') {
        return Some(0);
    }
    if rest.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(rest, base).ok()
}

/// Reads a finite number as Go's `strconv.ParseFloat` does: underscores may stand between digits.
pub fn parse_float(text: &str) -> Option<f64> {
    let digit = |part: &str, last: bool| {
        let letter = if last { part.chars().last() } else { part.chars().next() };
        letter.is_some_and(|letter| letter.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('_').collect();
    let separates = |pair: &[&str]| matches!(pair, [left, right] if digit(left, true) && digit(right, false));
    if !parts.windows(2).all(separates) {
        return None;
    }
    parts.concat().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_finite() {
        for (text, value) in [
            ("1_0.5", Some(10.5)),
            ("-.5", Some(-0.5)),
            ("1e3", Some(1000.0)),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("1_.5", None),
            ("inf", None),
            ("NaN", None),
        ] {
            assert_eq!(parse_float(text), value, "{text}");
        }
    }

    #[test]
    fn the_prefix_chooses_the_base() {
        for (text, value) in [
            ("10", Some(10)),
            ("-0x1F", Some(-31)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("0b101", Some(5)),
            ("00", Some(0)),
            ("08", None),
            ("0x", None),
            ("1e3", None),
            ("--1", None),
        ] {
            assert_eq!(parse_base_0(text), value, "{text}");
        }
    }
}
