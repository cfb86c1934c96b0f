//! The part of a backup of Redis: one snapshot of all databases.

use super::{
    super::{BackupError, source::RedisSource},
    InPart, Writing,
};
use crate::{
    backup::manifest::{Content, TableCount},
    redis::{Counted, Keyspace},
};

/// What a database's keys are called where others have tables.
const KEYS: &str = "keys";

impl Writing<'_> {
    pub(super) async fn redis(&mut self, source: &RedisSource) -> Result<(), BackupError> {
        let what = "all databases";
        let now = self.inner.clock.now();
        let snapshot = source.redis.snapshot().await;
        let (rdb, tally) =
            snapshot.map_err(|source| BackupError::Dump { what: what.to_owned(), source: source.into() })?;
        // The server takes it a little later: what was written before this moment is in it.
        self.taken_at.get_or_insert(now);
        let name = RedisSource::part_name()?;
        self.part((name, what), (Content::RedisSnapshot, || in_part(tally.counted())), rdb).await
    }
}

fn in_part(counted: Option<Counted>) -> InPart {
    match counted {
        Some(Counted::Keys(keys)) => {
            let count = keys.values().fold(0_u64, |sum, keys| sum.saturating_add(*keys));
            InPart { told: format!("{count} keys in {} databases", keys.len()), tables: tables(&keys) }
        }
        Some(Counted::Unknown(what, number)) => InPart {
            told: format!("keys not counted (there is a {what} {number}, which this agent does not know)"),
            tables: Vec::new(),
        },
        None => InPart { told: "keys not counted".to_owned(), tables: Vec::new() },
    }
}

/// Keys as a manifest has them: as rows of the table `keys`, in a schema for each database.
pub(in crate::backup_runs) fn tables(keys: &Keyspace) -> Vec<TableCount> {
    let table = |(database, rows): (&u64, &u64)| TableCount {
        schema: format!("db{database}"),
        name: KEYS.to_owned(),
        rows: *rows,
    };
    keys.iter().map(table).collect()
}
