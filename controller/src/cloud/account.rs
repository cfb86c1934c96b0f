//! `/v2/account`.

use serde::{Deserialize, Serialize};

use super::{client::Client, error::CloudError};

/// The account the token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Account {
    /// Whose it is.
    pub email: String,
    /// How many droplets it may have.
    pub droplet_limit: u32,
    /// `active`, `warning` or `locked`.
    pub status: String,
    /// Why it is not active.
    #[serde(default)]
    pub status_message: String,
}

/// The account.
///
/// # Errors
/// When it cannot be read.
pub async fn get(client: &Client) -> Result<Account, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        account: Account,
    }
    client.get::<Body>("/v2/account", &[]).await.map(|body| body.account)
}
