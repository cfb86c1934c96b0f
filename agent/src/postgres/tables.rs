//! What a database's tables hold: the questions, and their answers. Pure.

use serde::Deserialize;

use super::PostgresError;

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct TableRows {
    /// The table's schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// Up to which migration a database is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Revision {
    /// The table that tells it: `alembic_version`.
    pub table: String,
    /// What stands there: `0009`.
    pub revision: String,
}

/// One line of JSON per table. Left out: views, foreign tables, partitioned tables (their partitions are counted), tables of
/// the session, and those that an extension made, which come back with it.
pub(super) const COUNTS: &str = r"
SELECT format('SELECT json_build_object(''schema'', %L::text, ''name'', %L::text, ''rows'', count(*)) FROM ONLY %I.%I',
              n.nspname, c.relname, n.nspname, c.relname)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname \gexec
SELECT";

/// One line of JSON for the first of the tables of well-known tools that is there.
pub(super) const REVISIONS: &str = r"
SELECT format('SELECT json_build_object(''table'', %L::text, ''revision'', coalesce(string_agg(%s, '','' ORDER BY %s), '''')) FROM %s',
              found.relation, found.what, found.what, found.relation)
  FROM (SELECT c.relname AS relation, t.what
          FROM (VALUES (1, 'alembic_version', 'version_num::text'), (2, 'django_migrations', 'app || ''.'' || name'),
                       (3, 'schema_migrations', 'version::text'), (4, 'flyway_schema_history', 'version::text'),
                       (5, '_sqlx_migrations', 'version::text')) AS t (place, relname, what)
          JOIN pg_catalog.pg_class c ON c.oid = to_regclass(quote_ident(t.relname)) AND c.relkind IN ('r', 'p')
         ORDER BY t.place LIMIT 1) AS found \gexec
SELECT";

/// Reads the answer to [`COUNTS`].
pub(super) fn parse(lines: &[String]) -> Result<Vec<TableRows>, PostgresError> {
    let mut tables = Vec::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let table = serde_json::from_str(line)
            .map_err(|_| PostgresError::Answer { asked: "the rows of its tables", answer: line.clone() })?;
        tables.push(table);
    }
    tables.sort();
    Ok(tables)
}

/// Reads the answer to [`REVISIONS`].
pub(super) fn parse_revision(lines: &[String]) -> Result<Option<Revision>, PostgresError> {
    let Some(line) = lines.iter().find(|line| !line.is_empty()) else { return Ok(None) };
    let revision: Revision = serde_json::from_str(line)
        .map_err(|_| PostgresError::Answer { asked: "its migration", answer: line.clone() })?;
    Ok(Some(revision).filter(|revision| !revision.revision.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let lines = [
            r#"{"schema" : "public", "name" : "odd \"name\"\n", "rows" : 7}"#.to_owned(),
            r#"{"schema" : "a", "name" : "t", "rows" : 0}"#.to_owned(),
            String::new(),
        ];
        let tables = parse(&lines).unwrap();
        assert_eq!(tables[0].schema, "a");
        assert_eq!((tables[1].name.as_str(), tables[1].rows), ("odd \"name\"\n", 7));
        let revision = parse_revision(&[r#"{"table" : "alembic_version", "revision" : "0009"}"#.to_owned()]);
        assert_eq!(revision.unwrap().unwrap().revision, "0009");
        assert_eq!(parse_revision(&[]).unwrap(), None);
        assert!(parse(&["ERROR".to_owned()]).is_err());
    }
}
