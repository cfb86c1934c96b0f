//! What holds a service's data, with the keys that only some engines have.

use crate::advice::image::program;
use crate::files::nearest;
use crate::node::{Map, Node, Position, Value};
use crate::x_tidegate::reader::Reader;

/// What holds the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres(Databases),
    /// MySQL or MariaDB.
    Mysql(Databases),
    /// Redis or Valkey.
    Redis,
    /// Files of SQLite.
    Sqlite {
        /// Absolute paths in the container; at least one, none twice.
        paths: Vec<String>,
    },
    /// The service's volumes as files.
    Volume {
        /// What becomes of the service meanwhile.
        consistency: Consistency,
    },
}

/// What is dumped of a server with several databases, and how it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Databases {
    /// Which of them; none for all that are not templates.
    pub names: Vec<String>,
    /// The superuser inside the container; none where the container's variables say it.
    pub user: Option<String>,
    /// SQL that has to answer true on what was restored on trial.
    pub checks: Vec<String>,
}

/// What becomes of a service while its volumes are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Its processes stand still.
    #[default]
    Pause,
    /// It is stopped and started again.
    Stop,
    /// It runs on.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Postgres,
    Mysql,
    Redis,
    Sqlite,
    Volume,
}

const KINDS: &[(&str, Kind)] = &[
    ("postgres", Kind::Postgres),
    ("mysql", Kind::Mysql),
    ("redis", Kind::Redis),
    ("sqlite", Kind::Sqlite),
    ("volume", Kind::Volume),
];

/// Programs whose data is known by the image's name. Whole names: `postgres-exporter` holds no data, and a wrong guess
/// would be a backup of nothing.
const PROGRAMS: &[(&str, Kind)] = &[
    ("postgres", Kind::Postgres),
    ("postgresql", Kind::Postgres),
    ("postgis", Kind::Postgres),
    ("timescale", Kind::Postgres),
    ("timescaledb", Kind::Postgres),
    ("timescaledb-ha", Kind::Postgres),
    ("mysql", Kind::Mysql),
    ("mysql-server", Kind::Mysql),
    ("mariadb", Kind::Mysql),
    ("mariadb-server", Kind::Mysql),
    ("redis", Kind::Redis),
    ("redis-stack", Kind::Redis),
    ("redis-stack-server", Kind::Redis),
    ("valkey", Kind::Redis),
];

/// Keys that only some engines have.
const OWNED: &[(&str, &[Kind])] = &[
    ("databases", &[Kind::Postgres, Kind::Mysql]),
    ("user", &[Kind::Postgres, Kind::Mysql]),
    ("checks", &[Kind::Postgres, Kind::Mysql]),
    ("paths", &[Kind::Sqlite]),
    ("consistency", &[Kind::Volume]),
];

impl Kind {
    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

fn names() -> String {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

impl Engine {
    /// As the file names it: `postgres`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => Kind::Postgres,
            Self::Mysql(_) => Kind::Mysql,
            Self::Redis => Kind::Redis,
            Self::Sqlite { .. } => Kind::Sqlite,
            Self::Volume { .. } => Kind::Volume,
        }
        .name()
    }
}

impl Reader<'_> {
    pub(super) fn engine(&mut self, map: &Map, (node, path): (&Node, &str), image: &str) -> Option<Engine> {
        let kind = match map.get("engine") {
            Some(value) => self.engine_kind(value, &format!("{path}.engine")),
            None => self.guessed((node, path), image),
        }?;
        self.foreign_keys(map, path, kind);
        Some(match kind {
            Kind::Postgres => Engine::Postgres(self.databases(map, path)),
            Kind::Mysql => Engine::Mysql(self.databases(map, path)),
            Kind::Redis => Engine::Redis,
            Kind::Sqlite => Engine::Sqlite { paths: self.sqlite_paths(map, (node, path)) },
            Kind::Volume => Engine::Volume { consistency: self.consistency(map, path)? },
        })
    }

    fn engine_kind(&mut self, node: &Node, path: &str) -> Option<Kind> {
        let found = KINDS.iter().find(|(name, _)| node.as_str() == Some(*name));
        if found.is_none() {
            let near = node.as_str().and_then(|word| nearest(word, KINDS.iter().map(|(name, _)| *name)));
            let hint = near.map(|name| format!("did you mean `{name}`?"));
            self.fail(node.at, path, (format!("expected one of {}", names()), hint));
        }
        found.map(|(_, kind)| *kind)
    }

    fn guessed(&mut self, (node, path): (&Node, &str), image: &str) -> Option<Kind> {
        let found = PROGRAMS.iter().find(|(name, _)| program(image) == *name);
        if found.is_none() {
            let message = if image.is_empty() {
                "`engine` is missing, and there is no `image` whose name would tell it".to_owned()
            } else {
                format!("`engine` is missing, and the image's name does not tell it: {image}")
            };
            let hint = Some(format!("add `engine:` with one of {}", names()));
            self.fail(node.key, &format!("{path}.engine"), (message, hint));
        }
        found.map(|(_, kind)| *kind)
    }

    fn foreign_keys(&mut self, map: &Map, path: &str, kind: Kind) {
        for (key, owners) in OWNED {
            let Some(node) = map.get(*key).filter(|_| !owners.contains(&kind)) else { continue };
            let owners: Vec<&str> = owners.iter().map(|owner| owner.name()).collect();
            let owners = owners.join(" and ");
            let message = format!("`{key}` is for {owners}, and this is a backup of {}", kind.name());
            let hint = Some("remove it, or write another `engine`".to_owned());
            self.fail(node.key, &format!("{path}.{key}"), (message, hint));
        }
    }

    fn databases(&mut self, map: &Map, path: &str) -> Databases {
        let user = map.get("user").and_then(|n| self.text(n, &format!("{path}.user")));
        let mut texts =
            |key| self.texts(map, path, key).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        Databases { names: texts("databases"), user, checks: texts("checks") }
    }

    fn texts(&mut self, map: &Map, path: &str, key: &str) -> Vec<(String, Position)> {
        let Some(node) = map.get(key) else { return Vec::new() };
        let path = format!("{path}.{key}");
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let hint = Some(format!("name at least one, or leave `{key}` out"));
            self.fail(node.at, &path, ("the list is empty".to_owned(), hint));
        }
        self.distinct(node, &path)
    }

    fn sqlite_paths(&mut self, map: &Map, (node, path): (&Node, &str)) -> Vec<String> {
        if !map.contains_key("paths") {
            let message = "`paths` is missing: which files are the databases".to_owned();
            let hint = Some("add their paths in the container: `paths: [/data/app.db]`".to_owned());
            self.fail(node.key, path, (message, hint));
        }
        let mut paths = Vec::new();
        for (text, at) in self.texts(map, path, "paths") {
            if text.starts_with('/') && !text.ends_with('/') && !text.split('/').any(|part| part == "..") {
                paths.push(text);
                continue;
            }
            let message = format!("{text:?} is not the path of a file in the container");
            let hint = Some("write it from the root on, without `..`: /data/app.db".to_owned());
            self.fail(at, &format!("{path}.paths"), (message, hint));
        }
        paths
    }

    fn consistency(&mut self, map: &Map, path: &str) -> Option<Consistency> {
        let Some(node) = map.get("consistency") else { return Some(Consistency::default()) };
        match node.as_str() {
            Some("pause") => Some(Consistency::Pause),
            Some("stop") => Some(Consistency::Stop),
            Some("none") => Some(Consistency::None),
            other => {
                let known = ["pause", "stop", "none"];
                let near = other.and_then(|word| nearest(word, known));
                let hint = near.map(|name| format!("did you mean `{name}`?"));
                let message = format!("expected one of {}", known.join(", "));
                self.fail(node.at, &format!("{path}.consistency"), (message, hint));
                None
            }
        }
    }
}
