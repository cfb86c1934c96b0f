//! A fleet with its authorities, and an agent that runs in this process on a port and directories of its own.

pub mod agent;
pub mod bus;
pub mod fleet;
pub mod metadata;
pub mod prometheus;
pub mod raw;
pub mod smtp;
pub mod webhook;

use std::path::Path;

use clap::Parser as _;
use tidegate_agent::cli;
use tidegate_proto::status::RichError;
use tonic::{Code, Status};

use self::{
    agent::{Agent, Droplet},
    fleet::Fleet,
};

/// A droplet of this fleet with an agent that is enrolled.
pub async fn enrolled(fleet: &Fleet) -> (Droplet, Agent) {
    let droplet = Droplet::new(fleet).await;
    let agent = droplet.enrolled(fleet).await;
    (droplet, agent)
}

/// What a refusal is, for programs.
pub fn reason(status: &Status) -> (Code, String) {
    let error = RichError::from_status(status);
    (error.code, error.reason)
}

/// Runs a command of `tidegate-agent` over this socket; what it printed, or why it failed.
pub fn command(socket: &Path, words: &[&str]) -> Result<String, String> {
    let socket = socket.display().to_string();
    let (first, rest) = words.split_first().unwrap();
    let words = [&["tidegate-agent", first, "--socket", &socket], rest].concat();
    let mut out = Vec::new();
    let ran = cli::run(cli::Arguments::try_parse_from(words).unwrap(), &mut out);
    ran.map(|_| String::from_utf8(out).unwrap()).map_err(|error| format!("{error:#}"))
}
