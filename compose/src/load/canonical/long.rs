//! The long forms of ports, mounts and what else is taken apart from a text.

use crate::load::port;
use crate::load::volume::ShortVolume;
use crate::node::{Map, Node, Position, Value};

/// Text fields that are not empty.
pub(super) fn texts<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, at: Position) -> Map {
    let filled = fields.into_iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(key, value)| (key.to_owned(), Node::text(value, at))).collect()
}

pub(super) fn long_port(port: &port::ShortPort, at: Position) -> Node {
    let mut map = texts([("mode", "ingress"), ("host_ip", &port.host_ip)], at);
    map.insert("target".into(), Node::new(Value::Int(i64::from(port.target)), at));
    map.extend(texts([("published", port.published.as_str()), ("protocol", &port.protocol)], at));
    if port.target == 0 {
        map.shift_remove("target");
    }
    Node::new(Value::Map(map), at)
}

pub(super) fn long_mount(volume: &ShortVolume, at: Position) -> Map {
    let target =
        if volume.target.is_empty() { String::new() } else { crate::names::clean_path(&volume.target) };
    let kind = if volume.is_bind() { "bind" } else { "volume" };
    let mut map = texts([("type", kind), ("source", &volume.source), ("target", &target)], at);
    let yes = || Node::new(Value::Bool(true), at);
    if volume.read_only {
        map.insert("read_only".into(), yes());
    }
    let options = [
        ("selinux", volume.selinux.as_deref().unwrap_or_default()),
        ("propagation", volume.propagation.as_deref().unwrap_or_default()),
    ];
    let mut bind = texts(options, at);
    if volume.is_bind() {
        bind.insert("create_host_path".into(), yes());
    }
    if !bind.is_empty() {
        map.insert("bind".into(), Node::new(Value::Map(bind), at));
    }
    let mut options = Map::new();
    if volume.nocopy {
        options.insert("nocopy".into(), yes());
    }
    if volume.nocopy || (!volume.is_bind() && !volume.bare) {
        map.insert("volume".into(), Node::new(Value::Map(options), at));
    }
    map
}
