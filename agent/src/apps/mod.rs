//! What an app is called and where its things lie on the droplet.
//!
//! Owns names, paths and the tags by which releases are told apart. Must not know Docker or how a release goes.

mod name;
mod paths;

pub use name::{AppName, AppNameError, ReleaseNumber, ServiceName};
pub use paths::AppPaths;
