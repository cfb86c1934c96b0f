//! What a check is called, and how it stands. Values only.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::apps::AppName;

/// How something is, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// It could not be seen: never the same as good.
    Unknown,
    /// Somebody should look at it in the next days.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl Level {
    /// As it is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The level of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Good, Self::Unknown, Self::Warning, Self::Critical]
            .into_iter()
            .find(|level| level.word() == word)
    }
}

/// The name of a check: `host.cpu`, `app.shop.container.shop-web-1`. It stays the same as long as what is checked does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId {
    app: Option<AppName>,
    name: String,
}

impl CheckId {
    /// Of the droplet.
    pub fn host(name: impl Into<String>) -> Self {
        Self { app: None, name: name.into() }
    }

    /// Of an app.
    pub fn app(app: &AppName, name: impl Into<String>) -> Self {
        Self { app: Some(app.clone()), name: name.into() }
    }

    /// The id as [`CheckId`] writes it; none for another text.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("host.") {
            return Some(Self::host(name));
        }
        // An app's name has no dot.
        let (app, name) = text.strip_prefix("app.")?.split_once('.')?;
        Some(Self::app(&AppName::new(app).ok()?, name))
    }

    /// Whose it is; none for the droplet's own.
    pub fn whose(&self) -> Option<&AppName> {
        self.app.as_ref()
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.app {
            None => write!(f, "host.{}", self.name),
            Some(app) => write!(f, "app.{app}.{}", self.name),
        }
    }
}

/// A check as it is told. One that is not good is a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub id: CheckId,
    /// How it stands.
    pub level: Level,
    /// Since when it stands so.
    pub since: Timestamp,
    /// What is checked: "memory", "container shop-web-1".
    pub what: String,
    /// What was seen, with figures.
    pub why: String,
    /// What to do about it; empty while it is good.
    pub hint: String,
}

/// A check that became better or worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is now; of a check that is gone, what it was, as good.
    pub check: Check,
    /// What it was before.
    pub before: Level,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_words_are_read_as_they_are_written() {
        let shop = AppName::new("my-shop").unwrap();
        for id in [CheckId::host("disk:/mnt/a.b"), CheckId::app(&shop, "container.my-shop-web-1")] {
            assert_eq!(CheckId::parse(&id.to_string()), Some(id.clone()), "{id}");
        }
        assert_eq!(CheckId::parse("app.Shop.x"), None);
        assert_eq!(CheckId::parse("shop"), None);
        for level in [Level::Good, Level::Unknown, Level::Warning, Level::Critical] {
            assert_eq!(Level::of(level.word()), Some(level));
        }
    }
}
