//! Databases that the world can reach.

use super::{Look, Rule, image};
use crate::model::Port;

const PUBLISHED: Rule = Rule {
    name: "published-database",
    why: "Docker opens published ports past the droplet's own firewall, so whoever reaches the droplet reaches the database",
};

/// Programs that keep data, by the name of their image.
const PROGRAMS: &[&str] = &[
    "cassandra",
    "clickhouse",
    "clickhouse-server",
    "cockroach",
    "couchdb",
    "elasticsearch",
    "etcd",
    "influxdb",
    "keydb",
    "mariadb",
    "memcached",
    "mongo",
    "mongodb",
    "mssql",
    "mysql",
    "mysql-server",
    "neo4j",
    "opensearch",
    "percona",
    "pgvector",
    "postgis",
    "postgres",
    "postgresql",
    "rabbitmq",
    "redis",
    "redis-stack",
    "redis-stack-server",
    "rethinkdb",
    "scylla",
    "server-mssql",
    "surrealdb",
    "timescaledb",
    "valkey",
];

/// Ports that such programs listen on.
const PORTS: &[(u32, &str)] = &[
    (1433, "SQL Server"),
    (1521, "Oracle"),
    (2379, "etcd"),
    (3306, "MySQL"),
    (5432, "PostgreSQL"),
    (5984, "CouchDB"),
    (6379, "Redis"),
    (7687, "Neo4j"),
    (9042, "Cassandra"),
    (9200, "Elasticsearch"),
    (11211, "memcached"),
    (26257, "CockroachDB"),
    (27017, "MongoDB"),
];

pub(super) fn rules(look: &mut Look<'_>) {
    for (name, service) in &look.loaded.project.services {
        let keeps_data = PROGRAMS.contains(&image::program(&service.image));
        for (index, port) in service.ports.iter().enumerate() {
            let known = PORTS.iter().find(|(number, _)| *number == port.target);
            let what = match known {
                Some((_, what)) => (*what).to_owned(),
                None if keeps_data => image::program(&service.image).to_owned(),
                None => continue,
            };
            if is_loopback(port) {
                continue;
            }
            let target = port.target;
            let message = format!("port {target} of {name} ({what}) is published to {}", addresses(port));
            let cure = format!(
                "remove it: other services reach {name}:{target} without it; for yourself publish 127.0.0.1:{target}:{target} and go through ssh"
            );
            look.say(&PUBLISHED, &format!("services.{name}.ports.{index}"), (message, cure));
        }
    }
}

fn is_loopback(port: &Port) -> bool {
    port.host_ip.starts_with("127.") || matches!(port.host_ip.as_str(), "::1" | "localhost")
}

fn addresses(port: &Port) -> String {
    match port.host_ip.as_str() {
        "" | "0.0.0.0" | "::" => "all addresses of the droplet".to_owned(),
        one => one.to_owned(),
    }
}
