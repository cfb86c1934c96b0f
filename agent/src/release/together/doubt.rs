//! What an agent knows about a release whose end it cannot know, and the operator's word that ends it.

use jiff::Timestamp;
use tokio::sync::watch;

use crate::release::Failure;

/// A release that serves, and of which the agent cannot know whether it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Since when.
    pub since: Timestamp,
    /// Who cannot be reached, and what to do.
    pub failure: Failure,
}

/// What an operator says when the agent that decides is gone for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The new release stays.
    Keep {
        /// Who said so.
        actor: String,
    },
    /// The one before comes back.
    Undo {
        /// Who said so.
        actor: String,
    },
}

/// Whether a release is in doubt, and what an operator said about that. Clones are one.
#[derive(Clone, Debug)]
pub struct Standing {
    doubt: watch::Sender<Option<Doubt>>,
    resolution: watch::Sender<Option<Resolution>>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { doubt: watch::Sender::new(None), resolution: watch::Sender::new(None) }
    }
}

impl Standing {
    /// The doubt, while there is one.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt.borrow().clone()
    }

    /// Says that there is one, or none any more.
    pub fn set(&self, doubt: Option<Doubt>) {
        self.doubt.send_replace(doubt);
    }

    /// Takes an operator's word, if it is needed: whether it was.
    pub fn resolve(&self, resolution: &Resolution) -> bool {
        let mut taken = false;
        // Under the lock of the doubt, which may end at this moment.
        self.doubt.send_if_modified(|doubt| {
            taken = doubt.is_some();
            if taken {
                self.resolution.send_replace(Some(resolution.clone()));
            }
            false
        });
        taken
    }

    /// Ends when an operator has said something.
    pub async fn resolved(&self) -> Resolution {
        let mut receiver = self.resolution.subscribe();
        let told = receiver.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        match told {
            Some(resolution) => resolution,
            // The channel lives in `self`, so it cannot close while this waits.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_operators_word_counts_only_while_there_is_doubt() {
        let standing = Standing::default();
        let keep = Resolution::Keep { actor: "ada".to_owned() };
        assert!(!standing.resolve(&keep));
        let failure = Failure::new("r2 is in doubt", "web-1 cannot be reached");
        standing.set(Some(Doubt { since: Timestamp::UNIX_EPOCH, failure }));
        assert!(standing.clone().resolve(&keep));
        assert_eq!(standing.resolved().await, keep);
    }
}
