//! `[bucket.NAME]`: a bucket of any S3-compatible store to which apps send their backups.
//!
//! Owns its keys and what they may hold. Whether the bucket is there is the agents' question.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use url::{Host, Url};

use super::{
    model::Located,
    problem::Place,
    reader::Table,
    secret::{self, SecretName},
    time,
};

/// `[bucket.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The store's address without the bucket.
    pub endpoint: Endpoint,
    /// The region that requests are signed for.
    pub region: String,
    /// How the store calls it; the section's name where it does not say.
    pub bucket: String,
    /// The folder in it below which everything lies; empty for the whole bucket.
    pub prefix: String,
    /// The variable that holds the id of the access key.
    pub access_key_id: Located<SecretName>,
    /// The variable that holds its secret.
    pub secret_access_key: Located<SecretName>,
    /// For how long backups are locked against deletion.
    pub lock: Option<Duration>,
    /// Whether it has to keep what is overwritten or deleted as an earlier version.
    pub versioning: Versioning,
    /// Where the section stands.
    pub place: Place,
}

/// Whether a bucket has to keep versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It need not.
    Any,
    /// It has to.
    Required,
}

/// The address of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

const KEYS: &[&str] =
    &["endpoint", "region", "bucket", "prefix", "access_key_id", "secret_access_key", "lock", "versioning"];
/// What other versions know: they make buckets too.
const LATER: &[&str] = &["size", "acl", "cors", "lifecycle", "cdn", "expire"];

pub(super) fn bucket(table: &Table<'_, '_, '_>) -> Option<Bucket> {
    table.only(KEYS, LATER);
    let endpoint = table.required("endpoint", "endpoint = \"https://fra1.digitaloceanspaces.com\"");
    let region = table.required("region", "region = \"fra1\"");
    let endpoint = endpoint.and_then(|_| table.parsed::<Endpoint>("endpoint"));
    let region = region.and_then(|_| table.parsed::<Region>("region"));
    let bucket = match table.string("bucket") {
        Some(_) => table.parsed::<StoreName>("bucket").map(|name| name.0),
        None => match table.own_name().parse::<StoreName>() {
            Ok(name) => Some(name.0),
            Err(error) => {
                let hint = "say what the store calls it: bucket = \"...\"".to_owned();
                table.notes().add(table.span(), error, Some(hint));
                None
            }
        },
    };
    let prefix = table.string("prefix").map_or(Some(Prefix(String::new())), |_| table.parsed("prefix"));
    let access_key_id = secret::required(table, "access_key_id", "BACKUP_ACCESS_KEY_ID");
    let secret_access_key = secret::required(table, "secret_access_key", "BACKUP_SECRET_ACCESS_KEY");
    let lock = table.parsed::<Days>("lock").map(|days| days.0);
    let versioning = match table.flag("versioning") {
        Some(true) => Versioning::Required,
        Some(false) | None => Versioning::Any,
    };
    Some(Bucket {
        endpoint: endpoint?,
        region: region?.0,
        bucket: bucket?,
        prefix: prefix?.0,
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        lock,
        versioning,
        place: table.notes().place(&table.span()),
    })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "an endpoint reads `https://<host>[:<port>]`, without bucket, path or user";
        let url = Url::parse(text).map_err(|_| wrong.to_owned())?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            None => return Err(wrong.to_owned()),
        };
        let is_bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.scheme() {
            _ if !is_bare => Err(wrong.to_owned()),
            "https" => Ok(Self(text.trim_end_matches('/').to_owned())),
            "http" if is_here => Ok(Self(text.trim_end_matches('/').to_owned())),
            "http" => {
                Err("an endpoint is `https://...`: credentials and backups do not go over plain http"
                    .to_owned())
            }
            _ => Err(wrong.to_owned()),
        }
    }
}

struct Region(String);

impl FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is not a region such as \"fra1\" or \"eu-central-1\""))
        }
    }
}

struct StoreName(String);

impl FromStr for StoreName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at_end = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let within = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
        let bytes = text.as_bytes();
        let fits = (3..=63).contains(&bytes.len())
            && at_end(bytes.first())
            && at_end(bytes.last())
            && bytes.iter().all(within)
            && !text.contains("..");
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is not a bucket's name: 3 to 63 small letters, digits, '.' or '-'"))
        }
    }
}

/// As the agents take it: folders of plain letters.
struct Prefix(String);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_segment = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let trimmed = text.trim_end_matches('/');
        if trimmed.len() <= 200 && trimmed.split('/').all(is_segment) {
            Ok(Self(trimmed.to_owned()))
        } else {
            Err(format!(
                "`{text}` is not a folder such as \"backups/shop\", of letters, digits, '.', '_' and '-'"
            ))
        }
    }
}

/// `30d`, `4w`, `1y`.
struct Days(Duration);

const LONGEST_LOCK_DAYS: u64 = 3660;

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("d", time::DAY), ("w", 7 * time::DAY), ("y", 366 * time::DAY)];
        let lock = time::parse(text, &units, &(time::DAY..=LONGEST_LOCK_DAYS * time::DAY));
        lock.map(Self).ok_or_else(|| {
            format!("`{text}` is not a time such as \"30d\", \"8w\" or \"1y\", from 1d to 10y")
        })
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
