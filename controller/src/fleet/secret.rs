//! Secrets in the fleet file, which only ever names them: `env:NAME`, the variable that holds one.
//!
//! Owns that rule. A secret that stands in the file itself is refused, and shown nowhere.

use std::ops::Range;

use super::{model::Located, reader::Table};
use crate::environ::may_leave;

/// A secret as the file may have it: `env:NAME`, the variable that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName(String);

impl SecretName {
    /// The variable's name.
    pub fn variable(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, BadSecret> {
        let name = text.strip_prefix("env:").ok_or(BadSecret::Literal)?;
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !fits {
            return Err(BadSecret::Literal);
        }
        if may_leave(name) { Ok(Self(name.to_owned())) } else { Err(BadSecret::Own(name.to_owned())) }
    }
}

enum BadSecret {
    Literal,
    Own(String),
}

/// The secret of a key that has to be there. `example` is a variable that could hold it.
pub(super) fn required(table: &Table<'_, '_, '_>, key: &str, example: &str) -> Option<Located<SecretName>> {
    table.required(key, &format!("{key} = \"env:{example}\""))?;
    optional(table, key)
}

/// The secret of a key, where it is there.
pub(super) fn optional(table: &Table<'_, '_, '_>, key: &str) -> Option<Located<SecretName>> {
    let text = table.string(key)?;
    one(table, key, (text.value, table.place_of(key)))
}

/// The secrets of a key that has one or a list.
pub(super) fn list(table: &Table<'_, '_, '_>, key: &str) -> Vec<Located<SecretName>> {
    table.strings(key).into_iter().filter_map(|text| one(table, key, text)).collect()
}

fn one(
    table: &Table<'_, '_, '_>,
    key: &str,
    (text, span): (String, Range<usize>),
) -> Option<Located<SecretName>> {
    match SecretName::parse(&text) {
        Ok(name) => Some(Located { value: name, place: table.notes().place(&span) }),
        Err(BadSecret::Literal) => {
            // Whatever it is, it is shown nowhere.
            table.notes().withhold(span.clone());
            let hint = format!(
                "write `{key} = \"env:NAME\"`, and set NAME in the environment or in .env beside this file; if this was a real secret, have the provider make a new one"
            );
            table.notes().add(span, format!("`{key}` holds a secret itself, or nothing"), Some(hint));
            None
        }
        Err(BadSecret::Own(name)) => {
            let hint = "make a key for this alone, and give its variable another name".to_owned();
            let message = format!(
                "{name} is tidegate's own, and never leaves this machine: what droplets get is another key"
            );
            table.notes().add(span, message, Some(hint));
            None
        }
    }
}
