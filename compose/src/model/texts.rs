//! Mappings of texts, in both their forms, and how Go prints values as text.

use std::collections::BTreeMap;

use super::field::{Decoder, Field, Text};
use crate::compat::Compatibility;
use crate::json::Json;
use crate::node::{Map, Node, Value};

impl<T: Field> Field for BTreeMap<String, T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::Map(map) if T::TEXT != Text::No => texts(map, decoder),
            Value::Map(map) => map
                .iter()
                .map(|(key, item)| (key.clone(), decoder.below(key, |d| T::decode(item, d))))
                .collect(),
            // `KEY=value` entries, as environment, labels and their like are kept while merging.
            Value::List(items) => items.iter().filter_map(|item| pair(item, decoder)).collect(),
            Value::Null => Self::new(),
            _ => {
                decoder.problem(node, format!("expected a mapping, found {}", node.kind()));
                Self::new()
            }
        }
    }
    fn encode(&self, compat: Compatibility) -> Json {
        Json::from_map(self, |value| value.encode(compat))
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        Json::from_map(self, |value| value.to_yaml(compat)).naturally_sorted()
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

/// A mapping whose values become text, whatever scalar they are. Keys that look like extensions are gathered under one
/// strange key, as the original does, because the hash covers it.
fn texts<T: Field>(map: &Map, decoder: &mut Decoder) -> BTreeMap<String, T> {
    let (odd, plain): (Vec<_>, Vec<_>) = map.iter().partition(|(key, _)| key.starts_with("x-"));
    let mut read = BTreeMap::new();
    for (key, item) in plain {
        let text = match &item.value {
            Value::Null => item.clone(),
            _ => Node::text(go_text(item), item.at),
        };
        read.insert(key.clone(), decoder.below(key, |d| T::decode(&text, d)));
    }
    if let Some((_, first)) = odd.first() {
        let at = first.at;
        let odd: Map = odd.into_iter().map(|(key, node)| (key.clone(), node.clone())).collect();
        let text = Node::text(go_text(&Node::new(Value::Map(odd), at)), at);
        read.insert("#extensions".to_owned(), T::decode(&text, decoder));
    }
    read
}

fn pair<T: Field>(item: &Node, decoder: &mut Decoder) -> Option<(String, T)> {
    let Some(text) = scalar_text(item) else {
        decoder.problem(item, format!("expected KEY=value, found {}", item.kind()));
        return None;
    };
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Node::text(value, item.at)),
        None => (text, Node::new(Value::Null, item.at)),
    };
    let spaced = key.ends_with(char::is_whitespace);
    if T::TEXT == Text::Variable && spaced && decoder.compat == Compatibility::V2_40 {
        decoder.problem(item, format!("the name {key:?} ends with a space"));
    }
    Some((key, T::decode(&value, decoder)))
}

/// The `%v` form of any value.
pub(crate) fn go_text(node: &Node) -> String {
    match &node.value {
        Value::Null => "<nil>".to_owned(),
        Value::List(items) => {
            let texts: Vec<String> = items.iter().map(go_text).collect();
            format!("[{}]", texts.join(" "))
        }
        Value::Map(map) => {
            let mut texts: Vec<(&String, String)> =
                map.iter().map(|(key, value)| (key, go_text(value))).collect();
            texts.sort();
            let texts: Vec<String> = texts.into_iter().map(|(key, text)| format!("{key}:{text}")).collect();
            format!("map[{}]", texts.join(" "))
        }
        _ => scalar_text(node).unwrap_or_default(),
    }
}

/// How Go prints a scalar with `%v`.
pub(crate) fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Str(text) => Some(text.clone()),
        Value::Timestamp(text) => Some(timestamp_text(text)),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Uint(number) => Some(number.to_string()),
        Value::Float(number) => Some(go_float(*number)),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// The `%v` form of a time whose JSON form is RFC 3339.
fn timestamp_text(text: &str) -> String {
    let (day, rest) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    if let Some(time) = rest.strip_suffix('Z') {
        return format!("{day} {time} +0000 UTC");
    }
    let split = rest.len().saturating_sub(6);
    let (time, zone) = rest.split_at_checked(split).unwrap_or((rest, ""));
    let zone = zone.replace(':', "");
    format!("{day} {time} {zone} {zone}")
}

/// `%v` of a float64: `%g` with the shortest digits, exponents from 1e6 and below 1e-4.
pub(crate) fn go_float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if number.is_nan() {
        return "NaN".to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        let text = format!("{number:e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, power) = power.strip_prefix('-').map_or(("+", power), |rest| ("-", rest));
        return format!("{digits}e{sign}{power:0>2}");
    }
    Json::Float64(number).to_compact()
}
