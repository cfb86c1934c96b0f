//! Tables that change their databases while the server runs: restored ones take the place of those that served.
//!
//! Owns the one statement by which they do, all or none. A database itself cannot change its name.

use super::{Mysql, MysqlError, STATEMENT, literal::identifier};
use crate::postgres::DatabaseName;

/// How long others may hold a table that is to change its place, in seconds.
const WAIT: u32 = 30;

/// Tables that change their database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where they are.
    pub from: DatabaseName,
    /// Where they are to be.
    pub to: DatabaseName,
    /// Which.
    pub tables: Vec<String>,
}

impl Mysql {
    /// Lets tables change their databases, all in one statement, in this order.
    ///
    /// # Errors
    /// When a table is not there, its new place is taken, somebody holds one for long, or the server refuses. None changes then.
    pub async fn move_tables(&self, moves: &[Move]) -> Result<(), MysqlError> {
        match statement(moves) {
            Some(statement) => self.ask(&statement, STATEMENT).await.map(drop),
            None => Ok(()),
        }
    }
}

fn statement(moves: &[Move]) -> Option<String> {
    let one = |from: &DatabaseName, to: &DatabaseName, table: &String| {
        let table = identifier(table);
        format!("{}.{table} TO {}.{table}", identifier(&from.0), identifier(&to.0))
    };
    let all: Vec<String> = moves
        .iter()
        .flat_map(|Move { from, to, tables }| tables.iter().map(move |table| one(from, to, table)))
        .collect();
    (!all.is_empty())
        .then(|| format!("SET SESSION lock_wait_timeout = {WAIT}; RENAME TABLE {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_change_in_one_statement() {
        let name = |name: &str| DatabaseName(name.to_owned());
        let tables = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let moves = [
            Move { from: name("shop"), to: name("before"), tables: tables(&["a", "b`c"]) },
            Move { from: name("fresh"), to: name("shop"), tables: tables(&["a"]) },
        ];
        assert_eq!(
            statement(&moves).unwrap(),
            "SET SESSION lock_wait_timeout = 30; RENAME TABLE `shop`.`a` TO `before`.`a`, `shop`.`b``c` TO `before`.`b``c`, \
             `fresh`.`a` TO `shop`.`a`"
        );
        assert_eq!(statement(&[]), None);
    }
}
