//! What a deploy is asked with, and how it is kept: one file per release.
//!
//! # Format
//! `releases/<app>/<n>/input.json`, mode 0600, replaced atomically: the [`DeployInput`] as JSON with `"format": 1`; the
//! contents of files are base64. It holds the app's secrets (variables, env files): nothing else of a release does. What is known
//! of buckets is not in it (`crate::buckets`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    data::{BackupFirst, DataOfThen},
    together::Together,
};
use crate::{
    apps::{AppName, ReleaseNumber},
    buckets::KnownBucket,
    store::{ReplaceError, atomic_replace, sync_directory},
};

const FORMAT: u32 = 1;
const FILE: &str = "input.json";

/// Everything that a release is made of.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployInput {
    /// The app.
    pub app: AppName,
    /// Compose files, env files and the files they refer to.
    pub files: Vec<SourceFile>,
    /// The `-f` files in order: paths of `files`.
    pub compose_files: Vec<String>,
    /// The `--env-file` files in order: paths of `files`.
    pub env_files: Vec<String>,
    /// Enabled profiles.
    pub profiles: Vec<String>,
    /// The caller's variables that the Compose files name.
    pub variables: BTreeMap<String, String>,
    /// The model's digest as the caller computed it; empty when it did not.
    pub model_digest: String,
    /// Where the source comes from.
    pub git: GitRevision,
    /// Chosen at random by the caller; a repeated request joins the release it started. Empty: none.
    pub idempotency_key: String,
    /// For a rollback: the release whose files, variables and images these are.
    #[serde(default)]
    pub returns_to: Option<ReleaseNumber>,
    /// What of the app is this droplet's part.
    #[serde(default)]
    pub part: Part,
    /// Whether services may be stopped together for the sake of a network or volume.
    #[serde(skip)]
    pub interrupt: Interrupt,
    /// Whether it begins with a backup.
    #[serde(skip)]
    pub backup_first: BackupFirst,
    /// Whether a rollback brings data back.
    #[serde(skip)]
    pub data_of_then: DataOfThen,
    /// The buckets that the project's backups go to. Not kept here: their credentials stand in the database alone.
    #[serde(skip)]
    pub buckets: Vec<KnownBucket>,
    /// For a release that many droplets make together: with whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// What of an app is this droplet's part, where it has several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Services that do not run here: the release is made as if the files did not have them.
    pub elsewhere: BTreeSet<String>,
    /// Who runs the migration.
    pub migration: MigrationHere,
}

/// Whether this droplet runs the migration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationHere {
    /// It does.
    #[default]
    Run,
    /// Another one does, for the same database.
    Elsewhere,
}

/// Whether services may be stopped together because a network or volume of theirs has to be made anew. It is asked for once
/// and not kept: nobody who goes back later has agreed to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupt {
    /// They may not.
    #[default]
    Refused,
    /// They may.
    Allowed,
}

/// Where the source comes from; empty where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitRevision {
    /// The commit.
    pub revision: String,
    /// The branch.
    pub branch: String,
    /// The first line of the commit's message.
    pub subject: String,
}

/// A file of the project.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Relative to the project directory, with `/`, without `..`.
    pub path: String,
    /// Its content.
    #[serde(with = "encoded")]
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

impl fmt::Debug for DeployInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Variables and contents are secrets until proven otherwise.
        f.debug_struct("DeployInput")
            .field("app", &self.app)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    format: u32,
    #[serde(flatten)]
    input: T,
}

/// Why the input of a release could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The folder could not be made or the file not be read.
    #[error("the release's source files could not be kept or read")]
    Io(#[source] std::io::Error),
    /// The file could not be written.
    #[error("the release's source files could not be kept")]
    Write(#[source] ReplaceError),
    /// It is not what was written.
    #[error("the release's source files are damaged; deploy again")]
    Damaged(#[source] serde_json::Error),
    /// A later agent wrote it.
    #[error(
        "the release's source files have format {0}, which this agent does not know; install a newer one"
    )]
    Format(u32),
}

impl DeployInput {
    /// A release of an app of which nothing is known yet: no files, no variables, this droplet's alone.
    pub fn of(app: AppName) -> Self {
        Self {
            app,
            files: Vec::new(),
            compose_files: Vec::new(),
            env_files: Vec::new(),
            profiles: Vec::new(),
            variables: BTreeMap::new(),
            model_digest: String::new(),
            git: GitRevision::default(),
            idempotency_key: String::new(),
            returns_to: None,
            part: Part::default(),
            interrupt: Interrupt::default(),
            data_of_then: DataOfThen::default(),
            backup_first: BackupFirst::default(),
            buckets: Vec::new(),
            together: None,
        }
    }

    /// Whether the new code has to wait until another droplet has migrated: for the database that they share.
    pub fn awaits_migration(&self) -> bool {
        let decides_elsewhere = self.together.as_ref().is_some_and(|together| together.decider().is_some());
        decides_elsewhere && self.returns_to.is_none() && self.part.migration == MigrationHere::Elsewhere
    }

    /// A digest of the source files and variables: equal inputs, equal digests.
    pub fn source_digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(bytes);
        };
        let mut files: Vec<&SourceFile> = self.files.iter().collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        for file in files {
            part(file.path.as_bytes());
            part(&file.mode.to_be_bytes());
            part(&file.content);
        }
        for list in [&self.compose_files, &self.env_files, &self.profiles] {
            part(list.join("\n").as_bytes());
        }
        for (name, value) in &self.variables {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        if !self.part.elsewhere.is_empty() {
            part(self.part.elsewhere.iter().map(String::as_str).collect::<Vec<_>>().join("\n").as_bytes());
        }
        hex::encode(hasher.finalize())
    }

    /// Keeps the input in the folder of its release.
    ///
    /// # Errors
    /// When it could not be stored durably.
    pub fn keep(&self, folder: &Path) -> Result<(), InputError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder).map_err(InputError::Io)?;
        let json =
            serde_json::to_vec(&Stored { format: FORMAT, input: self }).map_err(InputError::Damaged)?;
        atomic_replace(&folder.join(FILE), &json, 0o600).map_err(InputError::Write)?;
        folder.parent().map_or(Ok(()), sync_directory).map_err(InputError::Io)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it is not there, is damaged, or of an unknown format.
    pub fn read(folder: &Path) -> Result<Self, InputError> {
        let json = fs_err::read(folder.join(FILE)).map_err(InputError::Io)?;
        let stored: Stored<Self> = serde_json::from_slice(&json).map_err(InputError::Damaged)?;
        if stored.format == FORMAT { Ok(stored.input) } else { Err(InputError::Format(stored.format)) }
    }
}

mod encoded {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> DeployInput {
        DeployInput {
            files: vec![SourceFile { path: "compose.yaml".into(), content: vec![0, 255], mode: 0o644 }],
            compose_files: vec!["compose.yaml".into()],
            variables: BTreeMap::from([("PASSWORD".into(), "hunter22".into())]),
            ..DeployInput::of(AppName::new("shop").unwrap())
        }
    }

    #[test]
    fn what_is_kept_is_read_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let release = folder.path().join("releases/shop/1");
        input().keep(&release).unwrap();
        assert_eq!(DeployInput::read(&release).unwrap(), input());
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&release), mode(&release.join(FILE))), (0o700, 0o600));
    }

    #[test]
    fn the_digest_covers_everything_that_matters_and_no_order_of_files() {
        let digest = input().source_digest();
        let mut other = input();
        other.variables.insert("PASSWORD".into(), "hunter23".into());
        assert_ne!(other.source_digest(), digest);
        let mut same = input();
        same.git.revision = "7f3c2a1".into();
        assert_eq!(same.source_digest(), digest);
    }

    #[test]
    fn inputs_of_older_agents_are_read_and_keep_their_digest() {
        let mut old = serde_json::to_value(Stored { format: FORMAT, input: input() }).unwrap();
        assert!(old.as_object_mut().unwrap().remove("part").is_some());
        let read: Stored<DeployInput> = serde_json::from_value(old).unwrap();
        assert_eq!(read.input, input());
        let mut apart = input();
        apart.part.elsewhere.insert("poller".to_owned());
        assert_ne!(apart.source_digest(), input().source_digest());
        assert_eq!(
            input().source_digest(),
            "ac1a0a9868c1241a67c7944ed1fe851a9282cd18f2c5aa104866248dc0bcb756"
        );
    }

    #[test]
    fn debug_hides_contents() {
        assert!(!format!("{:?}", input()).contains("hunter22"));
    }
}
