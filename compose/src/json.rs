//! JSON exactly as Go's `encoding/json` writes it, because config hashes cover the bytes.
//!
//! Owns the value type and the writer (compact and indented). Objects keep the order they are given; whoever builds
//! one from a map sorts its keys bytewise. It knows nothing of Compose.

use std::fmt::Write as _;

use crate::yaml::key_order;

/// A JSON value with Go's number kinds.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer above the signed range.
    Uint(u64),
    /// A `float32`, printed with the fewest digits that read back to the same `float32`.
    Float32(f32),
    /// A `float64`.
    Float64(f64),
    /// A string.
    Str(String),
    /// A time in RFC 3339: text in JSON, a scalar of its own in YAML.
    Timestamp(String),
    /// An array.
    Array(Vec<Json>),
    /// An object in the order given.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value as compact text, as `json.Marshal` writes it.
    pub fn to_compact(&self) -> String {
        let mut out = String::new();
        write(self, None, 0, &mut out);
        out
    }

    /// The value as text with two-space indent, as `json.MarshalIndent(v, "", "  ")` writes it.
    pub fn to_pretty(&self) -> String {
        let mut out = String::new();
        write(self, Some("  "), 0, &mut out);
        out
    }

    /// An object with its keys in the order that the YAML library gives to maps.
    #[must_use]
    pub(crate) fn naturally_sorted(self) -> Json {
        match self {
            Json::Object(mut fields) => {
                fields.sort_by(|left, right| key_order(&left.0, &right.0));
                Json::Object(fields)
            }
            other => other,
        }
    }

    /// An object made of a sorted map.
    pub fn from_map<V>(map: &std::collections::BTreeMap<String, V>, each: impl Fn(&V) -> Json) -> Json {
        Json::Object(map.iter().map(|(key, value)| (key.clone(), each(value))).collect())
    }
}

fn newline(indent: Option<&str>, depth: usize, out: &mut String) {
    if let Some(indent) = indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn write(value: &Json, indent: Option<&str>, depth: usize, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Int(number) => push(out, format_args!("{number}")),
        Json::Uint(number) => push(out, format_args!("{number}")),
        Json::Float32(number) => {
            let plain = format!("{number:?}");
            float(f64::from(number.abs()), f64::from(1e-6_f32), &plain, &format!("{number:e}"), out);
        }
        Json::Float64(number) => {
            let plain = format!("{number:?}");
            float(number.abs(), 1e-6, &plain, &format!("{number:e}"), out);
        }
        Json::Str(text) | Json::Timestamp(text) => string(text, out),
        Json::Array(items) => array(items, indent, depth, out),
        Json::Object(fields) => object(fields, indent, depth, out),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    if out.write_fmt(text).is_err() {
        out.push('?');
    }
}

fn array(items: &[Json], indent: Option<&str>, depth: usize, out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        newline(indent, depth + 1, out);
        write(item, indent, depth + 1, out);
    }
    if !items.is_empty() {
        newline(indent, depth, out);
    }
    out.push(']');
}

fn object(fields: &[(String, Json)], indent: Option<&str>, depth: usize, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        newline(indent, depth + 1, out);
        string(key, out);
        out.push_str(if indent.is_some() { ": " } else { ":" });
        write(value, indent, depth + 1, out);
    }
    if !fields.is_empty() {
        newline(indent, depth, out);
    }
    out.push('}');
}

/// Go prints `%f` between 1e-6 and 1e21 and `%e` (two exponent digits, `e-09` cleaned to `e-9`) outside.
fn float(size: f64, low: f64, plain: &str, exponent: &str, out: &mut String) {
    if size != 0.0 && (size < low || size >= 1e21) {
        let (digits, power) = exponent.split_once('e').unwrap_or((exponent, "0"));
        let (sign, power) = power.strip_prefix('-').map_or(("+", power), |rest| ("-", rest));
        let padded = if sign == "+" && power.len() < 2 { "0" } else { "" };
        push(out, format_args!("{digits}e{sign}{padded}{power}"));
        return;
    }
    // Rust's Debug form switches to exponents earlier than Go; go through the exact decimal form then.
    if plain.contains('e') {
        out.push_str(&expand(plain));
    } else {
        out.push_str(plain.strip_suffix(".0").unwrap_or(plain));
    }
}

/// Expands `d.ddde±n` to a plain decimal.
pub(crate) fn expand(text: &str) -> String {
    let (digits, power) = text.split_once('e').unwrap_or((text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = if fraction == "0" { "" } else { fraction };
    let all = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).unwrap_or(i32::MAX).saturating_add(power);
    let Ok(position) = usize::try_from(point) else {
        let zeros = usize::try_from(-point).unwrap_or(0);
        return format!("{sign}0.{}{all}", "0".repeat(zeros));
    };
    if position == 0 {
        return format!("{sign}0.{all}");
    }
    match all.split_at_checked(position) {
        Some((left, "")) => format!("{sign}{left}"),
        Some((left, right)) => format!("{sign}{left}.{right}"),
        None => format!("{sign}{all}{}", "0".repeat(position.saturating_sub(all.len()))),
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some((plain, letter, after)) = split_at_special(rest) {
        out.push_str(plain);
        rest = after;
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                push(out, format_args!("\\u{:04x}", u32::from(letter)));
            }
            control if control < ' ' => push(out, format_args!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out.push('"');
}

/// The text before the first character that is written as an escape, this character, and what follows it.
fn split_at_special(text: &str) -> Option<(&str, char, &str)> {
    let special =
        |c: char| matches!(c, '\0'..='\x1f' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    let (plain, rest) = text.split_at_checked(text.find(special)?)?;
    let mut letters = rest.chars();
    let letter = letters.next()?;
    Some((plain, letter, letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.5, "1.5"),
            (2.0, "2"),
            (1e21, "1e+21"),
            (1.5e20, "150000000000000000000"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (1.25e-10, "1.25e-10"),
            (16_777_216.0, "16777216"),
        ] {
            assert_eq!(Json::Float32(value).to_compact(), text);
        }
        assert_eq!(Json::Float64(1e20).to_compact(), "100000000000000000000");
        assert_eq!(Json::Float64(0.000_012).to_compact(), "0.000012");
    }

    #[test]
    fn strings_escape_as_go_does() {
        let text = "a\"\\\n\t\r\u{1}\u{8}\u{c}<>&\u{2028}é\u{7f}";
        assert_eq!(
            Json::Str(text.into()).to_compact(),
            "\"a\\\"\\\\\\n\\t\\r\\u0001\\b\\f\\u003c\\u003e\\u0026\\u2028é\u{7f}\""
        );
    }

    #[test]
    fn empty_collections_stay_on_one_line() {
        let value = Json::Object(vec![
            ("a".into(), Json::Array(vec![])),
            ("b".into(), Json::Object(vec![])),
            ("c".into(), Json::Array(vec![Json::Int(1)])),
        ]);
        assert_eq!(value.to_pretty(), "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1\n  ]\n}");
    }
}
