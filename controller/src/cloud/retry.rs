//! How long and how often a call is repeated: a budget, exponential waits with jitter, and the API's own word on when to
//! come back. Pure; the client sleeps.

use std::time::Duration;

/// Waits between attempts of one call.
#[derive(Debug)]
pub struct Backoff {
    attempt: u32,
    spent: Duration,
    budget: Duration,
}

/// The longest single wait; beyond it the user should know instead. Reads of ssh keys are counted per minute.
const LONGEST: Duration = Duration::from_mins(1);

impl Backoff {
    /// With a budget for all waits together.
    pub fn new(budget: Duration) -> Self {
        Self { attempt: 0, spent: Duration::ZERO, budget }
    }

    /// The next wait, or `None` when the budget is spent. `asked` is the API's own wish; `jitter` is in `0..=1`.
    pub fn next(&mut self, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        let exponential = Duration::from_millis(250).saturating_mul(1 << self.attempt.min(7));
        let jittered = exponential.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        let wait = asked.map_or(jittered, |asked| asked + jittered.min(Duration::from_secs(1))).max(jittered);
        if wait > LONGEST + Duration::from_secs(1) && asked.is_some() || self.spent + wait > self.budget {
            return None;
        }
        self.attempt += 1;
        let wait = wait.min(LONGEST + Duration::from_secs(1));
        self.spent += wait;
        Some(wait)
    }
}

/// What `retry-after` and `ratelimit-reset` ask for. A reset in the past is known to happen and means nothing.
pub fn asked_wait(retry_after: Option<&str>, reset: Option<&str>, now_epoch: i64) -> Option<Duration> {
    if let Some(seconds) = retry_after.and_then(|text| text.trim().parse::<u64>().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    let reset = reset.and_then(|text| text.trim().parse::<i64>().ok())?;
    let seconds = u64::try_from(reset.checked_sub(now_epoch)?).ok()?;
    // The limit slides: long before the oldest request expires, others do.
    (1..=LONGEST.as_secs()).contains(&seconds).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_api_is_obeyed_when_it_asks_for_little() {
        let mut backoff = Backoff::new(Duration::from_mins(1));
        let wait = backoff.next(Some(Duration::from_secs(3)), 0.0).unwrap();
        assert!(wait >= Duration::from_secs(3) && wait < Duration::from_secs(5));
        assert_eq!(backoff.next(Some(Duration::from_mins(50)), 0.0), None);
    }

    #[test]
    fn a_reset_in_the_past_means_nothing() {
        assert_eq!(asked_wait(None, Some("100"), 200), None);
        assert_eq!(asked_wait(None, Some("205"), 200), Some(Duration::from_secs(5)));
        assert_eq!(asked_wait(None, Some("3800"), 200), None);
        assert_eq!(asked_wait(Some("2"), Some("205"), 200), Some(Duration::from_secs(2)));
        assert_eq!(asked_wait(Some("soon"), Some("later"), 200), None);
    }

    proptest! {
        #[test]
        fn waits_never_exceed_the_budget(jitters in proptest::collection::vec(0.0..=1.0f64, 1..50)) {
            let budget = Duration::from_secs(20);
            let mut backoff = Backoff::new(budget);
            let total: Duration = jitters.iter().map_while(|j| backoff.next(None, *j)).sum();
            prop_assert!(total <= budget);
        }
    }
}
