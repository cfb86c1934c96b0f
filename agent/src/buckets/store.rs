//! The buckets in the agent's database, where timers find them with no controller. SQL only.
//!
//! # Format
//! `bucket` has a row per app and bucket: the [`KnownBucket`] in columns, `lock` in seconds (null: none), `versioning` 1 where
//! it is required, `conditional_put` 1 where the bucket was seen to honour it. The newest deploy of an app that names a bucket
//! wins; what an earlier one named stays, for a rollback and for the backups that lie there, until the app is removed.
//! Credentials stand here and nowhere else: neither in a release's `input.json` nor in journal, events, logs or audit.

use rusqlite::{Connection, Row, Transaction, params, types::Type};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;

use super::{BucketName, KnownBucket, LockPeriod, Versioning};
use crate::{
    apps::AppName,
    backup::{ObjectName, destination::ConditionalPut},
    store::{Database, DatabaseError, Migration},
};

/// The table of buckets.
pub const MIGRATIONS: &[Migration] = &[Migration {
    module: "bucket",
    number: 1,
    sql: "
CREATE TABLE bucket (
    app TEXT NOT NULL, name TEXT NOT NULL, endpoint TEXT NOT NULL, region TEXT NOT NULL, bucket TEXT NOT NULL,
    prefix TEXT, access_key_id TEXT NOT NULL, secret_access_key TEXT NOT NULL, lock INTEGER, versioning INTEGER NOT NULL,
    conditional_put INTEGER NOT NULL, PRIMARY KEY (app, name)) STRICT, WITHOUT ROWID;
",
}];

/// What is erased or replaced is overwritten, not only left unused.
const SECURE_DELETE: &str = "PRAGMA secure_delete = ON";

/// A bucket as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The bucket.
    pub bucket: KnownBucket,
    /// What the last look at it told.
    pub conditional_put: ConditionalPut,
}

/// The buckets of the droplet's apps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Buckets {
    database: Database,
}

impl Buckets {
    /// Over this database, which has run [`MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Remembers buckets of an app, in the place of those of the same names.
    ///
    /// # Errors
    /// When the database fails: nothing was changed.
    pub async fn keep(&self, app: &AppName, buckets: Vec<Kept>) -> Result<(), DatabaseError> {
        let app = app.clone();
        let replace = move |t: &Transaction<'_>| {
            t.execute_batch(SECURE_DELETE)?;
            buckets.iter().try_for_each(|kept| insert(t, &app, kept))
        };
        self.database.write(replace).await
    }

    /// The buckets of an app, in the order of their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(&self, app: &AppName) -> Result<Vec<Kept>, DatabaseError> {
        let app = app.clone();
        let select = move |connection: &Connection| {
            let mut statement = connection.prepare("SELECT * FROM bucket WHERE app = ?1 ORDER BY name")?;
            let rows = statement.query_map([app.as_str()], row_of)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.database.read(select).await
    }

    /// Forgets the buckets of an app; which those were. What lies in them stays.
    ///
    /// # Errors
    /// When the database fails: nothing was changed.
    pub async fn forget(&self, app: &AppName) -> Result<Vec<BucketName>, DatabaseError> {
        let names = self.of(app).await?.into_iter().map(|kept| kept.bucket.name).collect::<Vec<_>>();
        if names.is_empty() {
            return Ok(names);
        }
        let app = app.clone();
        let delete = move |t: &Transaction<'_>| {
            t.execute_batch(SECURE_DELETE)?;
            t.execute("DELETE FROM bucket WHERE app = ?1", [app.as_str()]).map(drop)
        };
        self.database.write(delete).await.map(|()| names)
    }
}

fn insert(t: &Transaction<'_>, app: &AppName, kept: &Kept) -> rusqlite::Result<()> {
    let Kept { bucket, conditional_put } = kept;
    let lock = bucket.lock.map(|lock| i64::try_from(lock.get().as_secs()).unwrap_or(i64::MAX));
    t.execute(
        "INSERT OR REPLACE INTO bucket (app, name, endpoint, region, bucket, prefix, access_key_id, secret_access_key, lock,
         versioning, conditional_put) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            app.as_str(),
            bucket.name.as_str(),
            bucket.endpoint,
            bucket.region,
            bucket.bucket,
            bucket.prefix.as_ref().map(ObjectName::as_str),
            bucket.access_key_id.expose_secret(),
            bucket.secret_access_key.expose_secret(),
            lock,
            bucket.versioning == Versioning::Required,
            *conditional_put == ConditionalPut::Supported,
        ],
    )
    .map(drop)
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let lock = row.get::<_, Option<i64>>("lock")?.map(|seconds| {
        let period = u64::try_from(seconds).ok().map(Duration::from_secs);
        period.and_then(|period| LockPeriod::new(period).ok()).ok_or_else(|| unreadable("lock"))
    });
    let prefix = row.get::<_, Option<String>>("prefix")?;
    let prefix = prefix.map(|prefix| ObjectName::new(prefix).map_err(|_| unreadable("prefix")));
    let bucket = KnownBucket {
        name: BucketName::new(row.get::<_, String>("name")?).map_err(|_| unreadable("name"))?,
        endpoint: row.get("endpoint")?,
        region: row.get("region")?,
        bucket: row.get("bucket")?,
        prefix: prefix.transpose()?,
        access_key_id: SecretString::from(row.get::<_, String>("access_key_id")?),
        secret_access_key: SecretString::from(row.get::<_, String>("secret_access_key")?),
        lock: lock.transpose()?,
        versioning: if row.get("versioning")? { Versioning::Required } else { Versioning::Any },
    };
    let conditional_put =
        if row.get("conditional_put")? { ConditionalPut::Supported } else { ConditionalPut::Unsupported };
    Ok(Kept { bucket, conditional_put })
}

/// Its value is not told.
fn unreadable(column: &str) -> rusqlite::Error {
    let error = format!("the column `{column}` of the table `bucket` cannot be read");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}

#[cfg(test)]
mod tests {
    use super::{super::known::sample, *};
    use crate::store::DatabaseSettings;

    fn app(name: &str) -> AppName {
        AppName::new(name).unwrap()
    }

    fn kept(secret: &str) -> Kept {
        let bucket = KnownBucket { secret_access_key: SecretString::from(secret), ..sample() };
        Kept { bucket, conditional_put: ConditionalPut::Supported }
    }

    #[tokio::test]
    async fn the_newest_wins_and_an_app_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.db");
        let database = Database::open(&file, MIGRATIONS, DatabaseSettings::default()).unwrap();
        let buckets = Buckets::new(database);
        let plain = Kept {
            bucket: KnownBucket {
                name: BucketName::new("archive").unwrap(),
                prefix: None,
                lock: None,
                versioning: Versioning::Any,
                ..sample()
            },
            conditional_put: ConditionalPut::Unsupported,
        };
        buckets.keep(&app("shop"), vec![kept("old-secret"), plain.clone()]).await.unwrap();
        buckets.keep(&app("blog"), vec![kept("of-the-blog")]).await.unwrap();
        buckets.keep(&app("shop"), vec![kept("new-secret")]).await.unwrap();
        assert_eq!(buckets.of(&app("shop")).await.unwrap(), [plain, kept("new-secret")]);

        let names = buckets.forget(&app("shop")).await.unwrap();
        assert_eq!(names.iter().map(BucketName::as_str).collect::<Vec<_>>(), ["archive", "backups"]);
        assert!(buckets.of(&app("shop")).await.unwrap().is_empty());
        assert!(buckets.forget(&app("shop")).await.unwrap().is_empty());
        assert_eq!(buckets.of(&app("blog")).await.unwrap(), [kept("of-the-blog")]);
    }
}
