//! A signal that a saga is to be taken back. Owned by whoever runs it; nodes only watch it.

use tokio::sync::watch;

/// A one-way switch, cheap to clone; all clones are one switch.
#[derive(Clone, Debug)]
pub struct Cancel {
    why: watch::Sender<Option<String>>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// A switch that is off.
    pub fn new() -> Self {
        Self { why: watch::Sender::new(None) }
    }

    /// Turns it on. The first reason given stays.
    pub fn cancel(&self, why: impl Into<String>) {
        self.why.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(why.into());
            }
            first
        });
    }

    /// The reason, once it is on.
    pub fn reason(&self) -> Option<String> {
        self.why.borrow().clone()
    }

    /// Ends when it is on; with the reason.
    pub async fn cancelled(&self) -> String {
        let mut receiver = self.why.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let reason = receiver.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Cancel;

    #[tokio::test]
    async fn the_first_reason_stays() {
        let cancel = Cancel::new();
        assert_eq!(cancel.reason(), None);
        cancel.clone().cancel("one");
        cancel.cancel("two");
        assert_eq!(cancel.cancelled().await, "one");
    }
}
