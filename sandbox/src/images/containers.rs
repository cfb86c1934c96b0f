//! Images of containers: built by the recipes in `containers/`, each one layer, kept in the cache in the shape in which a
//! registry takes them.
//!
//! `containers/image NAME` builds a recipe and prints the directory of `rootfs.tar`, `rootfs.sha256`, `config.json` (Docker's
//! image configuration) and `name` (the tags, one a line). From it, `layer-NAME-<key>/` in the cache holds `layer.tar`, `config.json`, `manifest.json` and, written last, `image.json`: [`Built`].

use std::{
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{
    cache::{Cache, Key},
    recipe::{self, RecipeError},
};
use crate::registry::push::{self, Blob, MANIFEST_TYPE};

const ABOUT: &str = "image.json";
const BUILD: Duration = Duration::from_mins(30);
const LAYER: &str = "layer.tar";

/// A container image in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The recipe.
    pub recipe: String,
    /// Its tags, such as `postgres:17`.
    pub tags: Vec<String>,
    /// The manifest's digest.
    pub digest: String,
    /// The layer's size in bytes.
    pub size: u64,
    config: String,
    layer: String,
}

/// The container images: where recipes and cache are.
#[derive(Clone, Debug)]
pub struct ContainerImages {
    recipes: PathBuf,
    cache: Cache,
    /// Told to the recipes, when the user chose a cache.
    chosen_cache: Option<PathBuf>,
}

impl ContainerImages {
    /// With the recipes in `containers/` of this directory.
    pub fn new(recipes: &Path, cache: Cache, chosen_cache: Option<PathBuf>) -> Self {
        Self { recipes: recipes.join("containers"), cache, chosen_cache }
    }

    /// Names of the recipes.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn recipes(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        if !self.recipes.is_dir() {
            return Ok(names);
        }
        for entry in fs_err::read_dir(&self.recipes)? {
            let entry = entry?;
            let build = entry.path().join("build");
            let executable =
                fs_err::metadata(&build).is_ok_and(|about| about.permissions().mode() & 0o100 != 0);
            if let Some(name) = entry.file_name().to_str().filter(|_| executable) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Builds an image unless it is there.
    ///
    /// # Errors
    /// When the recipe fails or leaves something else than it should.
    pub async fn build(&self, recipe: &str) -> Result<Built, RecipeError> {
        let made = self.run_recipe(recipe).await?;
        let key = Key::of(&[made.join("rootfs.sha256"), made.join("config.json"), made.join("name")])?;
        let kind = kind(recipe);
        if let Some(dir) = self.cache.find(&kind, &key) {
            return Ok(read(&dir)?);
        }
        let (cache, to_lock) = (self.cache.clone(), kind.clone());
        let build =
            tokio::task::spawn_blocking(move || cache.begin(&to_lock)).await.map_err(io::Error::other)??;
        if let Some(dir) = self.cache.find(&kind, &key) {
            return Ok(read(&dir)?);
        }
        let (name, out) = (recipe.to_owned(), build.dir().to_owned());
        let described = tokio::task::spawn_blocking(move || describe(&name, &made, &out))
            .await
            .map_err(io::Error::other)??;
        self.cache.remove_others(&kind, &key)?;
        build.finish(&key)?;
        Ok(described)
    }

    /// The images that were built.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn built(&self) -> io::Result<Vec<(Built, PathBuf)>> {
        let mut found = Vec::new();
        for recipe in self.recipes()? {
            for dir in self.cache.all(&kind(&recipe))? {
                found.push((read(&dir)?, dir));
            }
        }
        Ok(found)
    }

    async fn run_recipe(&self, name: &str) -> Result<PathBuf, RecipeError> {
        let mut program = Command::new(self.recipes.join("image"));
        program.arg(name);
        if let Some(cache) = &self.chosen_cache {
            program.env("TIDEGATE_CACHE_DIR", cache);
        }
        fs_err::create_dir_all(self.cache.dir())?;
        let said =
            recipe::output(&mut program, &self.cache.dir().join(format!("container-{name}.log")), BUILD)
                .await?;
        Ok(PathBuf::from(said.trim_end()))
    }
}

/// What a registry is given.
///
/// # Errors
/// When the manifest cannot be read.
pub fn to_push(built: &Built, dir: &Path) -> io::Result<push::Image> {
    let config = dir.join("config.json");
    let blobs = vec![
        Blob { digest: built.config.clone(), size: fs_err::metadata(&config)?.len(), file: config },
        Blob { digest: built.layer.clone(), size: built.size, file: dir.join(LAYER) },
    ];
    Ok(push::Image {
        blobs,
        manifest: fs_err::read(dir.join("manifest.json"))?,
        digest: built.digest.clone(),
    })
}

fn read(dir: &Path) -> io::Result<Built> {
    let path = dir.join(ABOUT);
    serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| invalid(&path, &error.to_string()))
}

fn describe(recipe: &str, made: &Path, out: &Path) -> io::Result<Built> {
    let tags = tags(&made.join("name"))?;
    let diff = fs_err::read_to_string(made.join("rootfs.sha256"))?;
    let own = made.join("config.json");
    let own: Value =
        serde_json::from_slice(&fs_err::read(&own)?).map_err(|error| invalid(&own, &error.to_string()))?;
    // As it is: it travels one machine, and an emulated processor takes longer to unpack it than to fetch the rest.
    let size = fs_err::copy(made.join("rootfs.tar"), out.join(LAYER))?;
    let layer = format!("sha256:{}", diff.trim());
    let digest = digest_of(&out.join(LAYER))?;
    if digest != layer {
        return Err(invalid(
            &made.join("rootfs.sha256"),
            &format!("it names {layer}, but the layer is {digest}"),
        ));
    }
    // No date: the same content is the same image.
    let config = serde_json::to_vec(&json!({
        "architecture": "amd64",
        "os": "linux",
        "config": own,
        "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created_by": format!("recipe {recipe}")}],
    }))?;
    let config_digest = sha256(&config);
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(),
            "digest": config_digest,
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
            "size": size,
            "digest": layer,
        }],
    }))?;
    let digest = sha256(&manifest);
    fs_err::write(out.join("config.json"), config)?;
    fs_err::write(out.join("manifest.json"), manifest)?;
    let built = Built { recipe: recipe.to_owned(), tags, digest, size, config: config_digest, layer };
    fs_err::write(out.join(ABOUT), serde_json::to_vec_pretty(&built)?)?;
    Ok(built)
}

fn tags(path: &Path) -> io::Result<Vec<String>> {
    let text = fs_err::read_to_string(path)?;
    let tags: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if tags.is_empty() {
        return Err(invalid(path, "it names no tag"));
    }
    for tag in &tags {
        push::place(tag).map_err(|error| invalid(path, &error.to_string()))?;
    }
    Ok(tags)
}

/// Under what an image of this recipe stands in the cache.
fn kind(recipe: &str) -> String {
    format!("layer-{recipe}")
}

fn digest_of(path: &Path) -> io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        match buffer.get(..length) {
            None | Some([]) => return Ok(format!("sha256:{}", hex::encode(hash.finalize()))),
            Some(part) => hash.update(part),
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn invalid(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}

#[cfg(test)]
#[path = "containers_tests.rs"]
mod tests;
