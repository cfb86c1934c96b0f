//! Images for a test daemon. Owns turning a built recipe (`sandbox/images/containers/`) into what `docker load` reads, and
//! the record of what a slot has loaded; must not know who runs them.
//!
//! The record, `loaded.json`, is a map from a tag to `{"recipe": <directory of the built recipe>, "id": <image id>}`. It is
//! written after the daemon has taken the image; a record that is missing or torn only costs loading again.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use bollard::query_parameters::{ImportImageOptions, TagImageOptions};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;

use super::{DockerError, daemon::Slot};

/// Folder of the recipes.
const RECIPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sandbox/images/containers");
/// How large the pieces are in which an image goes to the daemon.
const PIECE: usize = 256 * 1024;

/// An image that the repository has a recipe for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// `probe:1`: a static busybox, with shell, httpd, wget and nc. Made in a second.
    Probe,
    /// `postgres:17`.
    Postgres,
    /// `postgres:15`: the oldest that is backed up in tests.
    Postgres15,
    /// `redis:8`.
    Redis,
    /// `valkey:8`.
    Valkey,
    /// `mariadb:11`.
    Mariadb,
    /// `caddy:2`, the ingress.
    Caddy,
    /// `shop/web:dev`, the example product.
    ShopWeb,
}

impl Image {
    /// Folder of its recipe.
    pub const fn recipe(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Postgres => "postgres-17",
            Self::Postgres15 => "postgres-15",
            Self::Redis => "redis-8",
            Self::Valkey => "valkey-8",
            Self::Mariadb => "mariadb-11",
            Self::Caddy => "caddy-2",
            Self::ShopWeb => "shop-web",
        }
    }

    /// Builds it unless that was done before: the directory with `rootfs.tar`, `config.json`, `name`, `rootfs.sha256`.
    ///
    /// # Errors
    /// When the recipe fails; the error has its last words.
    pub fn built(self) -> Result<PathBuf, DockerError> {
        let failed = |detail| DockerError::Image { image: self.recipe(), detail };
        let output = Command::new(Path::new(RECIPES).join("image"))
            .arg(self.recipe())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()));
        }
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
    }
}

/// One loaded image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loaded {
    recipe: PathBuf,
    pub(super) id: String,
}

/// What a slot has loaded, by tag.
pub(super) type Record = BTreeMap<String, Loaded>;

pub(super) fn read_record(slot: &Slot) -> Record {
    let text = fs_err::read_to_string(&slot.record).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

pub(super) fn write_record(slot: &Slot, record: &Record) -> Result<(), DockerError> {
    let text = serde_json::to_string_pretty(record).map_err(|error| DockerError::Io(error.into()))?;
    fs_err::write(&slot.record, text).map_err(DockerError::Io)
}

/// Loads `image` unless the slot has it, and gives its first tag.
pub(super) async fn load(client: &bollard::Docker, slot: &Slot, image: Image) -> Result<String, DockerError> {
    let recipe = tokio::task::spawn_blocking(move || image.built())
        .await
        .map_err(|error| DockerError::Io(error.into()))??;
    let built = Built::read(&recipe).map_err(DockerError::Io)?;
    let first = built.tags.first().cloned().unwrap_or_default();
    let mut record = read_record(slot);
    let id = match record.get(&first) {
        Some(loaded) if loaded.recipe == recipe => loaded.id.clone(),
        _ => import(client, built.clone(), &first).await?,
    };
    for tag in &built.tags {
        let (repository, version) = tag.rsplit_once(':').unwrap_or((tag, "latest"));
        let options = TagImageOptions { repo: Some(repository.to_owned()), tag: Some(version.to_owned()) };
        let tagged = client.tag_image(&id, Some(options)).await;
        tagged.map_err(DockerError::api(format!("tag {id} as {tag}")))?;
        record.insert(tag.clone(), Loaded { recipe: recipe.clone(), id: id.clone() });
    }
    write_record(slot, &record)?;
    Ok(first)
}

async fn import(client: &bollard::Docker, built: Built, tag: &str) -> Result<String, DockerError> {
    let (sender, receiver) = mpsc::channel(4);
    let writing = tokio::task::spawn_blocking(move || built.write(Pieces::new(sender)));
    let pieces = stream::unfold(receiver, async |mut receiver| {
        let piece: Bytes = receiver.recv().await?;
        Some((Ok::<_, io::Error>(piece), receiver))
    });
    let action = || DockerError::api(format!("load {tag}"));
    let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
    let answers = client.import_image_stream(options, pieces.boxed(), None);
    let answers: Vec<_> = answers.try_collect().await.map_err(action())?;
    writing.await.map_err(|error| DockerError::Io(error.into()))?.map_err(DockerError::Io)?;
    let inspected = client.inspect_image(tag).await.map_err(action())?;
    inspected
        .id
        .ok_or_else(|| DockerError::Io(io::Error::other(format!("{tag} has no id after {answers:?}"))))
}

/// What a recipe left.
#[derive(Clone, Debug)]
struct Built {
    rootfs: PathBuf,
    diff_id: String,
    config: Value,
    tags: Vec<String>,
}

impl Built {
    fn read(directory: &Path) -> io::Result<Self> {
        let text = |file: &str| fs_err::read_to_string(directory.join(file));
        Ok(Self {
            rootfs: directory.join("rootfs.tar"),
            diff_id: format!("sha256:{}", text("rootfs.sha256")?.trim()),
            config: serde_json::from_str(&text("config.json")?)?,
            tags: text("name")?.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Writes the archive that `docker load` reads: one layer, its configuration, and the manifest that binds them.
    fn write(&self, to: impl Write) -> io::Result<()> {
        const MADE: &str = "2026-01-01T00:00:00Z";
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({
            "architecture": architecture, "os": "linux", "created": MADE, "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [self.diff_id] },
            "history": [{ "created": MADE, "created_by": "tidegate recipe" }],
        });
        let manifest = json!([{ "Config": "config.json", "RepoTags": self.tags, "Layers": ["layer.tar"] }]);
        let mut archive = tar::Builder::new(io::BufWriter::with_capacity(PIECE, to));
        archive.append_file("layer.tar", fs_err::File::open(&self.rootfs)?.file_mut())?;
        for (name, value) in [("config.json", config), ("manifest.json", manifest)] {
            let text = value.to_string();
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(text.len()).map_err(io::Error::other)?);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, text.as_bytes())?;
        }
        archive.into_inner()?.flush()
    }
}

/// A writer whose bytes go to a channel.
struct Pieces(mpsc::Sender<Bytes>);

impl Pieces {
    fn new(sender: mpsc::Sender<Bytes>) -> Self {
        Self(sender)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
