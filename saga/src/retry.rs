//! How often, and with what pauses, an undo or a step after the pivot is repeated.

use std::{fmt, sync::Arc, time::Duration};

/// A budget of attempts with growing, jittered pauses. Randomness comes from outside.
#[derive(Clone)]
pub struct Retry {
    attempts: u32,
    first: Duration,
    longest: Duration,
    jitter: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("first", &self.first)
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}

impl Retry {
    /// `attempts` in all (at least one); pauses double from `first` to at most `longest`.
    /// `jitter` gives numbers from 0 to 1, by which half of each pause is scaled.
    pub fn new(
        attempts: u32,
        first: Duration,
        longest: Duration,
        jitter: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self { attempts: attempts.max(1), first, longest, jitter: Arc::new(jitter) }
    }

    /// The pause after the `attempt`-th failed attempt (from 1), or `None` when the budget is spent.
    pub fn pause_after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        let share = 0.5 + 0.5 * (self.jitter)().clamp(0.0, 1.0);
        Some(full.mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let retry = Retry::new(5, Duration::from_secs(1), Duration::from_secs(3), || 1.0);
        let pauses: Vec<_> = (1..=5).map(|attempt| retry.pause_after(attempt).map(|p| p.as_secs())).collect();
        assert_eq!(pauses, [Some(1), Some(2), Some(3), Some(3), None]);
    }

    #[test]
    fn jitter_takes_away_at_most_half() {
        let retry = Retry::new(2, Duration::from_secs(1), Duration::from_secs(1), || 0.0);
        assert_eq!(retry.pause_after(1), Some(Duration::from_millis(500)));
    }
}
