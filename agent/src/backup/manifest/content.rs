//! What parts hold and what they were taken from, as values. Must not know how it is taken.

use serde::{Deserialize, Serialize};

/// What the data was taken from, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Which engine.
    pub kind: EngineKind,
    /// The server's version as it tells it, such as `17.2`; empty for a volume.
    pub server_version: String,
    /// The version of the program that wrote the data, such as `pg_dump (PostgreSQL) 17.2`.
    pub tool_version: String,
    /// The reference of the service's image, as the Compose file has it.
    pub image: String,
    /// The id of that image, `sha256:...`.
    pub image_id: String,
}

/// An engine whose data is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// PostgreSQL.
    PostgreSql,
    /// MySQL or MariaDB.
    MySql,
    /// Redis or Valkey.
    Redis,
    /// A file of SQLite.
    Sqlite,
    /// Files of a volume, of no engine that we know.
    Volume,
}

impl EngineKind {
    /// The engine of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::PostgreSql, Self::MySql, Self::Redis, Self::Sqlite, Self::Volume]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// As the Compose file names it: `postgres`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostgreSql => "postgres",
            Self::MySql => "mysql",
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
            Self::Volume => "volume",
        }
    }
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Content {
    /// One database, in `pg_dump`'s custom format.
    PostgresDump {
        /// The database's name.
        database: String,
    },
    /// Roles and tablespaces of the cluster, SQL of `pg_dumpall --globals-only`.
    PostgresGlobals,
    /// One database, SQL.
    MySqlDump {
        /// The database's name.
        database: String,
    },
    /// All databases of a Redis, an RDB file.
    RedisSnapshot,
    /// One database file of SQLite, as `VACUUM INTO` writes it.
    SqliteFile {
        /// Its path in the container.
        path: String,
    },
    /// The files of a volume, a tar archive.
    VolumeArchive {
        /// The volume's key in the Compose file.
        volume: String,
    },
}

/// How many rows a table had when the backup was taken. Of a Redis: how many keys a database had, as table `keys` of schema `db0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableCount {
    /// The schema.
    pub schema: String,
    /// The table.
    pub name: String,
    /// Its rows, counted in the backup's own snapshot.
    pub rows: u64,
}
