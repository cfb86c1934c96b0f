//! Against a real Docker daemon.

mod exec;
mod logs;
mod support;
