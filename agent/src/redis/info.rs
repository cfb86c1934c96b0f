//! What a server tells of itself, from what it prints. Pure.

use std::collections::BTreeMap;

use super::{RedisError, rdb::Keyspace};

/// What a server tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What it is, such as `Valkey`.
    pub program: &'static str,
    /// Its version: `8.0.2`.
    pub version: String,
    /// Whether it follows another one, whose data comes back whatever is done here.
    pub is_replica: bool,
    /// Whether it has a part of a cluster's keys.
    pub is_cluster: bool,
    /// Bytes that its data takes in memory.
    pub memory: u64,
    /// Whether it still reads its data.
    pub is_loading: bool,
    /// Keys of each database.
    pub keys: Keyspace,
}

impl Facts {
    /// From what `INFO` answers.
    ///
    /// # Errors
    /// When that is something else.
    pub fn parse(answer: &str) -> Result<Self, RedisError> {
        let fields: BTreeMap<&str, &str> =
            answer.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let wrong = || RedisError::Answer { asked: "what it is", answer: answer.chars().take(200).collect() };
        let valkey = fields.get("valkey_version");
        let version = valkey.or_else(|| fields.get("redis_version")).ok_or_else(wrong)?;
        let is = |key: &str, value: &str| fields.get(key).is_some_and(|told| *told == value);
        let keys = fields.iter().filter_map(|(key, told)| {
            let database = key.strip_prefix("db")?.parse().ok()?;
            let keys = told.split(',').find_map(|part| part.strip_prefix("keys="))?.parse().ok()?;
            Some((database, keys))
        });
        Ok(Self {
            program: if valkey.is_some() { "Valkey" } else { "Redis" },
            version: (*version).to_owned(),
            is_replica: is("role", "slave"),
            is_cluster: is("cluster_enabled", "1"),
            memory: fields.get("used_memory").and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
            is_loading: !is("loading", "0"),
            keys: keys.collect(),
        })
    }
}

/// Major and minor version of a program, from what it prints: `redis-cli 8.0.2`.
pub(super) fn tool_version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let told = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nused_memory:1024\r\n\
                    loading:0\r\nrole:master\r\ncluster_enabled:0\r\n# Keyspace\r\ndb0:keys=22,expires=2,avg_ttl=0\r\ndb7:keys=70,expires=0\r\n";
        let facts = Facts::parse(told).unwrap();
        assert_eq!((facts.program, facts.version.as_str(), facts.memory), ("Valkey", "8.1.1", 1024));
        assert!(!facts.is_replica && !facts.is_cluster && !facts.is_loading);
        assert_eq!(facts.keys, Keyspace::from([(0, 22), (7, 70)]));
        assert!(Facts::parse("NOPERM no").is_err());
        assert!(Facts::parse("redis_version:7.0.1\nloading:1\nrole:slave").unwrap().is_replica);
        assert_eq!(tool_version("redis-cli 8.0.2"), Some((8, 0)));
        assert_eq!(tool_version("valkey-cli 8.1.1 (git:0)"), Some((8, 1)));
        assert_eq!(tool_version(""), None);
    }
}
