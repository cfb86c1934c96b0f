//! `/v2/droplets`. Names are not unique and a repeated create makes another droplet, so whoever creates has to look by
//! intent tag first.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{
    client::{Client, Deleted},
    error::CloudError,
};
use crate::names::same_tag;

/// A droplet as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Droplet {
    /// Number.
    pub id: u64,
    /// Not unique.
    pub name: String,
    /// `new`, `active`, `off` or `archive`.
    pub status: String,
    /// An action is under way.
    #[serde(default)]
    pub locked: bool,
    /// Slug of the size.
    #[serde(default)]
    pub size_slug: String,
    /// Region.
    pub region: Slug,
    /// Image.
    #[serde(default)]
    pub image: ImageRef,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Addresses; empty while it is new.
    #[serde(default)]
    pub networks: Networks,
    /// Private network.
    #[serde(default)]
    pub vpc_uuid: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: String,
}

/// A thing that is told by slug here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Slug {
    /// The slug.
    #[serde(default)]
    pub slug: String,
}

/// The image a droplet was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ImageRef {
    /// Number.
    #[serde(default)]
    pub id: u64,
    /// Absent for own and retired ones.
    #[serde(default)]
    pub slug: Option<String>,
}

/// Addresses of a droplet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Networks {
    /// IPv4.
    #[serde(default)]
    pub v4: Vec<AddressV4>,
}

/// One IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AddressV4 {
    /// The address.
    pub ip_address: Ipv4Addr,
    /// `public` or `private`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Droplet {
    /// The address to reach it at; absent for a while even when it is active.
    pub fn public_address(&self) -> Option<Ipv4Addr> {
        self.networks.v4.iter().find(|address| address.kind == "public").map(|address| address.ip_address)
    }

    /// Where other droplets of its VPC reach it.
    pub fn private_address(&self) -> Option<Ipv4Addr> {
        self.networks.v4.iter().find(|address| address.kind == "private").map(|address| address.ip_address)
    }

    /// Whether it carries a tag, compared folded.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| same_tag(own, tag))
    }
}

/// What a droplet is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDroplet {
    /// Hostname.
    pub name: String,
    /// Slug.
    pub region: String,
    /// Slug.
    pub size: String,
    /// Slug or number.
    pub image: ImageChoice,
    /// Ids.
    pub ssh_keys: Vec<u64>,
    /// Made where missing.
    pub tags: Vec<String>,
    /// cloud-init.
    pub user_data: String,
    /// Private network.
    pub vpc_uuid: String,
}

/// An image by slug, or by number for the account's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ImageChoice {
    /// Own image.
    Id(u64),
    /// Distribution.
    Slug(String),
}

impl ImageChoice {
    /// A text of digits is an id.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Slug(text.to_owned()), Self::Id)
    }
}

#[derive(Deserialize)]
struct Body {
    droplet: Droplet,
}

/// All droplets with a tag.
///
/// # Errors
/// When they cannot be read.
pub async fn list_tagged(client: &Client, tag: &str) -> Result<Vec<Droplet>, CloudError> {
    client.list("/v2/droplets", "droplets", &[("tag_name", tag.to_owned())]).await
}

/// All droplets of the account.
///
/// # Errors
/// When they cannot be read.
pub async fn list(client: &Client) -> Result<Vec<Droplet>, CloudError> {
    client.list("/v2/droplets", "droplets", &[]).await
}

/// One droplet; `None` when it is gone, or not visible yet.
///
/// # Errors
/// When it cannot be read.
pub async fn get(client: &Client, id: u64) -> Result<Option<Droplet>, CloudError> {
    match client.get::<Body>(&format!("/v2/droplets/{id}"), &[]).await {
        Ok(body) => Ok(Some(body.droplet)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes one.
///
/// # Errors
/// When the API refuses, or `Ambiguous`.
pub async fn create(client: &Client, new: &NewDroplet) -> Result<Droplet, CloudError> {
    client.post::<_, Body>("/v2/droplets", new).await.map(|body| body.droplet)
}

/// Deletes one by id; it stays visible for some seconds.
///
/// # Errors
/// When the API refuses.
pub async fn delete(client: &Client, id: u64) -> Result<Deleted, CloudError> {
    client.delete(&format!("/v2/droplets/{id}")).await
}
