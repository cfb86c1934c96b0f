//! What a database holds: its tables with their rows, and what else there is.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Mysql, MysqlError, QUESTION,
    literal::{identifier, text},
};
use crate::postgres::DatabaseName;

/// How many tables are counted by one command: its arguments may not become too long.
const AT_ONCE: usize = 100;

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct TableRows {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// What a database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Tables that have rows, in the order of their names.
    pub tables: Vec<String>,
    /// Tables and sequences: all that can change its place.
    pub movable: Vec<String>,
    /// Views, triggers, routines and events, such as `view seen`.
    pub others: Vec<String>,
    /// Tables whose engine has no transactions: what is dumped of them is not of one moment.
    pub loose: Vec<String>,
}

#[derive(Deserialize)]
struct Found {
    kind: String,
    name: String,
    engine: Option<String>,
}

impl Mysql {
    /// What a database holds; nothing where it is not there.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn contents(&self, database: &DatabaseName) -> Result<Contents, MysqlError> {
        let name = text(&database.0);
        let of = |kind: &str, name: &str, engine: &str| {
            format!("SELECT JSON_OBJECT('kind', {kind}, 'name', {name}, 'engine', {engine})")
        };
        let schema = "information_schema";
        let queries = [
            format!(
                "{} FROM {schema}.TABLES WHERE TABLE_SCHEMA = {name}",
                of("TABLE_TYPE", "TABLE_NAME", "ENGINE")
            ),
            format!(
                "{} FROM {schema}.TRIGGERS WHERE TRIGGER_SCHEMA = {name}",
                of("'trigger'", "TRIGGER_NAME", "NULL")
            ),
            format!(
                "{} FROM {schema}.ROUTINES WHERE ROUTINE_SCHEMA = {name}",
                of("'routine'", "ROUTINE_NAME", "NULL")
            ),
            format!(
                "{} FROM {schema}.EVENTS WHERE EVENT_SCHEMA = {name}",
                of("'event'", "EVENT_NAME", "NULL")
            ),
        ];
        let found: Vec<Found> = self.rows_of(&queries.join("; "), "what a database holds").await?;
        Ok(sorted(found))
    }

    /// Rows of every table of a database as it is now, in the order of their names. Every row is read.
    ///
    /// # Errors
    /// When the server does not answer within the deadline.
    pub async fn rows(
        &self,
        database: &DatabaseName,
        deadline: Duration,
    ) -> Result<Vec<TableRows>, MysqlError> {
        let tables = self.contents(database).await?.tables;
        let mut rows: Vec<TableRows> = Vec::new();
        for some in tables.chunks(AT_ONCE) {
            let count = |table: &String| {
                format!(
                    "SELECT JSON_OBJECT('name', {}, 'rows', COUNT(*)) FROM {}.{}",
                    text(table),
                    identifier(&database.0),
                    identifier(table)
                )
            };
            let counts: Vec<String> = some.iter().map(count).collect();
            let answer = self.ask(&counts.join("; "), deadline.max(QUESTION)).await?;
            for line in answer.lines() {
                let wrong =
                    |_| MysqlError::Answer { asked: "the rows of its tables", answer: line.to_owned() };
                rows.push(serde_json::from_str(line).map_err(wrong)?);
            }
        }
        rows.sort();
        Ok(rows)
    }
}

fn sorted(found: Vec<Found>) -> Contents {
    let mut contents = Contents::default();
    for Found { kind, name, engine } in found {
        match kind.as_str() {
            "BASE TABLE" | "SYSTEM VERSIONED" => {
                if engine.is_some_and(|engine| !engine.eq_ignore_ascii_case("InnoDB")) {
                    contents.loose.push(name.clone());
                }
                contents.movable.push(name.clone());
                contents.tables.push(name);
            }
            "SEQUENCE" => contents.movable.push(name),
            other => contents.others.push(format!("{} {name}", other.to_lowercase())),
        }
    }
    for all in [&mut contents.tables, &mut contents.movable, &mut contents.others, &mut contents.loose] {
        all.sort();
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_has_its_place() {
        let one = |kind: &str, name: &str, engine: Option<&str>| Found {
            kind: kind.to_owned(),
            name: name.to_owned(),
            engine: engine.map(str::to_owned),
        };
        let contents = sorted(vec![
            one("VIEW", "seen", None),
            one("BASE TABLE", "b", Some("MyISAM")),
            one("BASE TABLE", "a", Some("InnoDB")),
            one("SEQUENCE", "s", Some("InnoDB")),
            one("trigger", "t", None),
        ]);
        assert_eq!(
            (contents.tables, contents.movable),
            (vec!["a".into(), "b".into()], vec!["a".into(), "b".into(), "s".into()])
        );
        assert_eq!(
            (contents.others, contents.loose),
            (vec!["trigger t".into(), "view seen".into()], vec!["b".into()])
        );
    }
}
