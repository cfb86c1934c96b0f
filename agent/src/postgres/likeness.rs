//! A new database that is set up as another one (owner, encoding, locale, limits, settings, rights), empty or with its data.
//!
//! Owns the statements that carry over what belongs to a database and is in no dump of it. Must not know what it is for.

use std::time::Duration;

use serde::Deserialize;

use super::{
    DatabaseName, Postgres, PostgresError, QUESTION, STATEMENT, beside,
    literal::{identifier, text},
    session::Session,
};

/// How often a database is tried to be copied to which somebody connects again and again.
const COPY_TRIES: u32 = 10;

/// What can only be said when a database is made. Columns as `pg_database` has them; which there are depends on the version.
#[derive(Debug, Deserialize)]
struct Made {
    owner: String,
    encoding: String,
    datcollate: String,
    datctype: String,
    /// `c`, `i` or `b`; from version 15 on.
    datlocprovider: Option<String>,
    /// Versions 15 and 16.
    daticulocale: Option<String>,
    /// From version 17 on.
    datlocale: Option<String>,
    daticurules: Option<String>,
}

impl Postgres {
    /// Makes an empty database that is set up as `like`, which is there.
    ///
    /// # Errors
    /// When there is none to be like, there is one of that name, or the server refuses.
    pub async fn create_like(&self, name: &DatabaseName, like: &DatabaseName) -> Result<(), PostgresError> {
        let mut session = Session::open(self, &beside(&[name])).await?;
        let query = format!(
            "SELECT to_jsonb(d) || jsonb_build_object('owner', pg_get_userbyid(datdba), \
             'encoding', pg_encoding_to_char(encoding)) FROM pg_database d WHERE datname = {}",
            text(&like.0)
        );
        let answer = session.ask(&query, QUESTION).await?.join("");
        let made: Made = serde_json::from_str(&answer)
            .map_err(|_| PostgresError::Answer { asked: "how a database is set up", answer })?;
        session.ask(&create(name, &made), STATEMENT).await?;
        liken(&mut session, (name, like)).await?;
        session.close().await
    }

    /// Makes a database that is a copy of another one, data and all, and takes no connections. Whoever is connected to that
    /// one is cut off.
    ///
    /// # Errors
    /// When there is none of that name, there is a copy already, somebody comes back again and again, or the server refuses
    /// or takes longer than the deadline. There is no copy then.
    pub async fn copy_database(
        &self,
        (from, copy): (&DatabaseName, &DatabaseName),
        deadline: Duration,
    ) -> Result<(), PostgresError> {
        let mut session = Session::open(self, &beside(&[from, copy])).await?;
        let asked = format!(
            "SELECT json_build_object('owner', pg_get_userbyid(datdba), 'version', current_setting('server_version_num')::int, \
             'size', pg_database_size(oid)) FROM pg_database WHERE datname = {}",
            text(&from.0)
        );
        let answer = session.ask(&asked, QUESTION).await?.join("");
        let original: Original = serde_json::from_str(&answer)
            .map_err(|_| PostgresError::Answer { asked: "the owner of a database", answer })?;
        let create = create_copy((from, copy), &original);
        let mut tries = COPY_TRIES;
        loop {
            self.cut_off(&mut session, &[from]).await?;
            tries = tries.saturating_sub(1);
            match session.ask(&create, deadline).await {
                Ok(_) => break,
                // Somebody came back in between.
                Err(error) if tries > 0 && error.is_in_use() => {
                    session = Session::open(self, &beside(&[from, copy])).await?;
                }
                Err(error) => return Err(error),
            }
        }
        if let Err(error) = liken(&mut session, (copy, from)).await {
            drop(self.drop_database(copy).await);
            return Err(error);
        }
        session.close().await
    }
}

/// What is asked of a database before it is copied.
#[derive(Debug, Deserialize)]
struct Original {
    owner: String,
    /// As `server_version_num` has it.
    version: u32,
    /// In bytes.
    size: u64,
}

/// From this size on a copy of files is faster than one that goes through the log of changes: it costs two checkpoints.
const LARGE: u64 = 256 * 1024 * 1024;

fn create_copy((from, copy): (&DatabaseName, &DatabaseName), original: &Original) -> String {
    // Before version 15 there was no other way.
    let by_files = original.version >= 150_000 && original.size >= LARGE;
    format!(
        "CREATE DATABASE {} TEMPLATE {} OWNER {} ALLOW_CONNECTIONS false{}",
        identifier(&copy.0),
        identifier(&from.0),
        identifier(&original.owner),
        if by_files { " STRATEGY file_copy" } else { "" }
    )
}

/// Says of a database what is said of another one.
async fn liken(
    session: &mut Session,
    (name, like): (&DatabaseName, &DatabaseName),
) -> Result<(), PostgresError> {
    let answer = session.ask(&statements(name, like), QUESTION).await?.join("");
    let all: Vec<String> = serde_json::from_str(&answer)
        .map_err(|_| PostgresError::Answer { asked: "the settings of a database", answer })?;
    for statement in all {
        session.ask(&statement, QUESTION).await?;
    }
    Ok(())
}

fn create(name: &DatabaseName, made: &Made) -> String {
    let mut statement = format!(
        "CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        identifier(&name.0),
        identifier(&made.owner),
        text(&made.encoding),
        text(&made.datcollate),
        text(&made.datctype)
    );
    let locale = made.datlocale.as_ref().or(made.daticulocale.as_ref());
    let (provider, key) = match made.datlocprovider.as_deref() {
        Some("i") => ("icu", "ICU_LOCALE"),
        Some("b") => ("builtin", "BUILTIN_LOCALE"),
        _ => return statement,
    };
    statement.push_str(&format!(" LOCALE_PROVIDER {provider}"));
    if let Some(locale) = locale {
        statement.push_str(&format!(" {key} {}", text(locale)));
    }
    if let Some(rules) = &made.daticurules {
        statement.push_str(&format!(" ICU_RULES {}", text(rules)));
    }
    statement
}

/// The query that answers with the statements for everything that can be said later, as a JSON array. Settings that are lists
/// stand in the catalogue as they are to be written; all others as their bare value.
fn statements(name: &DatabaseName, like: &DatabaseName) -> String {
    let (name, like) = (text(&name.0), text(&like.0));
    format!(
        "WITH old AS (SELECT * FROM pg_database WHERE datname = {like}),
         setting AS (SELECT s.setrole, split_part(c, '=', 1) AS key, substr(c, strpos(c, '=') + 1) AS value
             FROM old JOIN pg_db_role_setting s ON s.setdatabase = old.oid, unnest(s.setconfig) AS c),
         said AS (
             SELECT 1 AS place, format('ALTER DATABASE %I CONNECTION LIMIT %s', {name}, datconnlimit) AS statement
                 FROM old WHERE datconnlimit >= 0
             UNION ALL
             SELECT 2, format('ALTER %s %I SET %I TO %s', CASE setrole WHEN 0 THEN 'DATABASE'
                     ELSE format('ROLE %I IN DATABASE', pg_get_userbyid(setrole)) END, {name}, key,
                     CASE WHEN lower(key) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries',
                         'session_preload_libraries') THEN value ELSE quote_literal(value) END)
                 FROM setting
             UNION ALL
             SELECT 3, format('REVOKE ALL ON DATABASE %I FROM PUBLIC', {name}) FROM old WHERE datacl IS NOT NULL
             UNION ALL
             SELECT 4, format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, {name},
                     CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                     CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                 FROM old, aclexplode(old.datacl) AS a
             UNION ALL
             SELECT 5, format('COMMENT ON DATABASE %I IS %L', {name}, shobj_description(old.oid, 'pg_database'))
                 FROM old WHERE shobj_description(old.oid, 'pg_database') IS NOT NULL)
         SELECT coalesce(json_agg(statement ORDER BY place), '[]') FROM said"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(row: &str) -> String {
        let made: Made = serde_json::from_str(row).unwrap();
        create(&DatabaseName("shop new".to_owned()), &made)
    }

    #[test]
    fn a_large_copy_is_one_of_files_where_that_can_be_chosen() {
        let names = (&DatabaseName("shop".to_owned()), &DatabaseName("shop_before_r7".to_owned()));
        let create =
            |version, size| create_copy(names, &Original { owner: "jane \"j\"".to_owned(), version, size });
        let plain =
            r#"CREATE DATABASE "shop_before_r7" TEMPLATE "shop" OWNER "jane ""j""" ALLOW_CONNECTIONS false"#;
        assert_eq!(create(140_012, LARGE), plain);
        assert_eq!(create(170_005, LARGE - 1), plain);
        assert_eq!(create(170_005, LARGE), format!("{plain} STRATEGY file_copy"));
    }

    #[test]
    fn each_version_says_its_locale_in_its_own_columns() {
        let common =
            r#""owner": "shop", "encoding": "UTF8", "datcollate": "C", "datctype": "C.UTF-8", "oid": 5"#;
        assert_eq!(
            made(&format!("{{{common}}}")),
            r#"CREATE DATABASE "shop new" TEMPLATE template0 OWNER "shop" ENCODING E'UTF8' LC_COLLATE E'C' LC_CTYPE E'C.UTF-8'"#
        );
        let icu = made(&format!(r#"{{{common}, "datlocprovider": "i", "daticulocale": "de-AT"}}"#));
        assert!(icu.ends_with(" LOCALE_PROVIDER icu ICU_LOCALE E'de-AT'"), "{icu}");
        let builtin = made(&format!(r#"{{{common}, "datlocprovider": "b", "datlocale": "C.UTF-8"}}"#));
        assert!(builtin.ends_with(" LOCALE_PROVIDER builtin BUILTIN_LOCALE E'C.UTF-8'"), "{builtin}");
    }
}
