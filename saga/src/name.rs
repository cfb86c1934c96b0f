//! The name of a node: what the journal, events and a user see.

use serde::{Deserialize, Serialize};
use std::fmt;

const MAX_LENGTH: usize = 128;

/// Name of a node, unique in its saga: 1 to 128 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

/// A text that is not a node's name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the name of a step: use 1 to 128 printable ASCII characters")]
pub struct NodeNameError(String);

impl NodeName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// When the text is empty, longer than 128 characters, or holds something other than printable ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, NodeNameError> {
        let text = text.into();
        let fits = (1..=MAX_LENGTH).contains(&text.len());
        if fits && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            Ok(Self(text))
        } else {
            Err(NodeNameError(text))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::NodeName;

    #[test]
    fn names_are_checked() {
        assert!(NodeName::new("gate web").is_ok());
        assert!(NodeName::new("").is_err());
        assert!(NodeName::new("a\nb").is_err());
        assert!(NodeName::new("x".repeat(129)).is_err());
    }
}
