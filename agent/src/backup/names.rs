//! Names at destinations as values: of objects, of a backup's parts, of enrolments.
//!
//! Owns what may stand in them: whatever a listing brings, a name of these types leads nowhere but below its root. Must not
//! know which names there are (`layout`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How half written files of the local destination end.
pub(super) const PARTIAL: &str = ".partial";
/// The manifest's name in its backup's folder.
pub(super) const MANIFEST: &str = "manifest";

const LONGEST_SEGMENT: usize = 128;
/// S3 takes 1024; a bucket's prefix comes on top.
const LONGEST_NAME: usize = 768;

/// A text is no name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: it has to {rule}")]
pub struct NameError {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

impl NameError {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        // The text comes from outside: an error must not grow with it.
        Self { kind, text: text.chars().take(80).collect(), rule }
    }
}

fn is_segment(text: &str) -> bool {
    (1..=LONGEST_SEGMENT).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_object(text: &str) -> bool {
    text.len() <= LONGEST_NAME && text.split('/').all(is_segment)
}

fn is_part(text: &str) -> bool {
    is_segment(text)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text != MANIFEST
        && !text.ends_with(PARTIAL)
}

fn is_enrolment(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

const SEGMENT_RULE: &str = "be 1 to 128 letters, digits, '.', '_' or '-', and not '.' or '..'";

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $valid:ident, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// The text breaks the rule of this kind of name.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                if $valid(&text) { Ok(Self(text)) } else { Err(NameError::new($kind, &text, $rule)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// The name of an object or a folder at a destination, relative to the destination's root: `shop/production/7-e1`.
    ObjectName, "name of an object", is_object,
    "be folders and a file joined by '/', each of 1 to 128 letters, digits, '.', '_' or '-', none of them '.' or '..'"
);
name!(
    /// The name of a part in its backup's folder: `database-shop.dump.zst.age`.
    PartName, "name of a part", is_part,
    "begin with a letter or digit, hold only letters, digits, '.', '_' and '-', have at most 128 characters, not be \
     'manifest' and not end in '.partial'"
);
name!(
    /// The random id of one enrolment of a droplet: a droplet that was made anew has another.
    EnrolmentId, "enrolment id", is_enrolment, "be 1 to 64 letters, digits or '-'"
);

impl ObjectName {
    /// One folder or file.
    ///
    /// # Errors
    /// When it is none, or more than one.
    pub fn segment(text: &str) -> Result<Self, NameError> {
        if is_segment(text) { Self::new(text) } else { Err(NameError::new("folder", text, SEGMENT_RULE)) }
    }

    /// The object below this folder.
    ///
    /// # Errors
    /// When the rest is no name, or both together are too long.
    pub fn join(&self, rest: &str) -> Result<Self, NameError> {
        Self::new(format!("{self}/{rest}"))
    }

    /// What stands below the folder `self` in the name `below`; none where it is elsewhere.
    pub fn rest_of<'n>(&self, below: &'n Self) -> Option<&'n str> {
        below.0.strip_prefix(&self.0)?.strip_prefix('/')
    }

    /// Folders and file.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_root() {
        for good in ["a", "shop/production/7-e1/shop/db.1/x", "_a/.b/..c"] {
            assert!(ObjectName::new(good).is_ok(), "{good}");
        }
        let long = "a/".repeat(500) + "a";
        let segment = "a".repeat(129);
        for bad in
            ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a b", "a\0b", "ä", "a\\b", &long, &segment]
        {
            assert!(ObjectName::new(bad).is_err(), "{bad}");
        }
        assert!(ObjectName::new("x/".repeat(100_000)).unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn parts_are_not_named_as_what_lies_beside_them() {
        assert!(PartName::new("database-shop.dump.zst.age").is_ok());
        for bad in ["", "manifest", "manifest.partial", "x.partial", "a/b", ".a", "-a", ".."] {
            assert!(PartName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_knows_what_is_below_it() {
        let name = |text: &str| ObjectName::new(text).unwrap();
        assert_eq!(name("a/b").rest_of(&name("a/b/c/d")), Some("c/d"));
        assert_eq!(name("a/b").rest_of(&name("a/bc/d")), None);
        assert_eq!(name("a/b").rest_of(&name("a/b")), None);
        assert_eq!(name("a").join("b/c").unwrap(), name("a/b/c"));
        assert!(name("a").join("../b").is_err());
    }
}
