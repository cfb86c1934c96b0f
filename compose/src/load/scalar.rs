//! What a plain YAML scalar means, as docker compose's YAML library (YAML 1.2 with remains of 1.1) reads it.

use crate::node::Value;
use crate::text::number::{parse_base_0, parse_unsigned_base_0};

/// Resolves a plain scalar without a tag.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let first = text.as_bytes().first().copied().unwrap_or(b' ');
    match first {
        b'0'..=b'9' | b'+' | b'-' => number(text),
        b'.' if is_float(text) => text.parse().map_or_else(|_| string(text), Value::Float),
        _ => string(text),
    }
}

/// Whether a plain scalar is text and nothing else.
pub(crate) fn resolves_to_text(text: &str) -> bool {
    matches!(resolve(text), Value::Str(_))
}

fn string(text: &str) -> Value {
    Value::Str(text.to_owned())
}

/// Integers, floats and times.
pub(super) fn number(text: &str) -> Value {
    if let Some(time) = timestamp(text) {
        return Value::Timestamp(time);
    }
    let plain = text.replace('_', "");
    if let Some(number) = parse_base_0(&plain) {
        return Value::Int(number);
    }
    if let Some(number) = parse_unsigned_base_0(&plain) {
        return Value::Uint(number);
    }
    if is_float(&plain)
        && let Ok(number) = plain.parse::<f64>()
        && number.is_finite()
    {
        return Value::Float(number);
    }
    string(text)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text)));
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    exponent_ok && mantissa_ok
}

/// A date, or a date and a time, brought to RFC 3339.
fn timestamp(text: &str) -> Option<String> {
    let (year, rest) = text.split_once('-')?;
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (month, rest) = rest.split_once('-')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, rest) = rest.split_at_checked(end)?;
    let month_number = in_range(month, 1, 12)?;
    let day_number = in_range(day, 1, 31)?;
    if day_number > days_in(year.parse().ok()?, month_number) {
        return None;
    }
    let date = format!("{year}-{month_number:02}-{day_number:02}");
    if rest.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let zoned = rest.starts_with(['T', 't']);
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at_checked(zone_at)?;
    // Only the forms with `T` carry a zone, and they must.
    let zone = match (zoned, zone) {
        (false, "") | (true, "Z") => "Z".to_owned(),
        (true, zone) if offset(zone) => zone.to_owned(),
        _ => return None,
    };
    Some(format!("{date}T{}{zone}", clock_time(clock)?))
}

fn offset(zone: &str) -> bool {
    let Some((hours, minutes)) = zone.get(1..).and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    hours.len() == 2
        && minutes.len() == 2
        && in_range(hours, 0, 24).is_some()
        && in_range(minutes, 0, 60).is_some()
}

fn clock_time(clock: &str) -> Option<String> {
    let mut parts = clock.split(':');
    let hour = in_range(parts.next()?, 0, 23)?;
    let minute = in_range(parts.next()?, 0, 59)?;
    let (second, fraction) = match parts.next()?.split_once('.') {
        Some((second, fraction)) => (in_range(second, 0, 59)?, fraction),
        None => (in_range(clock.rsplit(':').next()?, 0, 59)?, ""),
    };
    if parts.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{hour:02}:{minute:02}:{second:02}{dot}{fraction}"))
}

fn in_range(text: &str, low: u32, high: u32) -> Option<u32> {
    if text.is_empty() || text.len() > 2 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| (low..=high).contains(number))
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The text that base64 stands for; none when it is not padded base64 of UTF-8 text.
pub(super) fn binary(text: &str) -> Option<String> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text: Vec<char> = text.chars().filter(|letter| !matches!(letter, '\r' | '\n')).collect();
    let mut bytes = Vec::with_capacity(text.len());
    let groups = text.chunks(4).count();
    for (index, group) in text.chunks(4).enumerate() {
        let padding = group.iter().rev().take_while(|letter| **letter == '=').count();
        if group.len() != 4 || padding > 2 || (padding > 0 && index + 1 != groups) {
            return None;
        }
        let mut bits = 0_u32;
        for letter in group {
            let six = if *letter == '=' { 0 } else { LETTERS.find(*letter)? };
            bits = (bits << 6) | u32::try_from(six).ok()?;
        }
        let [_, first, second, third] = bits.to_be_bytes();
        bytes.extend([first, second, third].into_iter().take(3 - padding));
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_base64_with_its_padding() {
        for (text, value) in [
            ("aGVsbG8=", Some("hello")),
            ("aGVs\nbG8h", Some("hello!")),
            ("aA==", Some("h")),
            ("", Some("")),
            ("aGVsbG8", None),
            ("aA==aA==", None),
            ("a===", None),
            ("aGV sbG8=", None),
            ("//8=", None),
        ] {
            assert_eq!(binary(text).as_deref(), value, "{text}");
        }
    }

    #[test]
    fn plain_scalars_resolve_as_in_go() {
        for (text, value) in [
            ("yes", Value::Str("yes".into())),
            ("010", Value::Int(8)),
            ("1_000", Value::Int(1000)),
            ("0x1f", Value::Int(31)),
            ("1.0", Value::Float(1.0)),
            ("1e3", Value::Float(1000.0)),
            (".5", Value::Float(0.5)),
            ("22:22", Value::Str("22:22".into())),
            ("1.2.3", Value::Str("1.2.3".into())),
            ("2024-01-02", Value::Timestamp("2024-01-02T00:00:00Z".into())),
            ("2024-02-30", Value::Str("2024-02-30".into())),
            ("-", Value::Str("-".into())),
            ("18446744073709551615", Value::Uint(u64::MAX)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
    }
}
