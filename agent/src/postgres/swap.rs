//! Databases that change their names while their server runs: a restored one takes the place of the one that served.
//!
//! Owns the order in which this is safe: nobody may connect to either, whoever is connected is cut off, then all names change
//! in one transaction. Must not know which database is the better one.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{
    DatabaseName, Postgres, PostgresError, QUESTION, STATEMENT, beside,
    literal::{identifier, text},
    session::Session,
};

/// How long sessions may take to end once they were told to.
const ENDING: Duration = Duration::from_secs(30);
/// Between looks at them.
const LOOK: Duration = Duration::from_millis(200);

/// A database gets another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// What it is called.
    pub from: DatabaseName,
    /// What it is to be called.
    pub to: DatabaseName,
    /// Whether anybody may connect to it afterwards.
    pub then: Connections,
}

/// Whether a database takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// It does.
    Allowed,
    /// It takes none, of superusers neither; its data stays as it is.
    Refused,
}

impl Postgres {
    /// The names of all databases, also of those that take no connections.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn database_names(&self) -> Result<BTreeSet<DatabaseName>, PostgresError> {
        let names = self.names(("datname", "pg_database"), "its databases").await?;
        Ok(names.into_iter().map(DatabaseName).collect())
    }

    /// The names of all roles.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn roles(&self) -> Result<BTreeSet<String>, PostgresError> {
        self.names(("rolname", "pg_roles"), "its roles").await
    }

    /// What ties a database to its name, a sentence each: logical replication slots and prepared transactions. A database
    /// that has any must not be swapped.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn ties(&self, database: &DatabaseName) -> Result<BTreeSet<String>, PostgresError> {
        let name = text(&database.0);
        let query = format!(
            "(SELECT 'logical replication slot ' || slot_name AS tie FROM pg_replication_slots WHERE database = {name} \
             UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = {name}) AS ties"
        );
        self.names(("tie", &query), "what a database is tied to").await
    }

    /// Gives databases other names, all in one transaction, in this order. Whoever is connected to any of them is cut off.
    ///
    /// # Errors
    /// When a name is not there or taken, somebody does not let go in time, or the server refuses. No name is changed then,
    /// but some of them may refuse connections: [`Postgres::set_connections`] puts that right.
    pub async fn rename(&self, renames: &[Rename]) -> Result<(), PostgresError> {
        let mut session = Session::open(self, &beside_all(renames)).await?;
        for rename in renames {
            session.ask(&connections(&rename.from, Connections::Refused), QUESTION).await?;
        }
        let names: Vec<&DatabaseName> = renames.iter().map(|rename| &rename.from).collect();
        self.cut_off(&mut session, &names).await?;
        let mut all = "SET lock_timeout = '30s'; BEGIN".to_owned();
        for Rename { from, to, .. } in renames {
            all.push_str(&format!(
                "; ALTER DATABASE {} RENAME TO {}",
                identifier(&from.0),
                identifier(&to.0)
            ));
        }
        for Rename { to, then, .. } in renames {
            all.push_str(&format!("; {}", connections(to, *then)));
        }
        session.ask(&format!("{all}; COMMIT"), STATEMENT).await?;
        session.close().await
    }

    /// Lets nobody connect to a database any more, or everybody who may.
    ///
    /// # Errors
    /// When there is none of that name, or the server refuses.
    pub async fn set_connections(
        &self,
        database: &DatabaseName,
        allowed: Connections,
    ) -> Result<(), PostgresError> {
        self.value(&beside(&[database]), (&connections(database, allowed), QUESTION)).await.map(drop)
    }

    /// Removes a database with all that it holds. One that is not there is removed.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn drop_database(&self, name: &DatabaseName) -> Result<(), PostgresError> {
        let mut session = Session::open(self, &beside(&[name])).await?;
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&name.0));
        session.ask(&drop, STATEMENT).await?;
        session.close().await
    }

    /// Ends the sessions of these databases, and waits until they are gone.
    pub(super) async fn cut_off(
        &self,
        session: &mut Session,
        names: &[&DatabaseName],
    ) -> Result<(), PostgresError> {
        let names: Vec<String> = names.iter().map(|name| text(&name.0)).collect();
        let names = names.join(", ");
        let end = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN ({names})"
        );
        let begun = Instant::now();
        loop {
            let left = session.ask(&end, QUESTION).await?.join("");
            if left == "0" {
                return Ok(());
            }
            if begun.elapsed() > ENDING {
                return Err(PostgresError::Deadline(ENDING));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn names(
        &self,
        (column, from): (&str, &str),
        asked: &'static str,
    ) -> Result<BTreeSet<String>, PostgresError> {
        let query = format!("SELECT coalesce(json_agg({column}), '[]') FROM {from}");
        let answer = self.ask(&beside(&[]), &query).await?;
        serde_json::from_str(&answer).map_err(|_| PostgresError::Answer { asked, answer })
    }
}

fn connections(database: &DatabaseName, allowed: Connections) -> String {
    let allow = match allowed {
        Connections::Allowed => "true",
        Connections::Refused => "false",
    };
    format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", identifier(&database.0))
}

/// A database from where all of these can be renamed.
fn beside_all(renames: &[Rename]) -> DatabaseName {
    let names: Vec<&DatabaseName> = renames.iter().flat_map(|rename| [&rename.from, &rename.to]).collect();
    beside(&names)
}
