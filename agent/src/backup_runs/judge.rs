//! What is made of what a restored database answers. Pure.

use std::collections::BTreeMap;

use crate::{
    backup::manifest::TableCount,
    postgres::{DatabaseName, TableRows},
};

/// How many differences are told.
const MOST: usize = 20;

/// The differences between what was backed up and what is there now, a line each.
pub(super) fn compare(database: &DatabaseName, expected: &[TableCount], found: &[TableRows]) -> Vec<String> {
    let found: Vec<TableCount> = found
        .iter()
        .map(|TableRows { schema, name, rows }| TableCount {
            schema: schema.clone(),
            name: name.clone(),
            rows: *rows,
        })
        .collect();
    compare_tables(&format!("{}: ", database.0), expected, &found)
}

/// The same, each line with this before it.
pub(super) fn compare_tables(before: &str, expected: &[TableCount], found: &[TableCount]) -> Vec<String> {
    let mut there: BTreeMap<(&str, &str), u64> =
        found.iter().map(|table| ((table.schema.as_str(), table.name.as_str()), table.rows)).collect();
    let place = |schema: &str, name: &str| format!("{before}{schema}.{name}");
    let mut differences = Vec::new();
    for table in expected {
        let line = match there.remove(&(table.schema.as_str(), table.name.as_str())) {
            Some(rows) if rows == table.rows => continue,
            Some(rows) => format!("has {rows} rows, {} were backed up", table.rows),
            None => format!("is missing, with {} rows", table.rows),
        };
        differences.push(format!("{} {line}", place(&table.schema, &table.name)));
    }
    let more = there.iter().map(|((schema, name), rows)| {
        format!("{} was not backed up and has {rows} rows", place(schema, name))
    });
    differences.extend(more);
    differences
}

/// The first of them, and how many more there are.
pub(super) fn bounded(mut differences: Vec<String>) -> Vec<String> {
    let more = differences.len().saturating_sub(MOST);
    if more > 0 {
        differences.truncate(MOST);
        differences.push(format!("and {more} more"));
    }
    differences
}

/// Whether a check was answered true, and nothing else.
pub(super) fn is_true(answer: &str) -> bool {
    matches!(answer.trim(), "t" | "true" | "1")
}

/// Whether a complaint is about the scratch server itself, which has little memory and shares its disk: it says nothing about
/// the backup.
pub(super) fn servers_own(complaints: &str) -> bool {
    let signs = [
        "server closed the connection",
        "connection to server",
        "terminating connection",
        "the database system is",
        "out of memory",
        "out of shared memory",
        "No space left on device",
        "could not extend file",
        "could not resize shared memory",
    ];
    signs.iter().any(|sign| complaints.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(name: &str, rows: u64) -> TableCount {
        TableCount { schema: "public".to_owned(), name: name.to_owned(), rows }
    }

    fn found(name: &str, rows: u64) -> TableRows {
        TableRows { schema: "public".to_owned(), name: name.to_owned(), rows }
    }

    #[test]
    fn every_difference_is_a_line() {
        let shop = DatabaseName("shop".to_owned());
        let before = [expected("lines", 3), expected("orders", 5), expected("parts", 7)];
        assert_eq!(
            compare(&shop, &before, &[found("lines", 3), found("orders", 5), found("parts", 7)]),
            [""; 0]
        );
        assert_eq!(
            compare(&shop, &before, &[found("lines", 2), found("new", 1), found("parts", 7)]),
            [
                "shop: public.lines has 2 rows, 3 were backed up",
                "shop: public.orders is missing, with 5 rows",
                "shop: public.new was not backed up and has 1 rows",
            ]
        );
        let many = bounded((0..30).map(|number| number.to_string()).collect());
        assert_eq!((many.len(), many[20].as_str()), (21, "and 10 more"));
        assert_eq!(bounded(many[..20].to_vec()).len(), 20);
    }

    #[test]
    fn only_true_is_true() {
        assert!(is_true("t") && is_true("true\n") && is_true("1"));
        for answer in ["f", "", "0", "2", "1\n1", "tt", "t\nt", "true false"] {
            assert!(!is_true(answer), "{answer}");
        }
    }

    #[test]
    fn a_server_that_was_killed_says_nothing_about_the_backup() {
        assert!(servers_own(
            "pg_restore: error: could not execute query: server closed the connection unexpectedly"
        ));
        assert!(!servers_own(
            "pg_restore: error: could not execute query: ERROR:  role \"reader\" does not exist"
        ));
    }
}
