//! A backup as tests need one.

use super::{
    Measure, Part,
    manifest::{Content, Engine, EngineKind, Manifest, TableCount},
};
use crate::apps::{AppName, ReleaseNumber, ServiceName};

/// A manifest with two parts.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        id: "20261122T030000Z-4f2a91c0".parse().unwrap(),
        taken_at: "2026-11-22T03:00:01.5Z".parse().unwrap(),
        finished_at: "2026-11-22T03:00:09Z".parse().unwrap(),
        fleet: "shop".parse().unwrap(),
        environment: "production".parse().unwrap(),
        droplet: "7".parse().unwrap(),
        enrolment: "e1".parse().unwrap(),
        app: AppName::new("shop").unwrap(),
        service: ServiceName::new("db"),
        release: Some(ReleaseNumber::new(42)),
        migration: Some("0007".to_owned()),
        engine: Engine {
            kind: EngineKind::PostgreSql,
            server_version: "17.2".to_owned(),
            tool_version: "pg_dump (PostgreSQL) 17.2".to_owned(),
            image: "postgres:17".to_owned(),
            image_id: "sha256:1234".to_owned(),
        },
        parts: vec![
            part("database-shop.dump.zst.age", Content::PostgresDump { database: "shop".to_owned() }),
            part("globals.sql.zst.age", Content::PostgresGlobals),
        ],
        recipients: vec!["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".to_owned()],
    }
}

fn part(name: &str, content: Content) -> Part {
    let tables = match &content {
        Content::PostgresDump { .. } => {
            vec![TableCount { schema: "public".to_owned(), name: "orders".to_owned(), rows: 3 }]
        }
        _ => Vec::new(),
    };
    Part {
        name: name.parse().unwrap(),
        content,
        plain: Measure::of(b"plain"),
        stored: Measure::of(b"stored"),
        header: Measure::of(b"st"),
        tables,
    }
}
