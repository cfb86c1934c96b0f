//! Byte sizes in Docker's form: a number, a space or none, a unit of powers of 1024 (`1.5gb`, `512m`, `100KiB`).

/// The text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid size {text:?}; write a number with b, k, m or g, such as 512m")]
pub struct SizeError {
    text: String,
}

use super::number::parse_float;
use crate::compat::Compatibility;

/// Reads a size in bytes.
///
/// # Errors
/// When it is negative, lacks a number or has an unknown unit.
pub fn parse(text: &str, compat: Compatibility) -> Result<i64, SizeError> {
    let read = match compat {
        Compatibility::V2_40 => parse_new(text),
        Compatibility::V2_26 => parse_old(text),
    };
    read.ok_or_else(|| SizeError { text: text.to_owned() })
}

/// The older form: digits with inner dots only, and `i` and `b` after the unit at will.
fn parse_old(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_suffix('b').unwrap_or(&lower);
    let rest = rest.strip_suffix('i').unwrap_or(rest);
    let unit = rest.chars().last().filter(char::is_ascii_alphabetic);
    let number = unit.and_then(|unit| rest.strip_suffix(unit)).unwrap_or(rest);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !number.split('.').all(digits) {
        return None;
    }
    let factor = unit.map_or(Some(1.0), |unit| multiplier(unit.encode_utf8(&mut [0; 4])))?;
    whole(number.parse::<f64>().ok()? * factor)
}

fn parse_new(text: &str) -> Option<i64> {
    // The last digit, dot or space ends the number.
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let (number, unit) = text.split_at_checked(end + 1)?;
    let number = number.strip_suffix(' ').unwrap_or(number);
    let amount = parse_float(number)?;
    if amount < 0.0 || number.starts_with('-') {
        return None;
    }
    whole(amount * multiplier(&unit.to_lowercase())?)
}

/// Cut, not rounded. Beyond all memory it is what Go's conversion makes of it.
fn whole(bytes: f64) -> Option<i64> {
    bytes.is_finite().then(|| format!("{:.0}", bytes.trunc()).parse().unwrap_or(i64::MIN))
}

fn multiplier(unit: &str) -> Option<f64> {
    if unit.is_empty() || unit == "b" {
        return Some(1.0);
    }
    let mut letters = unit.chars();
    let power = "kmgtp".find(letters.next()?)?;
    if !matches!(letters.as_str(), "" | "b" | "ib") {
        return None;
    }
    Some(1024_f64.powi(i32::try_from(power).ok()? + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("1.5gb", 1_610_612_736),
            ("512m", 536_870_912),
            ("100 KiB", 102_400),
            ("0", 0),
            ("64b", 64),
            ("1.1", 1),
            ("9223372036854775808", i64::MIN),
        ] {
            for compat in [Compatibility::V2_40, Compatibility::V2_26] {
                assert_eq!(parse(text, compat), Ok(bytes), "{text}");
            }
        }
        assert_eq!(parse("1e3k", Compatibility::V2_40), Ok(1_024_000));
        assert_eq!(parse("10ib", Compatibility::V2_26), Ok(10));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "-1", "1xb", "m", "1 2", "1kbb", "0x10", "1kk"] {
            for compat in [Compatibility::V2_40, Compatibility::V2_26] {
                assert!(parse(text, compat).is_err(), "{text}");
            }
        }
        assert!(parse("1e3k", Compatibility::V2_26).is_err());
        assert!(parse("10ib", Compatibility::V2_40).is_err());
    }
}
