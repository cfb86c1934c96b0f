//! Names as values: parsed once, private inside, ordered and hashable. It owns the spelling rules; it must not know where
//! a name is used.

use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Serialize};

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
        // The text comes from outside: an error message must not grow with it.
        Self { kind, text: text.chars().take(80).collect(), rule }
    }
}

const LABEL_RULE: &str =
    "start with a small letter, hold only small letters, digits and '-', and have at most 31 characters";
const USER_RULE: &str = "start with a small letter or digit, hold only small letters, digits, '.', '_' and '-', and have at most 63 characters";
const INTENT_RULE: &str = "hold only small letters, digits and '-', and have 1 to 64 characters";

fn is_label(text: &str) -> bool {
    text.len() <= 31
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_user(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

fn is_intent(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $valid:ident, $rule:ident) => {
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

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
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
    /// A fleet: all environments of one product, under one root certificate.
    FleetName, "fleet name", is_label, LABEL_RULE
);
name!(
    /// An environment of a fleet, such as `production`.
    EnvironmentName, "environment name", is_label, LABEL_RULE
);
name!(
    /// A Compose app on the droplets of an environment.
    AppName, "app name", is_label, LABEL_RULE
);
name!(
    /// A person or a CI job that holds a certificate.
    UserName, "user name", is_user, USER_RULE
);
name!(
    /// One wanted droplet, chosen at random and journaled before the create call.
    IntentId, "intent id", is_intent, INTENT_RULE
);

/// A droplet's number as DigitalOcean gives it; never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DropletId(NonZeroU64);

impl DropletId {
    /// Takes a number.
    ///
    /// # Errors
    /// It is 0.
    pub fn new(id: u64) -> Result<Self, NameError> {
        NonZeroU64::new(id).map(Self).ok_or_else(|| NameError::new("droplet id", "0", DROPLET_RULE))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

const DROPLET_RULE: &str = "be a whole number from 1 on, without sign or leading zeros";

impl fmt::Display for DropletId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DropletId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::new("droplet id", text, DROPLET_RULE);
        // u64 parsing would take "+7" and "007": an identity has to have one spelling.
        if !text.starts_with(|first: char| matches!(first, '1'..='9')) {
            return Err(refused());
        }
        text.parse().ok().and_then(NonZeroU64::new).map(Self).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_rule() {
        for good in ["a", "shop", "shop-2", "abcdefghijklmnopqrstuvwxyz01234"] {
            assert!(FleetName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "2shop",
            "-shop",
            "Shop",
            "shop.x",
            "shop_x",
            "abcdefghijklmnopqrstuvwxyz012345",
            "shöp",
            "a\n",
        ] {
            assert!(EnvironmentName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn user_names_may_hold_dots_but_no_slash() {
        assert!(UserName::new("jane.doe").is_ok());
        for bad in ["", ".jane", "jane/doe", "Jane", "jane doe", "jane@example"] {
            assert!(UserName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn droplet_ids_have_one_spelling() {
        assert_eq!("42".parse::<DropletId>().unwrap().get(), 42);
        for bad in ["", "0", "042", "+42", "-1", "4 2", "18446744073709551616", "x"] {
            assert!(bad.parse::<DropletId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_checked_when_deserialised() {
        assert!(serde_json::from_str::<AppName>("\"shop\"").is_ok());
        assert!(serde_json::from_str::<AppName>("\"../shop\"").is_err());
        assert!(serde_json::from_str::<DropletId>("0").is_err());
    }

    #[test]
    fn an_error_does_not_grow_with_its_input() {
        let message = AppName::new("X".repeat(100_000)).unwrap_err().to_string();
        assert!(message.len() < 300, "{}", message.len());
    }
}
