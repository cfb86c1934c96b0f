//! What releases of the past left and nobody needs: images beyond retention, untagged images of ours, inputs of releases that
//! cannot be gone back to, events and journals of long past releases, one-off containers whose agent died.
//!
//! Owns what may go, and its going; looking and doing find the same. Must not know who asks. What a rollback needs stays, and
//! so does everything that no release of ours had.

mod folders;
mod images;
mod one_off;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, EngineError, chain};

/// Whether it is only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Look,
    /// It goes.
    Remove,
}

/// What goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// What it is.
    pub kind: LeftoverKind,
    /// Its name, or what it is about.
    pub name: String,
    /// What its going frees at most, in bytes; 0 where that is little or not known.
    pub bytes: u64,
}

/// What goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftoverKind {
    /// An image of releases beyond retention, or one of ours without a name.
    Image,
    /// The files and variables that a release was given.
    Inputs,
    /// Rows of the agent's database.
    Rows,
    /// A container.
    Container,
}

/// What was found, and what could not be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What went, or would.
    pub gone: Vec<Leftover>,
    /// Why not all could be looked at or removed; each a line.
    pub troubles: Vec<String>,
}

impl LeftoverKind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Inputs => "inputs",
            Self::Rows => "rows",
            Self::Container => "container",
        }
    }
}

/// How long events and journals of a release stay after its end.
const ROWS_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How many releases of an app keep them in any case.
const ROWS_OF: i64 = 20;

impl Cleaned {
    fn trouble(&mut self, what: &str, error: &(dyn std::error::Error + 'static)) {
        self.troubles.push(format!("{what}: {}", chain(error)));
    }
}

impl Engine {
    /// Finds what releases of the past left, and removes it. One part that fails hinders no other.
    ///
    /// # Errors
    /// When it is not known which releases there are.
    pub async fn clean(&self, mode: Mode) -> Result<Cleaned, EngineError> {
        let rows = self.inner.store.releases(None).await.map_err(EngineError::Database)?;
        let mut cleaned = Cleaned::default();
        // A release pulls images before anything names them, and makes containers before they run.
        if self.inner.live().is_empty() {
            images::clean(&self.inner, &rows, (mode, &mut cleaned)).await;
            one_off::clean(&self.inner, &rows, (mode, &mut cleaned)).await;
        } else {
            cleaned
                .troubles
                .push("images: something is under way for an app, so they wait for the next time".to_owned());
        }
        folders::clean(&self.inner, &rows, (mode, &mut cleaned));
        self.clean_rows(mode, &mut cleaned).await;
        Ok(cleaned)
    }

    async fn clean_rows(&self, mode: Mode, cleaned: &mut Cleaned) {
        let now = self.inner.clock.now();
        let before = now.checked_sub(ROWS_FOR).unwrap_or(Timestamp::UNIX_EPOCH);
        match self.inner.store.clean(before, ROWS_OF, mode).await {
            Ok(0) => {}
            Ok(rows) => cleaned.gone.push(Leftover {
                kind: LeftoverKind::Rows,
                name: format!(
                    "{rows} rows of events and journals of releases that ended before {}",
                    day(before)
                ),
                bytes: 0,
            }),
            Err(error) => cleaned.trouble("old rows", &error),
        }
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}
