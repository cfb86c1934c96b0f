//! What the agent remembers: one SQLite database (`/var/lib/tidegate/agent.db`) and files that are replaced atomically.
//!
//! Owns opening, durability, migrations, deadlines and the disk-full reserve. Must not know tables: each module that
//! keeps something brings its own [`Migration`]s and its own SQL.
//!
//! # Format
//! `agent.db` is SQLite 3 in WAL mode with `synchronous=FULL`, mode 0600. The table `migration(module, number, digest)`
//! records which numbered migrations of which module ran; `digest` is the SHA-256 of their SQL in hex. A database that
//! holds a migration unknown to this program was written by a newer agent and is refused. Beside it lies
//! `agent.db.reserve`, zeros that are given up when the disk is full, so that an undo can still be journaled.

mod database;
mod files;
mod migration;
mod reserve;
pub mod saga_journal;

pub use database::{Database, DatabaseError, DatabaseSettings};
pub use files::{ReplaceError, atomic_replace, sync_directory};
pub use migration::{Migration, MigrationError};
