//! What the user agrees to beforehand, for the commands that make releases.

use tidegate_proto::v1::Interrupt;

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
