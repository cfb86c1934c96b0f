//! `/v2/sizes`.

use serde::{Deserialize, Serialize};

use super::{client::Client, error::CloudError};

/// A kind of droplet.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Size {
    /// `s-1vcpu-1gb`.
    pub slug: String,
    /// Mebibytes.
    pub memory: u64,
    /// Virtual processors.
    pub vcpus: u32,
    /// Gibibytes.
    pub disk: u64,
    /// USD.
    pub price_monthly: f64,
    /// Slugs of the regions that have it.
    pub regions: Vec<String>,
    /// Whether it can be ordered.
    pub available: bool,
}

/// All sizes.
///
/// # Errors
/// When they cannot be read.
pub async fn list(client: &Client) -> Result<Vec<Size>, CloudError> {
    client.list("/v2/sizes", "sizes", &[]).await
}
