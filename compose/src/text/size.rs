//! Byte sizes in Docker's form: a number, a space or none, a unit of powers of 1024 (`1.5gb`, `512m`, `100KiB`).

/// The text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid size {text:?}; write a number with b, k, m or g, such as 512m")]
pub struct SizeError {
    text: String,
}

/// Reads a size in bytes.
///
/// # Errors
/// When it is negative, lacks a number or has an unknown unit.
pub fn parse(text: &str) -> Result<i64, SizeError> {
    let fail = || SizeError {
        text: text.to_owned(),
    };
    // The last digit, dot or space ends the number.
    let end = text
        .rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')
        .ok_or_else(fail)?;
    let (number, unit) = text.split_at_checked(end + 1).ok_or_else(fail)?;
    let number = number.strip_suffix(' ').unwrap_or(number);
    let amount: f64 = number.parse().map_err(|_| fail())?;
    if amount.is_nan() || amount < 0.0 || number.starts_with('-') {
        return Err(fail());
    }
    let factor = multiplier(&unit.to_lowercase()).ok_or_else(fail)?;
    // Cut, not rounded; saturating for sizes beyond all memory.
    Ok(format!("{:.0}", (amount * factor).trunc())
        .parse()
        .unwrap_or(i64::MAX))
}

fn multiplier(unit: &str) -> Option<f64> {
    if unit.is_empty() || unit == "b" {
        return Some(1.0);
    }
    let mut letters = unit.chars();
    let power = "kmgtpe".find(letters.next()?)?;
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
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "-1", "1xb", "m", "1 2", "1kbb", "0x10"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
