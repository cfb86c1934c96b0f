//! The agent on a droplet: drives Compose apps through the Docker API, over gRPC with mutual TLS.

pub mod apps;
pub mod clock;
pub mod config;
pub mod docker;
pub mod docker_stream;
pub mod exec;
pub mod ingress;
pub mod logs;
pub mod release;
pub mod store;
