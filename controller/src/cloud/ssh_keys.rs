//! `/v2/account/keys`. Names are not unique, the key material is. Reading the list is limited to ten calls a minute.

use serde::{Deserialize, Serialize};

use super::{
    client::{Client, Deleted},
    error::CloudError,
};

/// A public key of the account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct SshKey {
    /// Number.
    pub id: u64,
    /// Not unique.
    pub name: String,
    /// MD5, colon separated.
    pub fingerprint: String,
    /// `ssh-ed25519 AAAA... comment`.
    pub public_key: String,
}

#[derive(Deserialize)]
struct Body {
    ssh_key: SshKey,
}

/// All keys.
///
/// # Errors
/// When they cannot be read.
pub async fn list(client: &Client) -> Result<Vec<SshKey>, CloudError> {
    client.list("/v2/account/keys", "ssh_keys", &[]).await
}

/// Adds a key.
///
/// # Errors
/// When the API refuses, or `Ambiguous`.
pub async fn create(client: &Client, name: &str, public_key: &str) -> Result<SshKey, CloudError> {
    #[derive(Serialize)]
    struct Create<'a> {
        name: &'a str,
        public_key: &'a str,
    }
    client.post::<_, Body>("/v2/account/keys", &Create { name, public_key }).await.map(|body| body.ssh_key)
}

/// Takes a key away; droplets that have it keep it.
///
/// # Errors
/// When the API refuses.
pub async fn delete(client: &Client, id: u64) -> Result<Deleted, CloudError> {
    client.delete(&format!("/v2/account/keys/{id}")).await
}

/// Whether two public keys are the same, whatever their comments say.
pub fn same_key(one: &str, other: &str) -> bool {
    let material = |key: &str| key.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    !one.trim().is_empty() && material(one) == material(other)
}
