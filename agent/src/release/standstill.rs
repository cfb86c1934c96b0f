//! A release that stands still because nothing can be written down, on a full disk for example: it goes on by itself when
//! that has changed.
//!
//! Owns when it is tried again. Must not know what a release does.

use std::time::Duration;

use tidegate_saga::{JournalError, Retry, RunError};

use super::journal::ReleaseId;
use crate::store::DatabaseError;

/// The first pause before another try.
const FIRST: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);
/// How often it is tried: for more than half a day, so that somebody can wake up and make room.
const TRIES: u32 = 2000;

/// Why a release stands still.
#[derive(Debug, thiserror::Error)]
pub(super) enum Standstill {
    /// Its row or its journal could not be read, or its end not be written.
    #[error("what the release has come to could not be read or written")]
    Database(#[from] DatabaseError),
    /// Its saga could not go on.
    #[error(transparent)]
    Saga(#[from] RunError),
}

impl Standstill {
    /// Whether it can pass without anybody touching the agent.
    fn may_pass(&self) -> bool {
        match self {
            Self::Database(_) | Self::Saga(RunError::Journal(JournalError::Storage { .. })) => true,
            Self::Saga(_) => false,
        }
    }
}

/// Tries again and again while the release stands still; how it went the first time is given.
pub(super) async fn go_on_from<Again: Future<Output = Result<(), Standstill>>>(
    id: &ReleaseId,
    first: Result<(), Standstill>,
    again: impl Fn() -> Again,
) {
    let release = id.label();
    let retry = Retry::new(TRIES, FIRST, LONGEST, rand::random::<f64>);
    let mut result = first;
    let mut tries = 1;
    while let Err(standstill) = result {
        let error = super::chain(&standstill);
        let Some(pause) = retry.pause_after(tries).filter(|_| standstill.may_pass()) else {
            tracing::error!(
                release,
                error,
                "the release stopped where it is; it goes on when the agent is started again"
            );
            return;
        };
        tracing::error!(
            release,
            error,
            "the release stands still where it is; it is tried again in {pause:.0?}"
        );
        tokio::time::sleep(pause).await;
        result = again().await;
        tries = tries.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;
    use crate::apps::{AppName, ReleaseNumber};

    fn id() -> ReleaseId {
        ReleaseId { app: AppName::new("shop").unwrap(), release: ReleaseNumber::new(1) }
    }

    fn full() -> Standstill {
        let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
        RunError::Journal(JournalError::storage("written", error)).into()
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_when_there_is_room_again() {
        let tries = Cell::new(0);
        let began = Instant::now();
        go_on_from(&id(), Err(full()), || async {
            tries.set(tries.get() + 1);
            if tries.get() < 20 { Err(full()) } else { Ok(()) }
        })
        .await;
        assert_eq!(tries.get(), 20);
        assert!(began.elapsed() < LONGEST * 20, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_trying_again_is_of_no_use() {
        let taken_over = || Standstill::from(RunError::OtherShape);
        go_on_from(&id(), Err(taken_over()), || async { panic!("tried again") }).await;
        let began = Instant::now();
        go_on_from(&id(), Err(full()), || async { Err(full()) }).await;
        assert!(began.elapsed() > Duration::from_hours(8), "{:?}", began.elapsed());
    }
}
