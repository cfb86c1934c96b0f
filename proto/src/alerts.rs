//! What both ends say of alerts and health: the digest of settings, and the words for states and severities.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::v1::{AlertSeverity, HealthState, SetAlertsRequest};

/// By what two sets of settings are told apart: SHA-256 over the encoded request, in hexadecimal. The message has no maps, so
/// one request has one encoding. The settings' secrets go into it, and none can be told from it.
pub fn digest(request: &SetAlertsRequest) -> String {
    hex::encode(Sha256::digest(&*Zeroizing::new(request.encode_to_vec())))
}

impl HealthState {
    /// As people and programs read it: `good`, `warning`, `critical`, `unknown`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown | Self::Unspecified => "unknown",
        }
    }
}

impl AlertSeverity {
    /// As people and programs read it: `warning`, which is also what nothing said means, or `critical`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning | Self::Unspecified => "warning",
        }
    }
}
