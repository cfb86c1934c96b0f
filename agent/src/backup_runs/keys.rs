//! What opens a backup: the key that the agent made for it, as long as it holds it, or each part's file key from a person who
//! holds the secret key of a recipient. That secret key itself never comes here.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{BackupError, BackupRow, Inner};
use crate::{
    apps::AppName,
    backup::{
        BackupId, PartName,
        seal::{FileKey, OneTimeKey, OpenKey},
    },
};

/// The file keys of a backup's parts, unwrapped by who may.
#[derive(Default)]
pub struct FileKeys(BTreeMap<PartName, FileKey>);

impl FileKeys {
    /// With one more.
    #[must_use]
    pub fn with(mut self, part: PartName, key: FileKey) -> Self {
        self.0.insert(part, key);
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for FileKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Keys that were lent for a release that is about to begin: they are in memory alone, and gone with the agent.
#[derive(Debug, Default)]
pub(super) struct Lent(Mutex<BTreeMap<AppName, FileKeys>>);

impl Lent {
    /// Lends keys for what is about to happen to an app, in the place of earlier ones.
    pub(super) fn lend(&self, app: &AppName, keys: FileKeys) {
        self.all().insert(app.clone(), keys);
    }

    /// A copy of them; empty where none were lent.
    pub(super) fn of(&self, app: &AppName) -> FileKeys {
        let all = self.all();
        let lent = all.get(app).into_iter().flat_map(|keys| &keys.0);
        // A key that is one stays one.
        FileKeys(
            lent.filter_map(|(part, key)| Some((part.clone(), FileKey::new(key.expose()).ok()?))).collect(),
        )
    }

    /// They are not needed any more.
    pub(super) fn end(&self, app: &AppName) {
        self.all().remove(app);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<AppName, FileKeys>> {
        // Entries are inserted and removed whole, so a panic elsewhere leaves the map sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What opens the parts of one backup.
pub(super) enum Keys {
    /// The agent's own.
    OneTime(OneTimeKey),
    /// Somebody else's.
    Files(FileKeys),
}

impl Keys {
    /// Those that were given, else the agent's own.
    pub(super) async fn of(inner: &Inner, row: &BackupRow, given: FileKeys) -> Result<Self, BackupError> {
        if !given.is_empty() {
            return Ok(Self::Files(given));
        }
        let id = row.id;
        let secret = inner.store.key(id).await?;
        let secret = secret.ok_or(BackupError::NoKey { id, verified_at: row.verified_at })?;
        let key = OneTimeKey::parse(&secret).map_err(|source| BackupError::Key { id, source })?;
        Ok(Self::OneTime(key))
    }

    /// For one part.
    pub(super) fn of_part(&self, id: BackupId, part: &PartName) -> Result<OpenKey, BackupError> {
        let keys = match self {
            Self::OneTime(key) => return Ok(OpenKey::OneTime(key.clone())),
            Self::Files(keys) => keys,
        };
        let key = keys.0.get(part).ok_or_else(|| BackupError::MissingKey { id, part: part.clone() })?;
        let copy = FileKey::new(key.expose()).map_err(|source| BackupError::Key { id, source })?;
        Ok(OpenKey::File(copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_part_and_never_shown() {
        let part = |name: &str| PartName::new(name).unwrap();
        let given = FileKeys::default().with(part("shop.dump"), FileKey::new(&[7; 16]).unwrap());
        assert_eq!(format!("{given:?}"), r#"{PartName("shop.dump")}"#);
        let keys = Keys::Files(given);
        let id = "20261122T030000Z-4f2a91c0".parse().unwrap();
        assert!(matches!(keys.of_part(id, &part("shop.dump")), Ok(OpenKey::File(_))));
        let refused = keys.of_part(id, &part("globals.sql")).unwrap_err();
        assert!(matches!(refused, BackupError::MissingKey { .. }), "{refused}");
    }
}
