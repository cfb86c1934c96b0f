//! The places where backups of an app may be: the directory `local`, and the buckets that the droplet knows for the app.
//!
//! Owns opening them. One that cannot be opened is told, and the others are used.

use std::{sync::Arc, time::Duration};

use tidegate_compose::x_tidegate;

use super::{BackupError, Inner};
use crate::{
    apps::AppName,
    backup::destination::{Bucket, Destination, DestinationError, LocalDirectory},
    buckets::{BucketName, Kept},
    release::chain,
};

/// How long the directory of the destination `local` may take to be opened.
const OPENING: Duration = Duration::from_mins(1);

/// A place, or why it could not be opened.
type Opened = Result<Arc<dyn Destination>, String>;

/// The title of a place that could not be opened, and why.
pub(super) type Unopened = (String, String);

/// Places that are open.
pub(super) type OpenPlaces = Vec<Arc<dyn Destination>>;

/// The places of an app.
pub(super) struct Places {
    local: (String, Opened),
    buckets: Vec<(BucketName, Opened)>,
}

impl Places {
    /// Opens them. Of a bucket nothing is asked yet.
    pub(super) async fn open(inner: &Inner, app: &AppName) -> Result<Self, BackupError> {
        let known = inner.engine.buckets().of(app).await;
        let known = known.map_err(|source| BackupError::Database {
            doing: "reading which buckets the backups go to",
            source: Box::new(source),
        })?;
        let title = format!("directory {}", inner.settings.local.display());
        let local = local(inner).await.map_err(|error| chain(&error));
        let buckets = known.iter().map(|kept| (kept.bucket.name.clone(), bucket(inner, kept))).collect();
        Ok(Self { local: (title, local), buckets })
    }

    /// Those that a file names, and what of them could not be opened, a line each.
    pub(super) fn named(&self, to: &[x_tidegate::Destination]) -> (OpenPlaces, Vec<String>) {
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        for to in to {
            let (title, place) = match to {
                x_tidegate::Destination::Local => (self.local.0.clone(), self.local.1.clone()),
                x_tidegate::Destination::Bucket(name) => {
                    let found = self.buckets.iter().find(|(known, _)| known.as_str() == name);
                    let unknown = || Err("nothing is known of it on this droplet: deploy again".to_owned());
                    (format!("bucket {name}"), found.map_or_else(unknown, |(_, place)| place.clone()))
                }
            };
            match place {
                Ok(place) => opened.push(place),
                Err(why) => closed.push(format!("{title}: {why}")),
            }
        }
        (distinct(opened), closed)
    }

    /// All of them, the nearest first; titles of those that could not be opened, and why.
    pub(super) fn all(&self) -> (OpenPlaces, Vec<Unopened>) {
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        let buckets = self.buckets.iter().map(|(name, place)| (format!("bucket {name}"), place));
        for (title, place) in std::iter::once((self.local.0.clone(), &self.local.1)).chain(buckets) {
            match place {
                Ok(place) => opened.push(Arc::clone(place)),
                Err(why) => closed.push((title, why.clone())),
            }
        }
        (distinct(opened), closed)
    }
}

/// Two names may lead to one place: what is there is not there twice.
fn distinct(places: Vec<Arc<dyn Destination>>) -> Vec<Arc<dyn Destination>> {
    let mut found: Vec<Arc<dyn Destination>> = Vec::new();
    for place in places {
        if !found.iter().any(|known| known.title() == place.title()) {
            found.push(place);
        }
    }
    found
}

/// The destination `local`.
async fn local(inner: &Inner) -> Result<Arc<dyn Destination>, DestinationError> {
    let path = inner.settings.local.clone();
    let at = format!("directory {}", path.display());
    let opening = tokio::task::spawn_blocking(move || LocalDirectory::open(&path));
    match tokio::time::timeout(OPENING, opening).await {
        Ok(Ok(opened)) => {
            let local: Arc<dyn Destination> = Arc::new(opened?);
            Ok(local)
        }
        Ok(Err(_)) => Err(DestinationError::Broken { at }),
        Err(_) => Err(DestinationError::Timeout { at, after: OPENING }),
    }
}

fn bucket(inner: &Inner, kept: &Kept) -> Opened {
    let with = (inner.settings.patience.bucket, &inner.clock);
    let bucket = Bucket::new(kept.bucket.settings(kept.conditional_put, with));
    let bucket: Arc<dyn Destination> = Arc::new(bucket.map_err(|error| chain(&error))?);
    Ok(bucket)
}
