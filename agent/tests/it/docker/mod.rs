//! Against a real Docker daemon.

mod alerts;
mod backups;
mod comeback;
mod containers;
mod exec;
mod health;
mod ingress;
mod logs;
mod postgres;
mod release;
mod service;
mod together;
