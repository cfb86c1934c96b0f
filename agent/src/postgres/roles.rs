//! The roles that a dump needs and a server does not have.
//!
//! Owns reading what `pg_dumpall --globals-only` writes, one statement a line. Pure. A role that is there stays as it is: its
//! password of today is not replaced by one of the day of the backup.

use std::collections::BTreeSet;

/// Those statements that make roles which are not there, set them up, or give them membership. Everything else is left out:
/// tablespaces, settings of roles that are there, lines that are part of no statement.
pub fn missing(globals: &str, there: &BTreeSet<String>) -> String {
    let is_missing = |role: &String| !there.contains(role);
    let wanted = |line: &&str| {
        let line = line.trim_end();
        if !line.ends_with(';') {
            return false;
        }
        match words(line) {
            Some(Statement::Make(role)) => is_missing(&role),
            Some(Statement::Grant(group, member)) => is_missing(&group) || is_missing(&member),
            None => false,
        }
    };
    globals.lines().filter(wanted).fold(String::new(), |all, line| all + line + "\n")
}

enum Statement {
    Make(String),
    Grant(String, String),
}

fn words(line: &str) -> Option<Statement> {
    for begin in ["CREATE ROLE ", "ALTER ROLE "] {
        if let Some(rest) = line.strip_prefix(begin) {
            return name(rest).map(|(role, _)| Statement::Make(role));
        }
    }
    let (group, rest) = name(line.strip_prefix("GRANT ")?)?;
    let (member, _) = name(rest.strip_prefix(" TO ")?)?;
    Some(Statement::Grant(group, member))
}

/// A role's name at the beginning of a text, and what follows.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', ';'])?;
        let (name, rest) = text.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOBALS: &str = r#"--
-- Roles
--
SET default_transaction_read_only = off;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$4096:a';
CREATE ROLE reader;
ALTER ROLE reader WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:b';
CREATE ROLE "odd ""one""";
ALTER ROLE reader SET search_path TO 'public';
GRANT reader TO postgres WITH INHERIT TRUE GRANTED BY postgres;
GRANT pg_monitor TO postgres;
CREATE TABLESPACE fast OWNER postgres LOCATION '/fast';
COMMENT ON ROLE reader IS 'first
CREATE ROLE sneaked
';
"#;

    fn there(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_is_there_stays_as_they_are() {
        let found = missing(GLOBALS, &there(&["postgres", "pg_monitor", "odd \"one\""]));
        assert_eq!(
            found,
            "CREATE ROLE reader;\nALTER ROLE reader WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:b';\n\
             ALTER ROLE reader SET search_path TO 'public';\n\
             GRANT reader TO postgres WITH INHERIT TRUE GRANTED BY postgres;\n"
        );
        let found = missing(GLOBALS, &there(&["postgres", "pg_monitor", "reader"]));
        assert_eq!(found, "CREATE ROLE \"odd \"\"one\"\"\";\n");
    }

    #[test]
    fn a_server_with_all_of_them_is_told_nothing() {
        assert_eq!(missing(GLOBALS, &there(&["postgres", "pg_monitor", "reader", "odd \"one\""])), "");
        assert_eq!(missing("", &BTreeSet::new()), "");
    }
}
