//! What the user agrees to beforehand, for the commands that make releases.

use tidegate_proto::v1::Interrupt;

use super::context::Context;
use crate::{failure::Failure, names::Name};

/// What the user agrees to.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Agreed {
    /// Agree that services stop together where a network of theirs has to be made anew
    #[arg(long)]
    interrupt: bool,
}

impl Agreed {
    /// As the agent is told.
    pub fn interrupt(self) -> Interrupt {
        if self.interrupt { Interrupt::Allowed } else { Interrupt::Refused }
    }
}

/// What is done to data, or to an app as a whole, is agreed to with the app's name.
///
/// # Errors
/// When nobody can be asked, or says another name: nothing was changed then.
pub(super) fn by_name(context: &Context, what: &str, name: &Name) -> anyhow::Result<()> {
    if !context.printer.can_ask() {
        return Err(Failure::input("nobody can be asked whether to go on").hint("say --yes").into());
    }
    context.printer.note(what.trim_end());
    let answer = context.printer.ask("Type the app's name to go on")?;
    if answer.trim() == name.as_str() {
        return Ok(());
    }
    Err(Failure::failed("that is not its name, so nothing was changed").into())
}
