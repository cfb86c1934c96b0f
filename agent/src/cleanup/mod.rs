//! Cleaning up: what the droplet does by itself once a day, by its timer, and what it would do.
//!
//! Owns whose leftovers are looked for, and that what went is logged. Must not know what may go: those who made it do.

use crate::{
    backup_runs::BackupRuns,
    release::{
        Engine, EngineError, chain,
        clean::{Cleaned, Leftover, LeftoverKind, Mode},
    },
};

/// Cleans up. Cheap to clone.
#[derive(Clone)]
pub struct Cleanup {
    engine: Engine,
    backups: BackupRuns,
}

impl std::fmt::Debug for Cleanup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cleanup").finish_non_exhaustive()
    }
}

impl Cleanup {
    /// Of these.
    pub fn new(engine: Engine, backups: BackupRuns) -> Self {
        Self { engine, backups }
    }

    /// Finds leftovers, and removes them unless it is only looked.
    ///
    /// # Errors
    /// When it is not known which releases there are.
    pub async fn run(&self, mode: Mode) -> Result<Cleaned, EngineError> {
        let mut cleaned = self.engine.clean(mode).await?;
        if mode == Mode::Remove {
            // Whether a scratch server is somebody's is known only to those who would remove it.
            match self.backups.recover().await {
                Ok(0) => {}
                Ok(count) => cleaned.gone.push(Leftover {
                    kind: LeftoverKind::Container,
                    name: format!("{count} scratch servers or runs of backups that were cut off"),
                    bytes: 0,
                }),
                Err(error) => cleaned.troubles.push(format!("backups: {}", chain(&error))),
            }
            log(&cleaned);
        }
        Ok(cleaned)
    }
}

fn log(cleaned: &Cleaned) {
    for Leftover { kind, name, bytes } in &cleaned.gone {
        tracing::info!(kind = kind.word(), name, bytes, "cleaned up");
    }
    for trouble in &cleaned.troubles {
        tracing::warn!(trouble, "not cleaned up");
    }
}
