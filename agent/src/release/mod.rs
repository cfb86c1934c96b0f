//! Releases.
pub mod input; pub mod event; mod failure; pub mod plan; pub mod planner; pub mod policy; pub mod store; pub mod world;
pub use event::{EventKind, Interruption, ReleaseEvent, ReleaseState};
pub use failure::{Failure, chain};
pub use input::{DeployInput, GitRevision, InputError, SourceFile};
/// Label.
pub const FILES_LABEL: &str = "tidegate.files";
