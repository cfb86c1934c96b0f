//! `/v2/images`: distributions by slug, and the account's own by id.

use serde::{Deserialize, Serialize};

use super::{client::Client, error::CloudError};

/// What a droplet starts from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Image {
    /// Number.
    pub id: u64,
    /// `debian-13-x64`; the account's own have none.
    pub slug: Option<String>,
    /// For people.
    pub name: String,
    /// `Debian`.
    #[serde(default)]
    pub distribution: String,
    /// Slugs of the regions that have it.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Gibibytes a droplet's disk needs.
    #[serde(default)]
    pub min_disk_size: Option<u64>,
}

/// Distributions.
///
/// # Errors
/// When they cannot be read.
pub async fn distributions(client: &Client) -> Result<Vec<Image>, CloudError> {
    client.list("/v2/images", "images", &[("type", "distribution".to_owned())]).await
}

/// One image by id or slug; `None` when there is none.
///
/// # Errors
/// When it cannot be read.
pub async fn get(client: &Client, id_or_slug: &str) -> Result<Option<Image>, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        image: Image,
    }
    match client.get::<Body>(&format!("/v2/images/{id_or_slug}"), &[]).await {
        Ok(body) => Ok(Some(body.image)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
