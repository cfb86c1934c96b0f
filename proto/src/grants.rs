//! What a user may do: roles per environment and app, signed into the certificate.
//!
//! # Bytes
//! A non-critical X.509 extension with the OID `2.25.3391002234245473565`. Its value is the DER encoding of a `UTF8String`
//! that holds JSON: `{"version":1,"grants":[{"environment":"production","apps":"all","role":"deployer"}]}`, where `apps`
//! is `"all"` or a list of app names. Unknown keys, an unknown version and values beyond the bounds below are refused, so
//! an older agent never reads a newer, narrower grant as a wider one.
//!
//! It must not decide what a role allows; that is the table in [`crate::roles`].

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use x509_parser::{
    asn1_rs::{FromDer, Utf8String},
    der_parser::oid,
    oid_registry::Oid,
};

use crate::names::{AppName, EnvironmentName};

/// The extension's OID as numbers.
pub const GRANTS_OID: &[u64] = &[2, 25, 3_391_002_234_245_473_565];
/// Grants in one certificate.
pub const MAX_GRANTS: usize = 16;
/// Apps named in one grant.
pub const MAX_APPS: usize = 64;
/// The extension's value.
pub const MAX_GRANTS_BYTES: usize = 8 * 1024;

const VERSION: u32 = 1;

pub(crate) fn grants_oid() -> Oid<'static> {
    oid!(2.25.3391002234245473565)
}

/// From least to most; a role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Releases apps.
    Deployer,
    /// Runs commands in containers, restores, removes apps.
    Operator,
    /// Runs commands on the host, handles certificates. Equals root on the droplets.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Deployer => "deployer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// The apps a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppScope {
    /// Every app, and the droplet as a whole.
    All,
    /// These apps only.
    Only(BTreeSet<AppName>),
}

impl AppScope {
    /// Whether the app is among them.
    pub fn contains(&self, app: &AppName) -> bool {
        match self {
            Self::All => true,
            Self::Only(apps) => apps.contains(app),
        }
    }
}

/// One role in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Where.
    pub environment: EnvironmentName,
    /// For which apps.
    pub apps: AppScope,
    /// What.
    pub role: Role,
}

/// Refused bytes or values of the extension.
#[derive(Debug, thiserror::Error)]
pub enum GrantsError {
    /// More than the bounds allow.
    #[error(
        "the grants are too many or too long: at most {MAX_GRANTS} grants of {MAX_APPS} apps in {MAX_GRANTS_BYTES} bytes; grant all apps, or make a second user"
    )]
    TooLarge,
    /// Not a `UTF8String`.
    #[error("the grants extension holds no UTF8String; the certificate was not made by tidegate")]
    NotText,
    /// Not the JSON described above.
    #[error("the grants extension does not hold the grants this version knows; update tidegate on this side")]
    Json(#[source] serde_json::Error),
    /// A later version.
    #[error("the grants have version {found}, this tidegate knows {VERSION}; update it")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A grant for no app at all.
    #[error("a grant names no app; name some or grant all")]
    NoApps,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The value of the extension, DER.
///
/// # Errors
/// The grants go beyond the bounds, or one names no app.
pub fn encode(grants: &[Grant]) -> Result<Vec<u8>, GrantsError> {
    check(grants)?;
    let json = serde_json::to_vec(&Document { version: VERSION, grants: grants.to_vec() })
        .map_err(GrantsError::Json)?;
    let der = utf8_string_der(&json)?;
    if der.len() > MAX_GRANTS_BYTES { Err(GrantsError::TooLarge) } else { Ok(der) }
}

/// Reads the value of the extension.
///
/// # Errors
/// The bytes are anything else than [`encode`] makes.
pub fn decode(der: &[u8]) -> Result<Vec<Grant>, GrantsError> {
    if der.len() > MAX_GRANTS_BYTES {
        return Err(GrantsError::TooLarge);
    }
    let (rest, text) = Utf8String::from_der(der).map_err(|_| GrantsError::NotText)?;
    if !rest.is_empty() {
        return Err(GrantsError::NotText);
    }
    let text = text.string();
    // The version first, alone: a later one may have other keys.
    let Version { version } = serde_json::from_str(&text).map_err(GrantsError::Json)?;
    if version != VERSION {
        return Err(GrantsError::Version { found: version });
    }
    let document: Document = serde_json::from_str(&text).map_err(GrantsError::Json)?;
    check(&document.grants)?;
    Ok(document.grants)
}

fn check(grants: &[Grant]) -> Result<(), GrantsError> {
    if grants.len() > MAX_GRANTS {
        return Err(GrantsError::TooLarge);
    }
    for grant in grants {
        match &grant.apps {
            AppScope::Only(apps) if apps.is_empty() => return Err(GrantsError::NoApps),
            AppScope::Only(apps) if apps.len() > MAX_APPS => return Err(GrantsError::TooLarge),
            AppScope::Only(_) | AppScope::All => {}
        }
    }
    Ok(())
}

fn utf8_string_der(text: &[u8]) -> Result<Vec<u8>, GrantsError> {
    const UTF8_STRING: u8 = 0x0c;
    let length = u16::try_from(text.len()).map_err(|_| GrantsError::TooLarge)?;
    let [high, low] = length.to_be_bytes();
    let mut der = match length {
        0..=0x7f => vec![UTF8_STRING, low],
        0x80..=0xff => vec![UTF8_STRING, 0x81, low],
        _ => vec![UTF8_STRING, 0x82, high, low],
    };
    der.extend_from_slice(text);
    Ok(der)
}

impl Serialize for AppScope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Only(apps) => apps.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AppScope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Word(String),
            List(BTreeSet<AppName>),
        }
        match Form::deserialize(deserializer)? {
            Form::Word(word) if word == "all" => Ok(Self::All),
            Form::Word(_) => Err(serde::de::Error::custom("apps has to be \"all\" or a list of app names")),
            Form::List(apps) => Ok(Self::Only(apps)),
        }
    }
}

#[cfg(test)]
#[path = "grants_tests.rs"]
mod tests;
