//! Reads one table of the file key by key: types, unknown keys with a suggestion, keys of later versions. Every problem
//! is noted and reading goes on, so that the user sees them all at once.

use std::{cell::RefCell, fmt::Display, ops::Range, str::FromStr};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    model::Located,
    problem::{Place, Problem},
};
use crate::suggest::nearest;

/// The text and the problems found so far.
pub(super) struct Notes<'t> {
    pub text: &'t str,
    pub problems: RefCell<Vec<Problem>>,
    /// What of the text is shown nowhere.
    pub withheld: RefCell<Vec<Range<usize>>>,
}

impl<'t> Notes<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, problems: RefCell::default(), withheld: RefCell::default() }
    }

    /// Has a part of the text shown nowhere: it may be a secret.
    pub fn withhold(&self, span: Range<usize>) {
        self.withheld.borrow_mut().push(span);
    }

    pub fn add(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.problems.borrow_mut().push(Problem { span, message: message.into(), hint });
    }

    pub fn place(&self, span: &Range<usize>) -> Place {
        Place::of(self.text, span.start)
    }
}

/// One table.
pub(super) struct Table<'r, 't, 'i> {
    notes: &'r Notes<'t>,
    entries: &'r DeTable<'i>,
    span: Range<usize>,
    name: String,
}

impl<'r, 't, 'i> Table<'r, 't, 'i> {
    pub fn new(notes: &'r Notes<'t>, table: &'r DeTable<'i>, span: Range<usize>, name: &str) -> Self {
        Self { notes, entries: table, span, name: name.to_owned() }
    }

    /// `backups` of `[bucket.backups]`.
    pub fn own_name(&self) -> &str {
        let inner = self.name.trim_matches(['[', ']']);
        inner.rsplit('.').next().unwrap_or(inner)
    }

    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn notes(&self) -> &'r Notes<'t> {
        self.notes
    }

    /// Notes keys that are none of `known`; `later` are those that other versions have.
    pub fn only(&self, known: &[&str], later: &[&str]) {
        for key in self.entries.keys() {
            let text = key.get_ref().as_ref();
            if known.contains(&text) {
                continue;
            }
            let shown =
                if self.name.is_empty() { format!("`{text}`") } else { format!("`{text}` in {}", self.name) };
            if later.contains(&text) {
                let message = format!("{shown} is not done by this version of tidegate yet");
                self.notes.add(key.span(), message, Some("take it out of the file".to_owned()));
            } else {
                let hint = nearest(text, known.iter().copied()).map_or_else(
                    || format!("known here: {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                self.notes.add(key.span(), format!("unknown key {shown}"), Some(hint));
            }
        }
    }

    /// Where the value of a key stands; the table's own place when it is not there.
    pub fn place_of(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.span(), Spanned::span)
    }

    fn get(&self, key: &str) -> Option<&'r Spanned<DeValue<'i>>> {
        self.entries.get(key)
    }

    pub fn missing(&self, key: &str, example: &str) {
        let of = if self.name.is_empty() { "the file".to_owned() } else { self.name.clone() };
        self.notes.add(
            self.span.clone(),
            format!("{of} lacks `{key}`"),
            Some(format!("for example {example}")),
        );
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.notes.add(value.span(), format!("`{key}` must be {wanted}, not {}", with_article(found)), None);
    }

    pub fn string(&self, key: &str) -> Option<Located<String>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string");
            return None;
        };
        Some(Located { value: text.to_owned(), place: self.notes.place(&value.span()) })
    }

    pub fn required(&self, key: &str, example: &str) -> Option<Located<String>> {
        if self.get(key).is_none() {
            self.missing(key, example);
        }
        self.string(key)
    }

    /// A string that parses to something.
    pub fn parsed<T>(&self, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let span = self.get(key)?.span();
        self.string(key).and_then(|text| self.parse(&text.value, span))
    }

    fn parse<T>(&self, text: &str, span: Range<usize>) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse().map_err(|error: T::Err| self.notes.add(span, error.to_string(), None)).ok()
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        flag
    }

    pub fn count(&self, key: &str, most: u32) -> Option<u32> {
        let value = self.get(key)?;
        let number =
            value.get_ref().as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
        let Some(number) = number else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let count = u32::try_from(number).ok().filter(|n| *n <= most);
        if count.is_none() {
            self.notes.add(value.span(), format!("`{key}` must be between 0 and {most}"), None);
        }
        count
    }

    /// A list of strings, or one string; each with its span.
    pub fn strings(&self, key: &str) -> Vec<(String, Range<usize>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let items: Vec<&Spanned<DeValue<'i>>> = match value.get_ref() {
            DeValue::String(_) => vec![value],
            DeValue::Array(items) => items.iter().collect(),
            _ => {
                self.wrong_type(key, value, "a string or a list of strings");
                return Vec::new();
            }
        };
        let mut strings = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => strings.push((text.to_owned(), item.span())),
                None => self.wrong_type(key, item, "a list of strings"),
            }
        }
        strings
    }

    /// The same, parsed.
    pub fn parsed_list<T>(&self, key: &str) -> Vec<(T, Range<usize>)>
    where
        T: FromStr,
        T::Err: Display,
    {
        let strings = self.strings(key);
        strings
            .into_iter()
            .filter_map(|(text, span)| Some((self.parse(&text, span.clone())?, span)))
            .collect()
    }

    pub fn table(&self, key: &str, name: &str) -> Option<Table<'r, 't, 'i>> {
        let value = self.get(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        let span = self.entries.get_key_value(key).map_or(value.span(), |(key, _)| key.span());
        Some(Table::new(self.notes, table, span, name))
    }

    /// `[kind.NAME]` tables: name, its span, table.
    pub fn named(&self, kind: &str) -> Vec<(String, Range<usize>, Table<'r, 't, 'i>)> {
        let Some(all) = self.table(kind, &format!("[{kind}]")) else { return Vec::new() };
        let mut tables = Vec::new();
        for (key, _) in all.entries {
            let name = key.get_ref().as_ref();
            if let Some(table) = all.table(name, &format!("[{kind}.{name}]")) {
                tables.push((name.to_owned(), key.span(), table));
            }
        }
        tables
    }

    /// Tables of an array.
    pub fn tables(&self, key: &str, name: &str) -> Vec<Table<'r, 't, 'i>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => tables.push(Table::new(self.notes, table, item.span(), name)),
                _ => self.wrong_type(key, item, "a list of tables"),
            }
        }
        tables
    }

    pub fn keys(&self) -> Vec<String> {
        self.entries.keys().map(|key| key.get_ref().to_string()).collect()
    }
}

fn with_article(kind: &str) -> String {
    match kind {
        "array" | "integer" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}
