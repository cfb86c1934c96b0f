//! This machine's terminal: raw while a far command has it, and always given back. Through crossterm, so that Windows and
//! Unix are one.

use tidegate_proto::v1::TerminalSize;

/// How the terminal is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalMode {
    /// Every key goes to the far command at once.
    Raw,
    /// As it was.
    Plain,
}

/// The terminal, in a mode; given back when dropped.
#[derive(Debug)]
pub struct Terminal {
    mode: TerminalMode,
}

impl Terminal {
    /// Takes it. One that cannot be made raw stays plain: the command still runs.
    pub fn enter(wanted: TerminalMode) -> Self {
        let raw = wanted == TerminalMode::Raw && crossterm::terminal::enable_raw_mode().is_ok();
        Self { mode: if raw { TerminalMode::Raw } else { TerminalMode::Plain } }
    }

    /// The mode it is in.
    pub fn mode(&self) -> TerminalMode {
        self.mode
    }

    /// Its size now; 80 by 24 where nobody knows.
    pub fn size(&self) -> TerminalSize {
        let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
        TerminalSize { columns: columns.into(), rows: rows.into() }
    }

    /// Gives it back.
    pub fn leave(self) {
        drop(self);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.mode == TerminalMode::Raw {
            // A terminal that went away needs no restoring.
            drop(crossterm::terminal::disable_raw_mode());
        }
    }
}
