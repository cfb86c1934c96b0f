//! `tidegate-agent standby`: what waits in a unit of its own, outside the agent's sandboxing, to become a command.

use std::process::ExitCode;

use anyhow::Context;

use crate::exec::host::handover;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    handover::wait_and_become()
        .context("standard input brought no command: the agent starts this, nobody else")
}
