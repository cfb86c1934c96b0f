//! Names as values: an app's, a service's, a release's number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of an app; also its Compose project name. `[a-z][a-z0-9-]{0,30}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

/// A text that cannot be an app's name.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not an app's name: names are a lower-case letter, then up to 30 lower-case letters, digits or hyphens"
)]
pub struct AppNameError(String);

impl AppName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// When it does not match `[a-z][a-z0-9-]{0,30}`.
    pub fn new(text: impl Into<String>) -> Result<Self, AppNameError> {
        let text = text.into();
        let fits = text.len() <= 31
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text)) } else { Err(AppNameError(text)) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AppName {
    type Error = AppNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.0
    }
}

/// Name of a service within a project, as the Compose file has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceName(String);

impl ServiceName {
    /// Wraps a name; the Compose schema has checked it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the releases of one app on one droplet, from 1; printed `r42`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseNumber(u64);

impl ReleaseNumber {
    /// Wraps a number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_apps_are_checked() {
        assert!(AppName::new("shop").is_ok());
        for bad in ["", "Shop", "1shop", "-shop", "a_b", "a/b", &"a".repeat(32)] {
            assert!(AppName::new(bad).is_err(), "{bad}");
        }
    }
}
