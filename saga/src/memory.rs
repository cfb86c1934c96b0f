//! A journal that lives as long as the process. For tests and for sagas of which nothing has to survive.

use crate::{Generation, Journal, JournalError, Record};
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Records in memory; clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    generation: u64,
    records: Vec<Record>,
}

impl MemoryJournal {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that already holds records.
    pub fn with_records(records: Vec<Record>) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { generation: 0, records })) }
    }

    /// A copy of what it holds.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while the lock is held, and a plain list is never half-changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn claim(&self) -> BoxFuture<'_, Result<(Generation, Vec<Record>), JournalError>> {
        let mut inner = self.lock();
        inner.generation = inner.generation.saturating_add(1);
        let claimed = (Generation::new(inner.generation), inner.records.clone());
        Box::pin(std::future::ready(Ok(claimed)))
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(std::future::ready(Ok(self.records())))
    }

    fn append<'a>(
        &'a self,
        generation: Generation,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), JournalError>> {
        let mut inner = self.lock();
        let result = if generation.number() == inner.generation {
            inner.records.push(record.clone());
            Ok(())
        } else {
            Err(JournalError::Superseded { held: generation })
        };
        Box::pin(std::future::ready(result))
    }
}
