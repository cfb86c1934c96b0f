//! How a record's fields are read and written: the trait, its implementations for plain values, and `record!`.

use super::project::Extensions;
use crate::compat::Compatibility;
use crate::json::Json;
use crate::node::{Map, Node, Position, Value};
use crate::text::number::parse_float;

/// A value that can stand in a record.
pub trait Field: Default + Clone {
    /// Reads the value; problems are noted in the decoder and leave the default.
    fn decode(node: &Node, decoder: &mut Decoder) -> Self;
    /// The JSON that docker compose of that version prints.
    fn encode(&self, compat: Compatibility) -> Json;
    /// The YAML that docker compose of that version prints, as a tree.
    fn to_yaml(&self, compat: Compatibility) -> Json {
        self.encode(compat)
    }
    /// Whether `omitempty` leaves it out.
    fn is_zero(&self) -> bool;
    /// Whether YAML leaves out a zero value that JSON prints.
    const OMITTED_IN_YAML: bool = false;
    /// What it is as the value of a mapping that may also be written as a list of `KEY=value`.
    const TEXT: Text = Text::No;
}

/// What a field is as the value of such a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Not text at all.
    No,
    /// Text; nothing is empty text.
    Filled,
    /// Text or nothing, and its names are names of variables.
    Variable,
}

/// Collects what could not be decoded, with the path of the attribute.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The docker compose version that is followed.
    pub compat: Compatibility,
    /// Message, path of the attribute and place of each problem.
    pub problems: Vec<(String, String, Position)>,
}

impl Decoder {
    /// Follows a docker compose version.
    pub fn new(compat: Compatibility) -> Self {
        Self { compat, ..Self::default() }
    }

    /// Decodes one step further down.
    pub fn below<T>(&mut self, step: impl std::fmt::Display, decode: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.problems.len();
        let value = decode(self);
        // Few values are wrong: the way to them is put together on the way back.
        for (_, path, _) in self.problems.iter_mut().skip(before) {
            let dot = if path.is_empty() { "" } else { "." };
            *path = format!("{step}{dot}{path}");
        }
        value
    }

    /// Notes a problem with a node.
    pub fn problem(&mut self, node: &Node, message: String) {
        self.problems.push((message, String::new(), node.at));
    }

    /// The mapping a record is read from; null reads as an empty one.
    pub fn map<'n>(&mut self, node: &'n Node) -> Option<&'n Map> {
        match &node.value {
            Value::Map(map) => Some(map),
            Value::Null => None,
            _ => {
                self.problem(node, format!("expected a mapping, found {}", node.kind()));
                None
            }
        }
    }
}

impl Field for String {
    const TEXT: Text = Text::Filled;
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::Null => Self::new(),
            Value::Str(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            _ => {
                decoder.problem(node, format!("expected a string, found {}", node.kind()));
                Self::new()
            }
        }
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Str(self.clone())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl Field for bool {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::Bool(flag) => *flag,
            Value::Null => false,
            Value::Str(text) => boolean(text).unwrap_or_else(|| {
                decoder.problem(node, format!("{text:?} is not a boolean; write true or false"));
                false
            }),
            _ => {
                decoder.problem(node, format!("expected a boolean, found {}", node.kind()));
                false
            }
        }
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Bool(*self)
    }
    fn is_zero(&self) -> bool {
        !self
    }
}

/// The words that docker compose casts to a boolean.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

macro_rules! integer_field {
    ($($kind:ty: $text:expr),*) => {$(
        impl Field for $kind {
            fn decode(node: &Node, decoder: &mut Decoder) -> Self {
                let read = match &node.value {
                    Value::Null => return 0,
                    Value::Int(number) => Self::try_from(*number).ok(),
                    Value::Uint(number) => Self::try_from(*number).ok(),
                    Value::Float(number) => super::field::whole(*number).and_then(|n| Self::try_from(n).ok()),
                    Value::Str(text) if $text => text.parse().ok(),
                    _ => None,
                };
                read.unwrap_or_else(|| {
                    decoder.problem(node, "is not an integer in the range of this attribute".to_owned());
                    0
                })
            }
            fn encode(&self, _: Compatibility) -> Json {
                match i64::try_from(*self) {
                    Ok(number) => Json::Int(number),
                    Err(_) => Json::Uint(u64::try_from(*self).unwrap_or(u64::MAX)),
                }
            }
            fn is_zero(&self) -> bool {
                *self == 0
            }
        }
    )*};
}
// Only signed integers are also read from text.
integer_field!(i64: true, u64: false, u32: false, u16: false);

/// A float cut to its whole part, when it lies in the range of integers that floats hold exactly.
pub(crate) fn whole(number: f64) -> Option<i64> {
    format!("{:.0}", number.trunc()).parse().ok()
}

impl Field for f32 {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let text = match &node.value {
            Value::Null => return 0.0,
            Value::Float(number) => format!("{number:?}"),
            Value::Int(number) => number.to_string(),
            Value::Uint(number) => number.to_string(),
            Value::Str(text) => text.clone(),
            _ => String::new(),
        };
        // Through f64 first, as the original does: rounding twice can differ from rounding once.
        parse_float(&text).map_or_else(
            || {
                decoder.problem(node, format!("expected a number, found {}", node.kind()));
                0.0
            },
            narrow,
        )
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Float32(*self)
    }
    fn is_zero(&self) -> bool {
        *self == 0.0
    }
}

/// Rounds to the nearest `float32`; there is no `TryFrom` for it and `as` is banned here.
pub(crate) fn narrow(number: f64) -> f32 {
    // Enough digits to name the double exactly, so that parsing rounds once, to the nearest float.
    format!("{number:.60e}").parse().unwrap_or(0.0)
}

impl<T: Field> Field for Option<T> {
    const TEXT: Text = match T::TEXT {
        Text::Filled => Text::Variable,
        _ => Text::No,
    };
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        if node.is_null() { None } else { Some(T::decode(node, decoder)) }
    }
    fn encode(&self, compat: Compatibility) -> Json {
        self.as_ref().map_or(Json::Null, |value| value.encode(compat))
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        self.as_ref().map_or(Json::Null, |value| value.to_yaml(compat))
    }
    fn is_zero(&self) -> bool {
        self.is_none()
    }
}

impl<T: Field> Field for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| decoder.below(index, |d| T::decode(item, d)))
                .collect(),
            Value::Null => Self::new(),
            Value::Str(_) => vec![T::decode(node, decoder)],
            _ => {
                decoder.problem(node, format!("expected a list, found {}", node.kind()));
                Self::new()
            }
        }
    }
    fn encode(&self, compat: Compatibility) -> Json {
        Json::Array(self.iter().map(|item| item.encode(compat)).collect())
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        Json::Array(self.iter().map(|item| item.to_yaml(compat)).collect())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

/// Adds a field to an object under its rule.
pub(crate) fn put<T: Field>(
    fields: &mut Vec<(String, Json)>,
    key: &str,
    value: &T,
    (rule, compat): (Rule, Compatibility),
) {
    if rule == Rule::Keep || (rule == Rule::Omit && !value.is_zero()) {
        fields.push((key.to_owned(), value.encode(compat)));
    }
}

/// Adds a field to a mapping of YAML under its rule.
pub(crate) fn put_yaml<T: Field>(
    fields: &mut Vec<(String, Json)>,
    key: &str,
    value: &T,
    (rule, compat): (Rule, Compatibility),
) {
    let kept = rule == Rule::Keep && !T::OMITTED_IN_YAML;
    if kept || (rule != Rule::Hide && !value.is_zero()) {
        fields.push((key.to_owned(), value.to_yaml(compat)));
    }
}

/// Whether a zero value is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Always printed.
    Keep,
    /// Left out when zero.
    Omit,
    /// Never printed.
    Hide,
}

/// Takes a key that no field claims: an extension, or something the schema let through and the model does not keep.
pub(crate) fn extra(extensions: &mut Extensions, key: &str, node: &Node) {
    if key.starts_with("x-") {
        extensions.0.insert(key.to_owned(), node.clone());
    }
}

/// Declares a record: its fields with their keys and rules, in the order that gets hashed.
macro_rules! record {
    (@rule omit) => { $crate::model::field::Rule::Omit };
    (@rule keep) => { $crate::model::field::Rule::Keep };
    (@rule hide) => { $crate::model::field::Rule::Hide };
    (
        $(#[$meta:meta])*
        $name:ident = $id:literal {
            $( $(#[$field_meta:meta])* $field:ident : $kind:ty = $key:literal $rule:ident ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $kind, )*
            /// Extension attributes (`x-*`) with their places; never part of a hash.
            pub extensions: $crate::model::Extensions,
        }

        impl $crate::model::Field for $name {
            fn decode(node: &$crate::node::Node, decoder: &mut $crate::model::Decoder) -> Self {
                let mut record = Self::default();
                let Some(map) = decoder.map(node) else { return record };
                for (key, value) in map {
                    match key.as_str() {
                        $( $key => record.$field = decoder.below(key, |d| $crate::model::Field::decode(value, d)), )*
                        _ => $crate::model::field::extra(&mut record.extensions, key, value),
                    }
                }
                record
            }

            fn encode(&self, compat: $crate::compat::Compatibility) -> $crate::json::Json {
                let mut fields = Vec::new();
                $( $crate::model::field::put(&mut fields, $key, &self.$field, (record!(@rule $rule), compat)); )*
                $crate::json::Json::Object($crate::compat::ordered($id, compat, fields))
            }

            fn to_yaml(&self, compat: $crate::compat::Compatibility) -> $crate::json::Json {
                let mut fields = Vec::new();
                $( $crate::model::field::put_yaml(&mut fields, $key, &self.$field, (record!(@rule $rule), compat)); )*
                let mut fields = $crate::compat::ordered($id, compat, fields);
                fields.extend(self.extensions.to_yaml());
                $crate::json::Json::Object(fields)
            }

            fn is_zero(&self) -> bool {
                *self == Self::default()
            }

            const OMITTED_IN_YAML: bool = true;
        }
    };
}
