//! `/v2/vpcs`. Names are unique. A VPC carries no tags; its description says whose it is.

use serde::{Deserialize, Serialize};

use super::{
    client::{Client, Deleted},
    error::CloudError,
};

/// A private network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Vpc {
    /// UUID.
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// Free text; ours is the scope's tag.
    #[serde(default)]
    pub description: Option<String>,
    /// Slug.
    pub region: String,
    /// CIDR.
    #[serde(default)]
    pub ip_range: String,
    /// A region's default cannot be deleted.
    #[serde(default)]
    pub default: bool,
}

/// What a new VPC is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewVpc {
    /// Unique in the account.
    pub name: String,
    /// The scope's tag.
    pub description: String,
    /// Slug.
    pub region: String,
    /// CIDR; the API chooses when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<String>,
}

/// All VPCs.
///
/// # Errors
/// When they cannot be read.
pub async fn list(client: &Client) -> Result<Vec<Vpc>, CloudError> {
    client.list("/v2/vpcs", "vpcs", &[]).await
}

/// Makes one.
///
/// # Errors
/// When the API refuses, or `Ambiguous`.
pub async fn create(client: &Client, new: &NewVpc) -> Result<Vpc, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        vpc: Vpc,
    }
    client.post::<_, Body>("/v2/vpcs", new).await.map(|body| body.vpc)
}

/// Deletes one; refused while members linger.
///
/// # Errors
/// When the API refuses.
pub async fn delete(client: &Client, id: &str) -> Result<Deleted, CloudError> {
    client.delete(&format!("/v2/vpcs/{id}")).await
}

/// URNs of what is in it.
///
/// # Errors
/// When they cannot be read.
pub async fn members(client: &Client, id: &str) -> Result<Vec<String>, CloudError> {
    #[derive(Deserialize)]
    struct Member {
        urn: String,
    }
    let members: Vec<Member> = client.list(&format!("/v2/vpcs/{id}/members"), "members", &[]).await?;
    Ok(members.into_iter().map(|member| member.urn).collect())
}
