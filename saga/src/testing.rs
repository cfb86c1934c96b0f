//! For the tests of those who write sagas: a journal that stops at a chosen record, as a crash would, and runs that
//! fail, repeat or crash everywhere in turn. Not for programs.

use crate::{Ended, Generation, Journal, JournalError, MemoryJournal, Record, RunError, Runner, Saga, Value};
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Hands records to another journal until `left` are written; from then on it fails as if the process were gone.
#[derive(Debug)]
pub struct CrashingJournal<J> {
    inner: J,
    left: AtomicUsize,
}

impl<J: Journal> CrashingJournal<J> {
    /// Lets `records` records through.
    pub fn after(inner: J, records: usize) -> Self {
        Self { inner, left: AtomicUsize::new(records) }
    }
}

impl<J: Journal> Journal for CrashingJournal<J> {
    fn claim(&self) -> BoxFuture<'_, Result<(Generation, Vec<Record>), JournalError>> {
        self.inner.claim()
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        self.inner.load()
    }

    fn append<'a>(
        &'a self,
        generation: Generation,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), JournalError>> {
        let let_through = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, let_through) {
            Ok(_) => self.inner.append(generation, record),
            Err(_) => Box::pin(async { Err(JournalError::storage("written", "crashed on purpose")) }),
        }
    }
}

/// Runs a saga, crashes it after `records` records, and resumes it. Returns how it ended, and whether it was cut at all.
///
/// # Errors
/// When a run fails otherwise than by the crash.
pub async fn crash_and_resume<C: Sync>(
    saga: &Saga<C>,
    context: &C,
    params: Value,
    records: usize,
) -> Result<(Option<Ended>, Cut), RunError> {
    let journal = MemoryJournal::new();
    let crashing = CrashingJournal::after(journal.clone(), records);
    match Runner::new(saga, context, &crashing).start(params).await {
        Ok(ended) => return Ok((Some(ended), Cut::No)),
        Err(RunError::Journal(_)) => {}
        Err(other) => return Err(other),
    }
    match Runner::new(saga, context, &journal).resume().await {
        Ok(ended) => Ok((Some(ended), Cut::Yes)),
        Err(RunError::NothingToResume) => Ok((None, Cut::Yes)),
        Err(other) => Err(other),
    }
}

/// Whether a run was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It was, and was resumed.
    Yes,
    /// It came to its end before.
    No,
}
