//! Backups at a real S3 server: moto's, each test with one of its own.

mod bucket;
pub mod server;
mod trouble;
mod whole;
