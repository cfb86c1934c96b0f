//! How the ingress stands towards the world: certificate authority, balancer. As values.

use std::path::PathBuf;

/// What `[ingress]` in agent.toml says beside the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Directory of the ACME authority; none for Let's Encrypt.
    pub acme_directory: Option<String>,
    /// Whom the authority may write to.
    pub acme_email: Option<String>,
    /// Root certificates that the authority's own server is checked by, PEM; none for the public ones.
    pub acme_root: Option<PathBuf>,
    /// Networks whose word about the client's address is taken, such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<String>,
    /// What stands before the ingress.
    pub position: Position,
    /// The path that a balancer asks for its health check.
    pub health_path: String,
}

/// What stands before the ingress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// The Internet.
    #[default]
    Front,
    /// A balancer, which has the certificates.
    BehindBalancer,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            acme_directory: None,
            acme_email: None,
            acme_root: None,
            trusted_proxies: Vec::new(),
            position: Position::Front,
            health_path: "/health".to_owned(),
        }
    }
}
