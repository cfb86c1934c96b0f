//! YAML text to trees: anchors, merge keys, several documents, duplicate keys, `!reset` and `!override`.
//!
//! Owns how docker compose's YAML library maps YAML to values, and the budgets that keep a hostile file small: nodes
//! after alias expansion and depth. The events come from `granit-parser`; nothing here knows Compose.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag, YamlVersion};

use super::scalar;
use crate::error::ErrorClass;
use crate::node::{FileId, Map, Node, Position, Value};
use crate::problem::Problem;

/// The most nodes that the files of a load may have after aliases are expanded.
pub(super) const MAX_NODES: usize = 400_000;
/// The most bytes of text that aliases may repeat.
const MAX_ALIAS_BYTES: usize = 16 << 20;
/// The deepest nesting.
const MAX_DEPTH: usize = 100;

/// A document with the paths that `!reset` and `!override` were put on.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The root; none for a document that is reset as a whole.
    pub root: Node,
    /// Paths that are deleted from what came before.
    pub resets: Vec<Vec<String>>,
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub documents: Vec<Document>,
    pub problems: Vec<Problem>,
    /// Whether it was read to its end.
    pub whole: bool,
}

struct Anchor {
    node: Option<Node>,
    size: usize,
    bytes: usize,
    overrides: Vec<Vec<String>>,
}

struct Builder<'i> {
    parser: Parser<'i, granit_parser::StrInput<'i>>,
    file: FileId,
    anchors: HashMap<usize, Rc<Anchor>>,
    path: Vec<Step>,
    resets: Vec<Vec<String>>,
    problems: Vec<Problem>,
    nodes: &'i mut usize,
    depth: usize,
    /// Bytes of text so far, and of those the ones that aliases repeated.
    bytes: usize,
    repeated: usize,
}

/// A step on the way to a value; it becomes text only where somebody asks for it.
enum Step {
    Key(String),
    Item(usize),
}

impl Step {
    fn text(&self) -> String {
        match self {
            Self::Key(key) => key.clone(),
            Self::Item(index) => format!("[{index}]"),
        }
    }
}

/// What stopped the reading of a file.
struct Stop;

/// Reads all documents of a file, up to the first that is no YAML. `nodes` counts over the files of a load.
pub(super) fn read(text: &str, file: FileId, nodes: &mut usize) -> Text {
    let mut options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    options.set_emit_comments(false);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(text, options),
        file,
        anchors: HashMap::new(),
        path: Vec::new(),
        resets: Vec::new(),
        problems: Vec::new(),
        nodes,
        depth: 0,
        bytes: 0,
        repeated: 0,
    };
    let mut documents = Vec::new();
    let whole = builder.documents(&mut documents).is_ok();
    Text { documents, problems: builder.problems, whole }
}

impl<'i> Builder<'i> {
    fn documents(&mut self, documents: &mut Vec<Document>) -> Result<(), Stop> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_, version) => {
                    self.version(version, &span)?;
                    self.anchors.clear();
                    let (event, span) = self.next()?;
                    let root = self.node(event, span)?.unwrap_or_default();
                    documents.push(Document { root, resets: std::mem::take(&mut self.resets) });
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'i>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let at = position(self.file, error.marker());
                let message = format!("not valid YAML: {}", error.info());
                self.problems.push(Problem::new(ErrorClass::Yaml, at, message));
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// The library of docker compose takes `%YAML 1.1` only.
    fn version(&mut self, version: Option<YamlVersion>, span: &Span) -> Result<(), Stop> {
        match version {
            Some(version) if (version.major, version.minor) != (1, 1) => {
                let at = position(self.file, &span.start);
                self.fail(at, "docker compose reads YAML 1.1 only; remove the %YAML directive");
                Err(Stop)
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self, at: Position, message: impl Into<String>) {
        self.problems.push(Problem::new(ErrorClass::Yaml, at, message).path(self.texts().join(".")));
    }

    fn texts(&self) -> Vec<String> {
        self.path.iter().map(Step::text).collect()
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), Stop> {
        *self.nodes = self.nodes.saturating_add(nodes);
        if *self.nodes > MAX_NODES {
            let message = format!("the files have more than {MAX_NODES} values after aliases are expanded");
            self.fail(at, message);
            return Err(Stop);
        }
        Ok(())
    }

    /// The value an event starts; none when it is `!reset` away.
    fn node(&mut self, event: Event<'i>, span: Span) -> Result<Option<Node>, Stop> {
        let at = position(self.file, &span.start);
        self.count(1, at)?;
        if let Event::Alias(id) = event {
            return self.alias(id, at);
        }
        let anchor = event.anchor_id();
        let (size, bytes, marks) = (*self.nodes, self.bytes, self.resets.len());
        let tag = Mark::of(event.tag());
        if tag != Mark::Plain {
            self.resets.push(self.texts());
        }
        let value = self.value(event, at)?;
        let node = (tag != Mark::Reset).then(|| Node::new(value, at));
        if let Some(id) = anchor.filter(|id| *id > 0) {
            let depth = self.path.len();
            let new = self.resets.iter().skip(marks);
            let overrides = new.filter_map(|path| path.get(depth..).map(<[String]>::to_vec));
            let (size, bytes) = (*self.nodes - size + 1, self.bytes - bytes);
            let node = node.clone();
            let anchor = Anchor { node, size, bytes, overrides: overrides.collect() };
            self.anchors.insert(id, Rc::new(anchor));
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, at: Position) -> Result<Option<Node>, Stop> {
        let Some(anchor) = self.anchors.get(&id).cloned() else {
            self.fail(at, "an anchor contains itself");
            return Err(Stop);
        };
        self.count(anchor.size, at)?;
        self.bytes = self.bytes.saturating_add(anchor.bytes);
        self.repeated = self.repeated.saturating_add(anchor.bytes);
        if self.repeated > MAX_ALIAS_BYTES {
            self.fail(at, format!("aliases repeat more than {MAX_ALIAS_BYTES} bytes of text"));
            return Err(Stop);
        }
        for path in &anchor.overrides {
            let mut whole = self.texts();
            whole.extend(path.iter().cloned());
            self.resets.push(whole);
        }
        Ok(anchor.node.clone())
    }

    fn value(&mut self, event: Event<'i>, at: Position) -> Result<Value, Stop> {
        match event {
            Event::Scalar(text, style, _, tag) => Ok(self.scalar(&text, style, (tag.as_deref(), at))),
            Event::SequenceStart(..) => self.nested(at, Self::sequence),
            Event::MappingStart(..) => self.nested(at, Self::mapping),
            _ => Ok(Value::Null),
        }
    }

    fn nested(
        &mut self,
        at: Position,
        read: impl FnOnce(&mut Self) -> Result<Value, Stop>,
    ) -> Result<Value, Stop> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.fail(at, format!("nested deeper than {MAX_DEPTH} levels"));
            return Err(Stop);
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, (tag, at): (Option<&Tag>, Position)) -> Value {
        let plain = style == ScalarStyle::Plain;
        self.bytes = self.bytes.saturating_add(text.len());
        match tag.and_then(Tag::core_suffix) {
            None if plain && tag.is_none() => scalar::resolve(text),
            Some(tag @ ("int" | "float")) => match (scalar::resolve(text), tag) {
                (Value::Int(number), "float") => number.to_string().parse().map_or(Value::Null, Value::Float),
                (number @ (Value::Int(_) | Value::Uint(_)), "int") | (number @ Value::Float(_), "float") => {
                    number
                }
                _ => {
                    self.fail(at, format!("{text:?} is not the number its tag says"));
                    Value::Null
                }
            },
            Some("bool") => scalar::resolve(text),
            Some("null") => Value::Null,
            _ if is_binary(tag) => {
                let read = scalar::binary(text).map(Value::Str);
                if read.is_none() {
                    self.fail(at, "this is not the text in base64 that its tag says");
                }
                read.unwrap_or_default()
            }
            _ => Value::Str(text.to_owned()),
        }
    }

    fn sequence(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::List(items));
            }
            self.path.push(Step::Item(items.len()));
            let item = self.node(event, span);
            self.path.pop();
            items.extend(item?);
        }
    }

    fn mapping(&mut self) -> Result<Value, Stop> {
        let mut map = Map::new();
        // Keys that were reset away.
        let mut gone: HashMap<String, u32> = HashMap::new();
        let mut merges = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let at = position(self.file, &span.start);
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key(event, span, at)?;
            let first = map.get(&key).map(|node| node.key.line);
            if let Some(line) = first.or_else(|| gone.get(&key).copied()) {
                self.fail(at, format!("key {key:?} is given twice, first in line {line}"));
            }
            let (event, span) = self.next()?;
            if merge {
                // What is merged stands at the path of the mapping itself.
                gone.insert(key, at.line);
                merges.extend(self.node(event, span)?);
                continue;
            }
            self.path.push(Step::Key(key));
            let value = self.node(event, span);
            let Some(Step::Key(key)) = self.path.pop() else { continue };
            match value? {
                Some(mut node) => {
                    node.key = at;
                    map.insert(key, node);
                }
                None => {
                    gone.insert(key, at.line);
                }
            }
        }
        for node in merges {
            self.merge(&mut map, node);
        }
        Ok(Value::Map(map))
    }

    /// Puts the keys of a `<<` value below those that are there.
    fn merge(&mut self, map: &mut Map, node: Node) {
        match node.value {
            Value::Map(other) => {
                for (key, value) in other {
                    map.entry(key).or_insert(value);
                }
            }
            Value::List(items) if items.iter().all(|item| item.as_map().is_some()) => {
                for item in items {
                    self.merge(map, item);
                }
            }
            _ => self.fail(node.at, "a merge key (<<) takes a mapping or a list of mappings"),
        }
    }

    fn key(&mut self, event: Event<'i>, span: Span, at: Position) -> Result<String, Stop> {
        let plain = match &event {
            Event::Scalar(text, style, _, tag) => Some((text.to_string(), *style, tag.is_none())),
            _ => None,
        };
        let node = self.node(event, span)?.unwrap_or_default();
        match (node.value, plain) {
            (Value::Str(key), _) => Ok(key),
            (_, Some((text, _, _))) => {
                let message = format!("the key {text:?} is not a string; put it in quotes");
                let problem = Problem::new(ErrorClass::Yaml, at, message);
                self.problems.push(problem.path(self.texts().join(".")));
                Ok(text)
            }
            _ => {
                self.fail(at, "a key is a string, not a list or mapping");
                Err(Stop)
            }
        }
    }
}

/// Whether the text stands for bytes in base64.
fn is_binary(tag: Option<&Tag>) -> bool {
    let suffix =
        |tag: &Tag| tag.suffix_in_namespace("tag:yaml.org,2002:").is_some_and(|name| name == "binary");
    tag.is_some_and(suffix)
}

/// What a node's tag does to the files before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    Reset,
    Override,
}

impl Mark {
    fn of(tag: Option<&Tag>) -> Self {
        match tag.map(Tag::original).as_deref() {
            Some("!reset") => Self::Reset,
            Some("!override") => Self::Override,
            _ => Self::Plain,
        }
    }
}

fn position(file: FileId, marker: &granit_parser::Marker) -> Position {
    Position {
        file,
        line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
        column: u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(1),
    }
}
