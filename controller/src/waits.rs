//! How long this program waited for others (the API, droplets, agents), so that its own overhead can be told. Waits that
//! overlap count once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A stopwatch that runs while anybody waits.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    waiting: u32,
    since: Option<Instant>,
    total: Duration,
}

/// Somebody waits until this is dropped.
#[derive(Debug)]
pub struct Waiting(Waits);

impl Waits {
    /// Begins to wait.
    pub fn begin(&self) -> Waiting {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.waiting == 0 {
            inner.since = Some(Instant::now());
        }
        inner.waiting += 1;
        drop(inner);
        Waiting(self.clone())
    }

    /// Sleeps, and counts it.
    pub async fn sleep(&self, duration: Duration) {
        let _waiting = self.begin();
        tokio::time::sleep(duration).await;
    }

    /// All waiting so far.
    pub fn total(&self) -> Duration {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.total + inner.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting = inner.waiting.saturating_sub(1);
        if inner.waiting == 0
            && let Some(since) = inner.since.take()
        {
            inner.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_that_overlap_count_once() {
        let waits = Waits::default();
        let started = Instant::now();
        let one = Duration::from_millis(40);
        tokio::join!(waits.sleep(one), waits.sleep(one), waits.sleep(one));
        assert!(waits.total() >= one && waits.total() <= started.elapsed());
        let after = waits.total();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(waits.total(), after);
    }
}
