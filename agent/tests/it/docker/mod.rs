//! Against a real Docker daemon.

mod alerts;
mod backups;
mod containers;
mod exec;
pub mod health;
mod ingress;
mod logs;
mod metrics;
mod postgres;
pub mod release;
mod service;
mod together;
