//! Time as an input. Only this module reads the system's clocks.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Where commands get the time from.
#[derive(Debug, Clone)]
pub struct Clock {
    started: Instant,
    fixed: Option<Timestamp>,
}

impl Clock {
    /// The system's clock; elapsed time counts from now.
    pub fn system() -> Self {
        Self { started: Instant::now(), fixed: None }
    }

    /// A clock that stands still, for tests.
    pub fn fixed(at: Timestamp) -> Self {
        Self { started: Instant::now(), fixed: Some(at) }
    }

    /// The time of day, UTC.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        self.fixed.unwrap_or_else(Timestamp::now)
    }

    /// Since the program started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// `0.4 s`, `12 s`, `1 min 24 s`: as people read it.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else if seconds >= 10 {
        format!("{seconds} s")
    } else {
        format!("{}.{} s", seconds, duration.subsec_millis() / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(human(Duration::from_millis(420)), "0.4 s");
        assert_eq!(human(Duration::from_secs(12)), "12 s");
        assert_eq!(human(Duration::from_secs(84)), "1 min 24 s");
    }
}
