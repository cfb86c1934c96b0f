//! The ingress's tables. SQL only.

use std::{collections::BTreeSet, net::Ipv4Addr};

use rusqlite::{Connection, Transaction, params};

use super::{AppRoutes, Changed, Maintenance, Route};
use crate::{
    apps::{AppName, ServiceName},
    store::{Database, DatabaseError, Migration},
};

/// The tables of the ingress.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        module: "ingress",
        number: 1,
        sql: "
CREATE TABLE ingress_route (
    app TEXT NOT NULL, service TEXT NOT NULL, host TEXT, path TEXT NOT NULL, port INTEGER NOT NULL) STRICT;
CREATE TABLE ingress_target (app TEXT NOT NULL, service TEXT NOT NULL, address TEXT NOT NULL) STRICT;
",
    },
    // `options` is a RouteOptions as JSON.
    Migration {
        module: "ingress",
        number: 2,
        sql: "
ALTER TABLE ingress_route ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
CREATE TABLE ingress_maintenance (app TEXT NOT NULL PRIMARY KEY) STRICT;
",
    },
];

/// Everything that the ingress serves, by app.
pub(super) async fn all(database: &Database) -> Result<Vec<(AppName, AppRoutes)>, DatabaseError> {
    database.read(select).await
}

fn select(connection: &Connection) -> rusqlite::Result<Vec<(AppName, AppRoutes)>> {
    let mut found: std::collections::BTreeMap<AppName, AppRoutes> = std::collections::BTreeMap::new();
    let mut statement = connection
        .prepare("SELECT app, service, host, path, port, options FROM ingress_route ORDER BY rowid")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let route = Route {
            service: ServiceName::new(row.get::<_, String>(1)?),
            host: row.get(2)?,
            path: row.get(3)?,
            port: row.get(4)?,
            options: serde_json::from_str(&row.get::<_, String>(5)?).map_err(|e| unreadable(5, e))?,
        };
        found.entry(app(row)?).or_default().routes.push(route);
    }
    let mut statement =
        connection.prepare("SELECT app, service, address FROM ingress_target ORDER BY rowid")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let address: String = row.get(2)?;
        let Ok(address) = address.parse::<Ipv4Addr>() else {
            continue;
        };
        let service = ServiceName::new(row.get::<_, String>(1)?);
        found.entry(app(row)?).or_default().targets.entry(service).or_default().push(address);
    }
    Ok(found.into_iter().collect())
}

fn app(row: &rusqlite::Row<'_>) -> rusqlite::Result<AppName> {
    AppName::new(row.get::<_, String>(0)?).map_err(|e| unreadable(0, e))
}

fn unreadable(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}

/// The apps whose visitors are told to come back later.
pub(super) async fn maintained(database: &Database) -> Result<BTreeSet<AppName>, DatabaseError> {
    database
        .read(|connection| {
            let mut statement = connection.prepare("SELECT app FROM ingress_maintenance")?;
            let mut rows = statement.query(())?;
            let mut apps = BTreeSet::new();
            while let Some(row) = rows.next()? {
                apps.insert(app(row)?);
            }
            Ok(apps)
        })
        .await
}

/// Notes whether the app's visitors are told to come back later.
pub(super) async fn set_maintenance(
    database: &Database,
    app: &AppName,
    maintenance: Maintenance,
) -> Result<Changed, DatabaseError> {
    let app = app.to_string();
    let sql = match maintenance {
        Maintenance::On => "INSERT OR IGNORE INTO ingress_maintenance (app) VALUES (?1)",
        Maintenance::Off => "DELETE FROM ingress_maintenance WHERE app = ?1",
    };
    let rows = database.write(move |transaction| transaction.execute(sql, [&app])).await?;
    Ok(if rows == 0 { Changed::No } else { Changed::Yes })
}

/// Replaces what the ingress serves for one app.
pub(super) async fn set(database: &Database, app: &AppName, routes: &AppRoutes) -> Result<(), DatabaseError> {
    let (app, routes) = (app.to_string(), routes.clone());
    database.write(move |transaction| replace(transaction, &app, &routes)).await
}

fn replace(t: &Transaction<'_>, app: &str, routes: &AppRoutes) -> rusqlite::Result<()> {
    t.execute("DELETE FROM ingress_route WHERE app = ?1", [app])?;
    t.execute("DELETE FROM ingress_target WHERE app = ?1", [app])?;
    for Route { service, host, path, port, options } in &routes.routes {
        let options = serde_json::to_string(options)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        t.execute(
            "INSERT INTO ingress_route (app, service, host, path, port, options) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![app, service.as_str(), host, path, port, options],
        )?;
    }
    for (service, addresses) in &routes.targets {
        for address in addresses {
            t.execute(
                "INSERT INTO ingress_target (app, service, address) VALUES (?1, ?2, ?3)",
                params![app, service.as_str(), address.to_string()],
            )?;
        }
    }
    Ok(())
}
