//! The tree that a YAML document becomes: values with the place they were written at.
//!
//! Owns positions and untyped values. Every stage up to decoding works on it; it knows neither YAML syntax nor Compose.

use indexmap::IndexMap;

use crate::json::Json;

/// Which source file a position lies in: an index into the file table of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId(pub u32);

/// A place in a source file. Line and column count from 1; line 0 means "not written anywhere" (a default).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// The file.
    pub file: FileId,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// A mapping with string keys, in the order written.
pub type Map = IndexMap<String, Node>;

/// A value with its place.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where the value starts.
    pub at: Position,
    /// Where its key stands when it is the value of a mapping.
    pub key: Position,
}

/// Equality of what is said, wherever it is written.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// An untyped value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing, `~` or `null`.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above the signed range.
    Uint(u64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// A date or time, in the form Go prints it.
    Timestamp(String),
    /// Text.
    Str(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Map),
}

impl Node {
    /// A node at a place.
    pub fn new(value: Value, at: Position) -> Self {
        Self { value, at, key: at }
    }

    /// A text node at a place.
    pub fn text(text: impl Into<String>, at: Position) -> Self {
        Self::new(Value::Str(text.into()), at)
    }

    /// The mapping, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Value::Map(map) = &self.value { Some(map) } else { None }
    }

    /// The mapping, to change, if it is one.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        if let Value::Map(map) = &mut self.value { Some(map) } else { None }
    }

    /// The sequence, if it is one.
    pub fn as_list(&self) -> Option<&[Node]> {
        if let Value::List(items) = &self.value { Some(items) } else { None }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(text) = &self.value { Some(text) } else { None }
    }

    /// The child under `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map().and_then(|map| map.get(key))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The value as JSON, mappings sorted by key (as Go prints a map).
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Int(number) => Json::Int(*number),
            Value::Uint(number) => Json::Uint(*number),
            Value::Float(number) => Json::Float64(*number),
            Value::Timestamp(text) => Json::Timestamp(text.clone()),
            Value::Str(text) => Json::Str(text.clone()),
            // An empty list is a nil slice by then, and that is how Go prints one.
            Value::List(items) if items.is_empty() => Json::Null,
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(map) => {
                let mut fields: Vec<_> =
                    map.iter().map(|(key, node)| (key.clone(), node.to_json())).collect();
                fields.sort_by(|left, right| left.0.cmp(&right.0));
                Json::Object(fields)
            }
        }
    }

    /// The value for YAML: as JSON, with mappings in the order of that library.
    pub fn to_yaml(&self) -> Json {
        match &self.value {
            Value::List(items) => Json::Array(items.iter().map(Node::to_yaml).collect()),
            Value::Map(map) => {
                Json::Object(map.iter().map(|(key, node)| (key.clone(), node.to_yaml())).collect())
                    .naturally_sorted()
            }
            _ => self.to_json(),
        }
    }

    /// What kind of value it is, in the words of an error message.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Uint(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Timestamp(_) => "a date",
            Value::Str(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}
