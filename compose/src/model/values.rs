//! Values with a form of their own: sizes, durations, commands, modes, host lists.

use std::collections::BTreeMap;
use std::time::Duration;

use super::field::{Decoder, Field};
use super::texts::scalar_text;
use crate::compat::Compatibility;
use crate::json::Json;
use crate::node::{Node, Value};
use crate::text::{duration, shellwords, size};

/// A size in bytes, printed as a string of digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub i64);

impl Field for ByteSize {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::Int(number) => Self(*number),
            Value::Str(text) => match size::parse(text, decoder.compat) {
                Ok(bytes) => Self(bytes),
                Err(error) => {
                    decoder.problem(node, error.to_string());
                    Self::default()
                }
            },
            _ => Self::default(),
        }
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Str(self.0.to_string())
    }
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

/// A span of time in nanoseconds, printed in Go's form (`1m30s`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub i64);

impl GoDuration {
    /// The span; a negative one is zero.
    pub fn to_duration(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Field for GoDuration {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let text = scalar_text(node).unwrap_or_default();
        let read = match decoder.compat {
            Compatibility::V2_40 => duration::parse_with_days(&text),
            Compatibility::V2_26 => duration::parse(&text),
        };
        match read {
            Ok(nanos) => Self(nanos),
            Err(error) => {
                decoder.problem(node, error.to_string());
                Self::default()
            }
        }
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Str(duration::format(self.0))
    }
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

/// A command line: `None` is unset, an empty list is set to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command(pub Option<Vec<String>>);

impl Field for Command {
    const OMITTED_IN_YAML: bool = true;
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::Str(text) => match shellwords::split(text) {
                Ok(words) => Self(Some(words)),
                Err(error) => {
                    decoder.problem(node, error.to_string());
                    Self::default()
                }
            },
            Value::List(_) => Self(Some(Vec::decode(node, decoder))),
            _ => Self::default(),
        }
    }
    fn encode(&self, compat: Compatibility) -> Json {
        self.0.as_ref().map_or(Json::Null, |words| words.encode(compat))
    }
    fn is_zero(&self) -> bool {
        self.0.is_none()
    }
}

/// The test of a health check: `CMD`, `CMD-SHELL` or `NONE` and what follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthTest(pub Vec<String>);

impl Field for HealthTest {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::Str(text) => Self(vec!["CMD-SHELL".to_owned(), text.clone()]),
            _ => Self(Vec::decode(node, decoder)),
        }
    }
    fn encode(&self, compat: Compatibility) -> Json {
        self.0.encode(compat)
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

/// The permission bits of a secret or config.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileMode(pub i64);

impl Field for FileMode {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let read = match &node.value {
            Value::Int(number) if decoder.compat == Compatibility::V2_40 || *number >= 0 => Some(*number),
            Value::Str(text) if decoder.compat == Compatibility::V2_40 => i64::from_str_radix(text, 8).ok(),
            Value::Null => Some(0),
            _ => None,
        };
        Self(read.unwrap_or_else(|| {
            decoder.problem(node, "is not a file mode; write one like 0440".to_owned());
            0
        }))
    }
    fn encode(&self, compat: Compatibility) -> Json {
        match compat {
            Compatibility::V2_40 => {
                let sign = if self.0 < 0 { "-" } else { "" };
                Json::Str(format!("0{sign}{:o}", self.0.unsigned_abs()))
            }
            Compatibility::V2_26 => Json::Int(self.0),
        }
    }
    fn is_zero(&self) -> bool {
        false
    }
}

/// How many devices are asked for; -1 is all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceCount(pub i64);

impl Field for DeviceCount {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match &node.value {
            Value::Int(number) => Self(*number),
            Value::Str(text) if text.eq_ignore_ascii_case("all") => Self(-1),
            Value::Str(text) => Self(text.parse().unwrap_or_else(|_| {
                let message = format!("{text:?} is no device count; only `all` or a number is");
                decoder.problem(node, message);
                0
            })),
            _ => Self::default(),
        }
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Int(self.0)
    }
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

/// Options of a driver: any scalar becomes text, nothing becomes empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(pub BTreeMap<String, String>);

impl Field for Options {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        Self(BTreeMap::decode(node, decoder))
    }
    fn encode(&self, compat: Compatibility) -> Json {
        self.0.encode(compat)
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        self.0.to_yaml(compat)
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

/// A map whose values must be text or integers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextMap(pub BTreeMap<String, String>);

impl Field for TextMap {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let mut read = BTreeMap::new();
        for (key, value) in decoder.map(node).into_iter().flatten() {
            read.insert(key.clone(), decoder.below(key, |d| String::decode(value, d)));
        }
        Self(read)
    }
    fn encode(&self, compat: Compatibility) -> Json {
        self.0.encode(compat)
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        self.0.to_yaml(compat)
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

/// Options that may be given more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MultiOptions(pub BTreeMap<String, Vec<String>>);

impl Field for MultiOptions {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let Some(map) = decoder.map(node) else {
            return Self::default();
        };
        let values = |value: &Node| match &value.value {
            Value::List(items) => items.iter().filter_map(scalar_text).collect(),
            _ => vec![scalar_text(value).unwrap_or_else(|| "<nil>".to_owned())],
        };
        Self(map.iter().map(|(key, value)| (key.clone(), values(value))).collect())
    }
    fn encode(&self, compat: Compatibility) -> Json {
        self.0.encode(compat)
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        self.0.to_yaml(compat)
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

/// Extra host names with their addresses, printed as a sorted list of `host=address`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostsList(pub BTreeMap<String, Vec<String>>);

impl HostsList {
    /// The entries as `host<separator>address`, sorted.
    pub fn entries(&self, separator: &str) -> Vec<String> {
        let mut list: Vec<String> = self
            .0
            .iter()
            .flat_map(|(host, ips)| ips.iter().map(move |ip| format!("{host}{separator}{ip}")))
            .collect();
        list.sort();
        list
    }

    fn add(&mut self, host: &str, ips: Vec<String>, (node, decoder): (&Node, &mut Decoder)) {
        if host.is_empty() || host.contains([':', '=']) {
            decoder.problem(node, format!("bad host name {host:?}"));
            return;
        }
        let bare = |ip: String| match ip.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) if !inner.is_empty() => inner.to_owned(),
            _ => ip,
        };
        self.0.entry(host.to_owned()).or_default().extend(ips.into_iter().map(bare));
    }
}

impl Field for HostsList {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let mut hosts = Self::default();
        match &node.value {
            Value::Map(map) => {
                for (host, value) in map {
                    let ips = match &value.value {
                        Value::List(items) => items.iter().filter_map(scalar_text).collect(),
                        _ => vec![scalar_text(value).unwrap_or_default()],
                    };
                    hosts.add(host, ips, (value, decoder));
                }
            }
            Value::List(items) => {
                for item in items {
                    let text = scalar_text(item).unwrap_or_default();
                    let Some((host, ips)) = text.split_once('=').or_else(|| text.split_once(':')) else {
                        decoder.problem(item, format!("host {text:?} lacks its address; write host=address"));
                        continue;
                    };
                    hosts.add(host, ips.split(',').map(str::to_owned).collect(), (item, decoder));
                }
            }
            _ => {}
        }
        hosts
    }
    fn encode(&self, compat: Compatibility) -> Json {
        self.entries("=").encode(compat)
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}
