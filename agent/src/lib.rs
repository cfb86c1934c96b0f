//! The agent on a droplet: drives Compose apps through the Docker API, over gRPC with mutual TLS.

pub mod clock;
pub mod config;
pub mod exec;
pub mod store;
