//! Against a real Docker daemon.

mod containers;
mod exec;
mod logs;
mod release;
mod service;
