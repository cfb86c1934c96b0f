//! The cache of built things: directories `<kind>-<key>` below the cache directory, where the key is a hash of everything
//! the thing is made from. A build works in `.building-<kind>-<random>` beside them and is renamed when it is whole, so
//! what has its name is complete. A lock per kind keeps two builders apart; what an interrupted one left is removed by the
//! next.

use std::{
    fs::File,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Length of a key in hexadecimal digits.
const KEY_DIGITS: usize = 16;

/// A hash of what something is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Of files and directories, with everything in them: names, contents, and whether they can be executed.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of(inputs: &[PathBuf]) -> io::Result<Self> {
        let mut hash = Sha256::new();
        for input in inputs {
            add(&mut hash, input, Path::new(input.file_name().unwrap_or_default()))?;
        }
        let digits = hex::encode(hash.finalize());
        Ok(Self(digits.chars().take(KEY_DIGITS).collect()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn add(hash: &mut Sha256, path: &Path, name: &Path) -> io::Result<()> {
    let about = fs_err::metadata(path)?;
    if about.is_dir() {
        let mut entries = fs_err::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs_err::DirEntry::file_name);
        for entry in entries {
            add(hash, &entry.path(), &name.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let content = fs_err::read(path)?;
    let executable = about.permissions().mode() & 0o100 != 0;
    // Lengths first, so that no two different trees make the same stream of bytes.
    hash.update(format!("{}:{} {executable} {}:", name.as_os_str().len(), name.display(), content.len()));
    hash.update(content);
    Ok(())
}

/// The cache directory.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// The cache in this directory, which is made when something is first put there.
    pub fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// Where something lies, if it was built.
    pub fn find(&self, kind: &str, key: &Key) -> Option<PathBuf> {
        let dir = self.path(kind, key);
        dir.is_dir().then_some(dir)
    }

    /// Everything of a kind that was built, whatever its key.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn all(&self, kind: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        if !self.0.is_dir() {
            return Ok(found);
        }
        for entry in fs_err::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let key = name.to_str().and_then(|name| name.strip_prefix(kind)?.strip_prefix('-'));
            let is_key =
                |key: &str| key.len() == KEY_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit());
            if key.is_some_and(is_key) && entry.path().is_dir() {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// Removes what is of the same kind and another key.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_others(&self, kind: &str, key: &Key) -> io::Result<()> {
        let kept = self.path(kind, key);
        for dir in self.all(kind)?.into_iter().filter(|dir| *dir != kept) {
            fs_err::remove_dir_all(dir)?;
        }
        Ok(())
    }

    /// Begins to build. Waits for another builder of the same kind, so look again with [`Cache::find`] afterwards.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn begin(&self, kind: &str) -> io::Result<Build> {
        fs_err::create_dir_all(&self.0)?;
        let (lock, _path) = fs_err::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.0.join(format!("{kind}.lock")))?
            .into_parts();
        lock.lock()?;
        let prefix = format!(".building-{kind}-");
        for entry in fs_err::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs_err::remove_dir_all(entry.path())?;
            }
        }
        let dir = self.0.join(format!("{prefix}{}", uuid::Uuid::new_v4().simple()));
        fs_err::create_dir(&dir)?;
        Ok(Build { cache: self.clone(), kind: kind.to_owned(), dir, _lock: lock })
    }

    fn path(&self, kind: &str, key: &Key) -> PathBuf {
        self.0.join(format!("{kind}-{}", key.as_str()))
    }
}

/// Something being built. What is not finished is removed when this is dropped.
#[derive(Debug)]
pub struct Build {
    cache: Cache,
    kind: String,
    dir: PathBuf,
    _lock: File,
}

impl Build {
    /// The directory to build in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// It is whole: gives it its name, in place of an older one.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn finish(self, key: &Key) -> io::Result<PathBuf> {
        let to = self.cache.path(&self.kind, key);
        if to.exists() {
            fs_err::remove_dir_all(&to)?;
        }
        fs_err::rename(&self.dir, &to)?;
        fs_err::File::open(&self.cache.0)?.sync_all()?;
        Ok(to)
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        if self.dir.exists()
            && let Err(error) = fs_err::remove_dir_all(&self.dir)
        {
            tracing::warn!(%error, "an unfinished build could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn recipe(dir: &Path) -> PathBuf {
        let recipe = dir.join("recipe");
        fs_err::create_dir_all(recipe.join("files")).unwrap();
        fs_err::write(recipe.join("build"), "one").unwrap();
        fs_err::write(recipe.join("files/a"), "two").unwrap();
        recipe
    }

    #[test]
    fn every_change_of_a_recipe_changes_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = recipe(dir.path());
        let key = || Key::of(std::slice::from_ref(&recipe)).unwrap();
        let mut keys = vec![key()];
        assert_eq!(key(), keys[0]);
        fs_err::write(recipe.join("files/a"), "2").unwrap();
        keys.push(key());
        fs_err::rename(recipe.join("files/a"), recipe.join("files/b")).unwrap();
        keys.push(key());
        fs_err::set_permissions(recipe.join("build"), Permissions::from_mode(0o755)).unwrap();
        keys.push(key());
        fs_err::write(recipe.join("new"), "").unwrap();
        keys.push(key());
        for (at, one) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(one), "{keys:?}");
        }
    }

    #[test]
    fn only_what_is_finished_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::of(&[recipe(dir.path())]).unwrap();
        let cache = Cache::new(dir.path().join("cache"));
        let build = cache.begin("base").unwrap();
        fs_err::write(build.dir().join("disk"), "half").unwrap();
        assert_eq!(cache.find("base", &key), None);
        drop(build);
        assert_eq!(fs_err::read_dir(cache.dir()).unwrap().count(), 1, "only the lock is left");

        // One that was killed in the middle.
        fs_err::create_dir(cache.dir().join(".building-base-dead")).unwrap();
        let build = cache.begin("base").unwrap();
        assert!(!cache.dir().join(".building-base-dead").exists());
        fs_err::write(build.dir().join("disk"), "whole").unwrap();
        let at = build.finish(&key).unwrap();
        assert_eq!(cache.find("base", &key), Some(at.clone()));
        assert_eq!(fs_err::read_to_string(at.join("disk")).unwrap(), "whole");
    }

    #[test]
    fn a_second_builder_waits_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"));
        let first = cache.begin("base").unwrap();
        let second = std::thread::spawn({
            let cache = cache.clone();
            move || cache.begin("base").map(drop)
        });
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!second.is_finished());
        drop(first);
        second.join().unwrap().unwrap();
    }
}
