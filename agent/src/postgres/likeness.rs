//! A new, empty database that is set up as another one: owner, encoding, locale, limits, settings, rights.
//!
//! Owns the statements that carry over what belongs to a database and is in no dump of it. Must not know what it is for.

use serde::Deserialize;

use super::{
    DatabaseName, Postgres, PostgresError, QUESTION, STATEMENT, beside,
    literal::{identifier, text},
    session::Session,
};

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
        let answer = session.ask(&statements(name, like), QUESTION).await?.join("");
        let all: Vec<String> = serde_json::from_str(&answer)
            .map_err(|_| PostgresError::Answer { asked: "the settings of a database", answer })?;
        for statement in all {
            session.ask(&statement, QUESTION).await?;
        }
        session.close().await
    }
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
