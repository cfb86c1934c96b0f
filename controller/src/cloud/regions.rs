//! `/v2/regions`.

use serde::{Deserialize, Serialize};

use super::{client::Client, error::CloudError};

/// A place where droplets can be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Region {
    /// `fra1`.
    pub slug: String,
    /// `Frankfurt 1`.
    pub name: String,
    /// Whether new droplets are accepted.
    pub available: bool,
    /// Slugs of the sizes it has.
    pub sizes: Vec<String>,
}

/// All regions.
///
/// # Errors
/// When they cannot be read.
pub async fn list(client: &Client) -> Result<Vec<Region>, CloudError> {
    client.list("/v2/regions", "regions", &[]).await
}
