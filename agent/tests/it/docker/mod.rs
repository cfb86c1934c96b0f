//! Against a real Docker daemon.

mod alerts;
mod backups;
mod containers;
mod exec;
mod health;
mod ingress;
mod logs;
mod postgres;
mod release;
mod service;
mod together;
