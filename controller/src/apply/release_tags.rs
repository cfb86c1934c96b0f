//! Which release of an app serves on a droplet, as a tag of the droplet: for people in the control panel, and for tools that
//! choose droplets by tag. The truth is the agent's; nothing here is decided by these tags.

use std::time::Duration;

use crate::{
    cloud::{Client, CloudError, droplets, tags},
    names::{Name, Scope, same_tag},
};

/// How long the API may take for one droplet: nobody waits for a tag.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why a droplet does not carry the tag that it should.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseTagError {
    /// The API.
    #[error("the API did not do its part")]
    Cloud(#[source] CloudError),
    /// The account of the token has no such droplet.
    #[error("the token's account has no droplet {0}")]
    NoDroplet(u64),
    /// It took too long.
    #[error("the API did not answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// What a droplet is to say of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// This release.
    Release(u64),
    /// None.
    Nothing,
}

/// Gives a droplet the tag of the release that serves, and takes those of the app's other releases away. A tag that nothing
/// carries any more is deleted.
///
/// # Errors
/// When the API refuses or does not answer; some of it may be done then, and a repeated call goes on.
pub async fn set(
    client: &Client,
    (scope, app): (&Scope, &Name),
    (droplet, serves): (u64, Serves),
) -> Result<(), ReleaseTagError> {
    let setting = set_now(client, (scope, app), (droplet, serves));
    tokio::time::timeout(PATIENCE, setting).await.map_err(|_| ReleaseTagError::Late)?
}

async fn set_now(
    client: &Client,
    (scope, app): (&Scope, &Name),
    (id, serves): (u64, Serves),
) -> Result<(), ReleaseTagError> {
    let failed = ReleaseTagError::Cloud;
    let droplet = droplets::get(client, id).await.map_err(failed)?;
    let droplet = droplet.ok_or(ReleaseTagError::NoDroplet(id))?;
    let wanted = match serves {
        Serves::Release(release) => Some(scope.release_tag(app, release)),
        Serves::Nothing => None,
    };
    if let Some(wanted) = wanted.as_ref().filter(|wanted| !droplet.has_tag(wanted)) {
        tags::create(client, wanted).await.map_err(failed)?;
        tags::put_on(client, wanted, id).await.map_err(failed)?;
    }
    let prefix = format!("{}{app}:", scope.release_tag_prefix());
    let is_other = |tag: &&String| {
        tag.to_lowercase().starts_with(&prefix)
            && !wanted.as_ref().is_some_and(|wanted| same_tag(tag, wanted))
    };
    for other in droplet.tags.iter().filter(is_other) {
        tags::take_off(client, other, id).await.map_err(failed)?;
        let left = tags::get(client, other).await.map_err(failed)?;
        if left.is_some_and(|tag| tag.resources.count == 0) {
            tags::delete(client, other).await.map_err(failed)?;
        }
    }
    Ok(())
}
