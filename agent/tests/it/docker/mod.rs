//! Against a real Docker daemon.

mod exec;
mod logs;
mod release;
mod support;
