//! The Compose file as a value: read, interpolate, merge, normalise, hash, and the pure plan to Docker objects.
//!
//! The crate owns what a Compose project *means*: it turns source files and variables into a [`Project`], the same
//! one that docker compose makes of them, with the same config-hash. It knows no network and no Docker, and it
//! reads files only through [`FileSource`]; paths inside are `/`-separated strings on every system.

pub mod advice;
pub mod compat;
pub mod error;
pub mod files;
pub mod hash;
pub mod json;
pub mod labels;
pub mod load;
pub mod model;
pub mod names;
pub mod node;
pub mod order;
mod problem;
pub mod referenced;
pub mod source;
pub mod text;
pub mod views;
pub mod x_tidegate;
pub mod yaml;

pub use compat::Compatibility;
pub use error::{ErrorClass, LoadError, LoadErrors, Place, Warning};
pub use files::FileTable;
pub use load::{Extent, LoadOptions, Loaded, load};
pub use model::{Project, Service};
pub use referenced::{References, referenced};
pub use source::{FileKind, FileSource, MemoryFiles, OsFiles, SourceError};
