//! Releases of Compose apps on this droplet.
//!
//! Owns what a release is: reading and checking what it is made of, planning it (pure), carrying it out as a journaled saga,
//! its numbered events, and ending every release that a dead agent left behind. Must not know the wire: [`Engine`] speaks
//! domain types, the gRPC edge converts them.

mod ahead;
mod backed_up;
mod certificates;
pub mod compatibility;
mod context;
mod data;
mod destinations;
pub mod engine;
pub mod event;
mod failure;
mod gate;
mod hooks;
pub mod input;
mod journal;
pub mod lineage;
mod load;
mod one_off;
mod part;
pub mod plan;
pub mod planner;
pub mod policy;
mod probing;
mod quiesce;
mod redact;
mod remove;
mod retention;
mod returning;
mod rollback;
mod run;
mod schedule;
mod serving;
pub mod signs;
mod standstill;
mod status;
mod steps;
pub mod store;
mod survey;
pub mod together;
mod watch;
pub mod world;

pub use backed_up::BackedUp;
pub use data::{BackupFirst, DataKeeper, DataOfThen, Opens};
pub use engine::{Engine, EngineError, EngineSettings, Joined, Release};
pub use event::{EventKind, Interruption, ReleaseEvent, ReleaseState};
pub use failure::{Failure, chain};
pub use input::{DeployInput, GitRevision, InputError, Interrupt, MigrationHere, Part, SourceFile};
pub use journal::{ReleaseId, failure_of, to_node_failure};
pub use one_off::{OneOff, OneOffSpec, Terminal};
pub use plan::{Change, ChangeKind, ReleasePlan};
pub use quiesce::{Hold, Writer};
pub use remove::Volumes;
pub use rollback::BackTo;
pub use serving::{Serving, ServingService};
pub use status::{AppStatus, ReleaseEnds, ServiceStatus};
pub use store::{ReleaseImage, ReleaseRow};

use crate::store::Migration;

#[cfg(test)]
mod scenario_tests;

/// The tables that releases, the ingress and buckets need.
pub fn migrations() -> Vec<Migration> {
    [store::MIGRATIONS, crate::ingress::MIGRATIONS, crate::buckets::MIGRATIONS].concat()
}
