//! YAML exactly as docker compose's library writes it, so that `config` prints the same bytes.
//!
//! Owns layout and quoting, for block style with an indent of two; what is printed is the model's
//! [`Field::to_yaml`](crate::model::Field::to_yaml). Objects keep the order they are given: whoever builds one from a
//! map sorts it by [`key_order`]. It knows nothing of Compose.

mod key_order;
mod scalar;

use crate::compat::Compatibility;
use crate::json::Json;
pub use key_order::key_order;

/// A mapping's key longer than this is written with `? `.
const LONGEST_SIMPLE_KEY: usize = 128;

/// The value as YAML text. The tree is that of JSON; [`Json::Timestamp`] stays a plain scalar.
pub fn to_text(value: &Json, compat: Compatibility) -> String {
    let mut writer = Writer { out: String::new(), compat };
    match value {
        Json::Object(fields) if !fields.is_empty() => writer.mapping(fields, 0),
        Json::Array(items) if !items.is_empty() => writer.sequence(items, 0),
        _ => writer.scalar(value, 0),
    }
    writer.out
}

struct Writer {
    out: String,
    compat: Compatibility,
}

impl Writer {
    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// The entries of a mapping; the first one stands where the line already is.
    fn mapping(&mut self, fields: &[(String, Json)], indent: usize) {
        for (index, (key, value)) in fields.iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            if key.len() > LONGEST_SIMPLE_KEY || key.contains('\n') {
                self.out.push_str("? ");
                self.scalar(&Json::Str(key.clone()), indent + 2);
                self.indent(indent);
                self.out.push_str(": ");
                self.item(value, indent + 2);
            } else {
                scalar::write(key, indent, &mut self.out);
                self.out.push(':');
                self.value(value, indent);
            }
        }
    }

    fn value(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Object(fields) if !fields.is_empty() => {
                self.out.push('\n');
                self.indent(indent + 2);
                self.mapping(fields, indent + 2);
            }
            Json::Array(items) if !items.is_empty() => {
                self.out.push('\n');
                self.indent(indent + 2);
                self.sequence(items, indent + 2);
            }
            _ => {
                self.out.push(' ');
                self.scalar(value, indent + 2);
            }
        }
    }

    fn sequence(&mut self, items: &[Json], indent: usize) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            self.out.push_str("- ");
            self.item(item, indent + 2);
        }
    }

    /// What begins on the line of its `- `, `? ` or `: `.
    fn item(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Object(fields) if !fields.is_empty() => self.mapping(fields, indent),
            Json::Array(items) if !items.is_empty() => self.sequence(items, indent),
            _ => self.scalar(value, indent),
        }
    }

    /// A scalar or an empty collection, and the end of its line.
    fn scalar(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Str(text) if text.contains('\n') && scalar::may_be_literal(text) => {
                return self.literal(text, indent);
            }
            Json::Str(text) => scalar::write(text, indent, &mut self.out),
            Json::Float32(number) => {
                self.out.push_str(&scalar::float(f64::from(*number), &format!("{number:e}")));
            }
            Json::Float64(number) => self.out.push_str(&scalar::float(*number, &format!("{number:e}"))),
            Json::Timestamp(text) => self.out.push_str(text),
            _ => self.out.push_str(&value.to_compact()),
        }
        self.out.push('\n');
    }

    /// A block of lines behind `|`, with hints where leading space or trailing lines need them.
    fn literal(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            self.out.push('2');
        }
        let body = text.strip_suffix('\n');
        match body {
            None => self.out.push('-'),
            Some(body) if body.is_empty() || body.ends_with('\n') => self.out.push('+'),
            Some(_) => {}
        }
        self.out.push('\n');
        let mut lines: Vec<&str> = body.unwrap_or(text).split('\n').collect();
        // The library of that version takes the first of leading line breaks for the end of the line with `|`.
        if self.compat == Compatibility::V2_26 && text.starts_with('\n') {
            lines.remove(0);
        }
        for line in lines {
            if !line.is_empty() {
                self.indent(indent);
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests;
