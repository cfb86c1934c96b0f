//! `/v2/tags`. Case-insensitive, with the spelling of the first use.

use serde::{Deserialize, Serialize};

use super::{
    client::{Client, Deleted},
    error::CloudError,
};

/// A tag and how much carries it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tag {
    /// The tag itself.
    pub name: String,
    /// What carries it.
    #[serde(default)]
    pub resources: Resources,
}

/// How much carries a tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Resources {
    /// Of all kinds.
    #[serde(default)]
    pub count: u64,
}

/// All tags.
///
/// # Errors
/// When they cannot be read.
pub async fn list(client: &Client) -> Result<Vec<Tag>, CloudError> {
    client.list("/v2/tags", "tags", &[]).await
}

/// Makes one; one that exists is fine.
///
/// # Errors
/// When the API refuses, or `Ambiguous`.
pub async fn create(client: &Client, name: &str) -> Result<(), CloudError> {
    #[derive(Serialize)]
    struct Create<'a> {
        name: &'a str,
    }
    match client.post::<_, serde_json::Value>("/v2/tags", &Create { name }).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_taken() => Ok(()),
        Err(error) => Err(error),
    }
}

#[derive(Serialize)]
struct Carriers {
    resources: [Carrier; 1],
}

#[derive(Serialize)]
struct Carrier {
    resource_id: String,
    resource_type: &'static str,
}

/// A droplet as something that carries tags.
fn droplet(id: u64) -> Carriers {
    Carriers { resources: [Carrier { resource_id: id.to_string(), resource_type: "droplet" }] }
}

/// Puts a tag that exists on a droplet; one that carries it is fine.
///
/// # Errors
/// When the API refuses, or `Ambiguous`.
pub async fn put_on(client: &Client, name: &str, droplet_id: u64) -> Result<(), CloudError> {
    client.order(&format!("/v2/tags/{name}/resources"), &droplet(droplet_id)).await
}

/// Takes a tag off a droplet; one that does not carry it is fine.
///
/// # Errors
/// When the API refuses.
pub async fn take_off(client: &Client, name: &str, droplet_id: u64) -> Result<(), CloudError> {
    client.take_away(&format!("/v2/tags/{name}/resources"), &droplet(droplet_id)).await
}

/// One tag; `None` when there is none.
///
/// # Errors
/// When it cannot be read.
pub async fn get(client: &Client, name: &str) -> Result<Option<Tag>, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        tag: Tag,
    }
    match client.get::<Body>(&format!("/v2/tags/{name}"), &[]).await {
        Ok(body) => Ok(Some(body.tag)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the tag away from everything and deletes it.
///
/// # Errors
/// When the API refuses.
pub async fn delete(client: &Client, name: &str) -> Result<Deleted, CloudError> {
    client.delete(&format!("/v2/tags/{name}")).await
}
