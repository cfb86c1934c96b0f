//! Copies that cannot be deleted yet, because their bucket locked them.
//!
//! Owns asking for locks before something is deleted. Most stores answer a delete of a locked object as if it were done: they
//! hide the object, keep it, and bill it. So it is left where it is until its lock ends.

use std::{cmp::Reverse, sync::Arc};

use jiff::Timestamp;

use super::prune::Decision;
use crate::backup::{BackupId, catalog::Found, destination::Destination};

/// A copy that stays for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) id: BackupId,
    /// The destination's title.
    pub(super) at: String,
    why: String,
}

/// What is decided when locks are known.
pub(super) struct Locked<'a> {
    pub(super) decision: Decision<'a>,
    pub(super) held: Vec<Held>,
}

/// Takes locks into account: what would go and is locked everywhere stays; what is locked at some places goes from the others.
pub(super) async fn locked<'a>(
    destinations: &[Arc<dyn Destination>],
    decision: Decision<'a>,
    now: Timestamp,
) -> Locked<'a> {
    let Decision { mut stays, goes, orphans } = decision;
    let (mut going, mut held) = (Vec::new(), Vec::new());
    for (found, why) in goes {
        let own = of(destinations, found, now).await;
        let told: Vec<String> = own.iter().map(|held| held.why.clone()).collect();
        if own.is_empty() {
            going.push((found, why));
        } else if own.len() == found.copies.len() {
            stays.push((found.folder.id(), told));
        } else {
            going.push((found, format!("{why}; its copy stays where it is {}", told.join(", "))));
        }
        held.extend(own);
    }
    stays.sort_by_key(|(id, _)| Reverse(*id));
    Locked { decision: Decision { stays, goes: going, orphans }, held }
}

/// The copies of a backup that cannot be deleted now. The manifest is written last, so it is locked the longest.
async fn of(destinations: &[Arc<dyn Destination>], found: &Found, now: Timestamp) -> Vec<Held> {
    let mut held = Vec::new();
    for copy in &found.copies {
        let Some(at) = destinations.iter().find(|one| one.title() == copy.at) else { continue };
        let Some(first) = copy.objects.first() else { continue };
        let why = match at.locked_until(first).await {
            Ok(Some(until)) if until > now => format!("locked until {until}, at {}", copy.at),
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(at = copy.at, %error, "it is not known whether a backup is locked");
                format!("perhaps locked, which could not be asked, at {}", copy.at)
            }
        };
        held.push(Held { id: found.folder.id(), at: copy.at.clone(), why });
    }
    held
}
