//! The machine image that droplets boot from: built by the recipe `base/build` from Debian packages, kept in the cache. The
//! stock slug `debian-13-x64` boots it.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    cache::{Cache, Key},
    recipe::{self, RecipeError},
};
use crate::machine::MachineError;

/// Slugs that boot this image.
pub const SLUGS: [&str; 1] = ["debian-13-x64"];
const KIND: &str = "base";
/// On a slow mirror the packages alone can take minutes.
const BUILD: Duration = Duration::from_mins(30);

/// A built base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// Its directory: `disk.qcow2`, `kernel`, `initrd`.
    pub dir: PathBuf,
}

impl BaseImage {
    /// The disk that overlays lie upon.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.qcow2")
    }
}

/// Whether something was there or had to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuild {
    /// Build what is missing.
    IfMissing,
    /// Build anew, with today's packages.
    Always,
}

/// The base images: where recipes and cache are.
#[derive(Clone, Debug)]
pub struct BaseImages {
    recipes: PathBuf,
    cache: Cache,
}

impl BaseImages {
    /// With the recipes in this directory.
    pub fn new(recipes: PathBuf, cache: Cache) -> Self {
        Self { recipes, cache }
    }

    /// The image for a slug.
    ///
    /// # Errors
    /// When it was not built, or there is no such image.
    pub fn find(&self, slug: &str) -> Result<BaseImage, MachineError> {
        if !SLUGS.contains(&slug) {
            return Err(MachineError::UnknownImage(slug.to_owned()));
        }
        self.built()?.ok_or_else(|| MachineError::UnknownImage(slug.to_owned()))
    }

    /// The image of today's recipe, if it was built.
    ///
    /// # Errors
    /// When the recipe cannot be read.
    pub fn built(&self) -> io::Result<Option<BaseImage>> {
        let key = self.key()?;
        Ok(self.cache.find(KIND, &key).map(|dir| BaseImage { dir }))
    }

    /// Builds it, unless it is there.
    ///
    /// # Errors
    /// When the recipe fails.
    pub async fn build(&self, rebuild: Rebuild) -> Result<BaseImage, RecipeError> {
        let key = self.key()?;
        if rebuild == Rebuild::IfMissing
            && let Some(dir) = self.cache.find(KIND, &key)
        {
            return Ok(BaseImage { dir });
        }
        let cache = self.cache.clone();
        let build =
            tokio::task::spawn_blocking(move || cache.begin(KIND)).await.map_err(io::Error::other)??;
        if rebuild == Rebuild::IfMissing
            && let Some(dir) = self.cache.find(KIND, &key)
        {
            return Ok(BaseImage { dir });
        }
        let log = self.cache.dir().join("base.log");
        recipe::run(&self.base().join("build"), build.dir(), &log, BUILD).await?;
        Ok(BaseImage { dir: build.finish(&key)? })
    }

    fn key(&self) -> io::Result<Key> {
        Key::of(&[self.base(), self.recipes.join("debian-mirror")])
    }

    fn base(&self) -> PathBuf {
        Path::new(&self.recipes).join("base")
    }
}
