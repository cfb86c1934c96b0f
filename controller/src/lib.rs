//! The controller: reads the fleet file, plans and makes what stands in it, signs certificates, and speaks to agents.
//! It owns the CLI and the state directory on the workstation. It must not know the inside of an agent: the contract is
//! `tidegate-proto`.

pub mod agents;
pub mod apply;
pub mod authority;
pub mod backup_keys;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod cloud_init;
pub mod commands;
pub mod environ;
pub mod failure;
pub mod fleet;
pub mod names;
pub mod output;
pub mod plan;
pub mod release;
pub mod session;
pub mod state;
pub mod suggest;
pub mod waits;
