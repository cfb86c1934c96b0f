//! The agent on a droplet: drives Compose apps through the Docker API, over gRPC with mutual TLS.

pub mod clock;
pub mod config;
pub mod docker_stream;
pub mod exec;
pub mod logs;
pub mod store;
