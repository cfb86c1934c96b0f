//! A fleet with its authorities, and an agent that runs in this process on a port and directories of its own.

pub mod agent;
pub mod fleet;
pub mod metadata;
pub mod raw;
