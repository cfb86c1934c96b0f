//! The program's commands. `serve` is the daemon: account, API, machines, registry and artefacts together; the others start
//! it, ask it over its control socket, or work on its files when it is away.
//!
//! In the state directory (mode 0700):
//!
//! | path | what |
//! |---|---|
//! | `daemon.lock` | held by the daemon, and by commands that work on the files while it is away |
//! | `daemon.json` | its process and its API's address; only a hint, the lock decides |
//! | `daemon.log` | what it said since it was started in the background |
//! | `control.sock`, `artefacts.sock` | sockets, 0600 |
//! | `account/` | the account's state, see [`crate::account::store`] |
//! | `machines/` | see [`crate::qemu::record`] |
//! | `registry/` | see [`crate::registry`] |
//! | `agent/` | see [`artefacts`] |

pub mod artefacts;
pub mod commands;
pub mod control;
pub mod options;
pub mod serve;
pub mod status;
