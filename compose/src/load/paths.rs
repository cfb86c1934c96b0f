//! Makes relative paths absolute, or relative to the project when they come from an included or extended file.

use crate::error::ErrorClass;
use crate::names::append_path;
use crate::node::{Map, Node, Value};
use crate::problem::Problem;

/// Resolves the paths of a tree against a directory.
pub(super) struct Paths<'a> {
    /// The directory; relative for included and extended files.
    pub base: &'a str,
    /// What `~` stands for.
    pub home: Option<&'a str>,
    pub problems: Vec<Problem>,
}

impl Paths<'_> {
    /// The whole tree.
    pub fn project(&mut self, root: &mut Map) {
        for (name, service) in section(root, "services") {
            if let Some(map) = service.as_map_mut() {
                self.service(name, map);
            }
        }
        for kind in ["configs", "secrets"] {
            for (_, node) in section(root, kind) {
                self.change(node.as_map_mut().and_then(|map| map.get_mut("file")), Self::unix);
            }
        }
        for (_, node) in section(root, "volumes") {
            if let Some(map) = node.as_map_mut() {
                self.device(map);
            }
        }
    }

    fn service(&mut self, name: &str, map: &mut Map) {
        if let Some(build) = map.get_mut("build").and_then(Node::as_map_mut) {
            self.change(build.get_mut("context"), Self::context);
            for (_, node) in section(build, "additional_contexts") {
                self.change(Some(node), Self::context);
            }
            for (_, node) in section(build, "ssh") {
                self.change(Some(node), Self::unix);
            }
        }
        for item in list(map.get_mut("env_file")) {
            self.change(item.as_map_mut().and_then(|map| map.get_mut("path")), Self::plain);
        }
        for item in list(map.get_mut("label_file")) {
            self.change(Some(item), Self::plain);
        }
        let extends = map.get_mut("extends").and_then(Node::as_map_mut);
        self.change(extends.and_then(|map| map.get_mut("file")), Self::plain);
        let develop = map.get_mut("develop").and_then(Node::as_map_mut);
        for item in list(develop.and_then(|map| map.get_mut("watch"))) {
            self.change(item.as_map_mut().and_then(|map| map.get_mut("path")), Self::plain);
        }
        for item in list(map.get_mut("volumes")) {
            self.mount(name, item);
        }
    }

    fn mount(&mut self, service: &str, item: &mut Node) {
        let at = item.at;
        let Some(map) = item.as_map_mut() else { return };
        if map.get("type").and_then(Node::as_str) != Some("bind") {
            return;
        }
        if map.contains_key("source") {
            self.change(map.get_mut("source"), Self::unix);
        } else {
            let problem = Problem::new(ErrorClass::Consistency, at, "a bind mount needs a `source`");
            self.problems.push(problem.path(format!("services.{service}.volumes")));
        }
    }

    /// A volume of the local driver that is really a bind mount.
    fn device(&mut self, volume: &mut Map) {
        if volume.get("driver").and_then(Node::as_str) != Some("local") {
            return;
        }
        let Some(options) = volume.get_mut("driver_opts").and_then(Node::as_map_mut) else {
            return;
        };
        if options.get("o").and_then(Node::as_str) == Some("bind") {
            self.change(options.get_mut("device"), Self::unix);
        }
    }

    fn change(&self, node: Option<&mut Node>, resolve: fn(&Self, &str) -> String) {
        if let Some(node) = node
            && let Value::Str(text) = &node.value
        {
            node.value = Value::Str(resolve(self, text));
        }
    }

    fn expand_home(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) => append_path(home, rest),
            _ => path.to_owned(),
        }
    }

    /// A path of this machine; empty stays empty.
    fn plain(&self, path: &str) -> String {
        let path = self.expand_home(path);
        if path.is_empty() || path.starts_with('/') { path } else { append_path(self.base, &path) }
    }

    /// A path of the engine's machine, which may be a Windows one.
    fn unix(&self, path: &str) -> String {
        let path = self.expand_home(path);
        if path.starts_with('/') || is_windows(&path) { path } else { append_path(self.base, &path) }
    }

    /// A build context: a path, an address or another service.
    fn context(&self, path: &str) -> String {
        const REMOTE: &[&str] =
            &["https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:"];
        if path.contains("://") || REMOTE.iter().any(|prefix| path.starts_with(prefix)) {
            path.to_owned()
        } else {
            self.plain(path)
        }
    }
}

/// A drive or a network share.
fn is_windows(path: &str) -> bool {
    let slash = |byte: Option<&u8>| matches!(byte, Some(b'/' | b'\\'));
    let bytes = path.as_bytes();
    (bytes.get(1) == Some(&b':') && slash(bytes.get(2))) || (slash(bytes.first()) && slash(bytes.get(1)))
}

fn section<'m>(map: &'m mut Map, key: &str) -> impl Iterator<Item = (&'m String, &'m mut Node)> {
    map.get_mut(key).and_then(Node::as_map_mut).into_iter().flatten()
}

fn list(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    let items = node.and_then(|node| match &mut node.value {
        Value::List(items) => Some(items),
        _ => None,
    });
    items.into_iter().flatten()
}
