//! The agent on a droplet: drives Compose apps through the Docker API, over gRPC with mutual TLS.

pub mod api;
pub mod apps;
pub mod audit;
pub mod backup;
pub mod backup_runs;
pub mod cli;
pub mod clock;
pub mod config;
pub mod docker;
pub mod docker_stream;
pub mod droplet;
pub mod exec;
pub mod health;
pub mod host;
pub mod ingress;
pub mod logging;
pub mod logs;
pub mod peers;
pub mod postgres;
pub mod probe;
pub mod release;
pub mod serve;
pub mod store;
pub mod systemd;
pub mod timers;
pub mod trust;
