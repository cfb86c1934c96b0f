//! The source of time for what runs on its own (TLS handshakes). Everything else takes a [`Timestamp`].
//! It must not read the system's clock: callers implement it, or pass a closure.

use jiff::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}
