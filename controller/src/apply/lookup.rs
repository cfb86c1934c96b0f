//! Creating without making twice: an ambiguous create is followed by looking, longer than lists lag, before it is
//! repeated; a create that meets "taken" looks too.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::work::Work;
use crate::cloud::CloudError;

/// How often an ambiguous create is begun anew.
const ROUNDS: u32 = 3;

/// Looks until it shows or the time is up; at least once.
pub(super) async fn look_for<'a, T>(
    work: &Work,
    window: Duration,
    look: &(impl Fn() -> BoxFuture<'a, Result<Option<T>, CloudError>> + Sync),
) -> Result<Option<T>, CloudError> {
    let until = Instant::now() + window;
    loop {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        work.waits.sleep(work.timing.poll).await;
    }
}

/// Makes a thing unless it is there, and tells which. `first` is how long to look before the first try.
pub(super) async fn find_or_make<'a, T>(
    work: &Work,
    first: Duration,
    look: impl Fn() -> BoxFuture<'a, Result<Option<T>, CloudError>> + Sync,
    make: impl Fn() -> BoxFuture<'a, Result<T, CloudError>> + Sync,
) -> Result<(T, Found), CloudError> {
    let mut window = first;
    let mut round = 0;
    loop {
        if let Some(found) = look_for(work, window, &look).await? {
            return Ok((found, if round == 0 { Found::There } else { Found::MadeByUs }));
        }
        round += 1;
        match make().await {
            Ok(made) => return Ok((made, Found::MadeByUs)),
            Err(error) if error.is_ambiguous() && round < ROUNDS => {
                tracing::info!(%error, round, "looking whether it took effect");
                window = work.timing.look_up;
            }
            Err(error) if error.is_taken() => {
                // Somebody made it meanwhile; if it is ours, it shows soon.
                let found = look_for(work, work.timing.look_up, &look).await?;
                return found.map(|thing| (thing, Found::There)).ok_or(error);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Where a thing comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It was there.
    There,
    /// We made it just now.
    MadeByUs,
}
