//! What a receiver is told: one value, and how it reads as mail, in Slack, and for programs.
//!
//! Owns the words. Must not know how they get there. Only what `tidegate health` shows goes in.
//!
//! # Format
//! For webhooks and commands, and in the queue, a message is a JSON object, `version` 1. Times are RFC 3339 in UTC.
//!
//! | key | |
//! |---|---|
//! | `version` | 1; a key may be added without a new number |
//! | `id` | a UUID: who gets the same id twice got the same message twice |
//! | `kind` | `alert`, or `test` for `tidegate alert test` |
//! | `at` | when it was found |
//! | `droplet`, `fleet`, `environment` | of whom it tells |
//! | `firing` | findings that are new or became worse |
//! | `still` | findings that go on: told again, or eased |
//! | `resolved` | findings that ended: `level` and `since` are what was told of them, `why` is how it is now |
//! | `omitted` | how many more there were of all three |
//! | `lost` | how many earlier messages were given up before they could be delivered |
//!
//! A finding has `id` (`host.disk`), `level` (`critical`, `warning`, `unknown`), `since`, `what` ("disk /"), `why`, with figures,
//! and `hint`, what to do about it; empty where there is none.

mod mail;
mod slack;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{mail::Mail, slack::slack};
use crate::health::Level;

/// More findings than these are counted only.
const MOST_ITEMS: usize = 100;
/// No text of a finding is longer, however long what was seen is.
const LONGEST_TEXT: usize = 600;

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// Something is not well, or well again.
    Alert,
    /// Somebody wants to see whether it arrives.
    Test,
}

/// A finding, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Of the check.
    pub id: String,
    /// How bad it is, or was.
    pub level: Level,
    /// Since when.
    pub since: Timestamp,
    /// What is checked.
    pub what: String,
    /// What was seen.
    pub why: String,
    /// What to do.
    pub hint: String,
}

/// What one look has to say to one receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// New or worse.
    pub firing: Vec<Item>,
    /// They go on.
    pub still: Vec<Item>,
    /// They ended.
    pub resolved: Vec<Item>,
}

/// Of whom a message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The droplet, as the settings call it.
    pub droplet: String,
    /// Its fleet.
    pub fleet: String,
    /// Its environment.
    pub environment: String,
}

/// A message. See the module for its form as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMessage {
    version: u32,
    /// The same for all tries to deliver it.
    pub id: Uuid,
    /// Why it is sent.
    pub kind: MessageKind,
    /// When it was found.
    pub at: Timestamp,
    /// The droplet.
    pub droplet: String,
    /// Its fleet.
    pub fleet: String,
    /// Its environment.
    pub environment: String,
    /// New or worse.
    pub firing: Vec<Item>,
    /// They go on.
    pub still: Vec<Item>,
    /// They ended.
    pub resolved: Vec<Item>,
    /// How many more there were.
    pub omitted: usize,
    /// Earlier messages that were given up.
    pub lost: u64,
}

impl News {
    /// Whether there is anything to say.
    pub fn is_empty(&self) -> bool {
        self.firing.is_empty() && self.still.is_empty() && self.resolved.is_empty()
    }
}

impl AlertMessage {
    /// What a look has to say.
    pub fn new((id, at): (Uuid, Timestamp), about: &About, news: News) -> Self {
        let News { mut firing, mut still, mut resolved } = news;
        let all = firing.len().saturating_add(still.len()).saturating_add(resolved.len());
        let mut room = MOST_ITEMS;
        for items in [&mut firing, &mut still, &mut resolved] {
            items.sort_by(|one, other| other.level.cmp(&one.level).then_with(|| one.id.cmp(&other.id)));
            items.truncate(room);
            room = room.saturating_sub(items.len());
            items.iter_mut().for_each(Item::shorten);
        }
        Self {
            version: 1,
            id,
            kind: MessageKind::Alert,
            at,
            droplet: about.droplet.clone(),
            fleet: about.fleet.clone(),
            environment: about.environment.clone(),
            firing,
            still,
            resolved,
            omitted: all.saturating_sub(MOST_ITEMS.saturating_sub(room)),
            lost: 0,
        }
    }

    /// One by which somebody sees that messages arrive.
    pub fn test(id: (Uuid, Timestamp), about: &About) -> Self {
        Self { kind: MessageKind::Test, ..Self::new(id, about, News::default()) }
    }

    /// One line: whose, and the worst of it. `[shop/production] web-1: CRITICAL disk / (+2)`
    pub fn title(&self) -> String {
        let headline = match self.kind {
            MessageKind::Test => "test of alerts".to_owned(),
            MessageKind::Alert => self.headline(),
        };
        let Self { fleet, environment, .. } = self;
        format!("[{fleet}/{environment}] {}: {headline}", self.short_name())
    }

    fn headline(&self) -> String {
        let mut parts = self.sections().filter_map(|(section, items)| Some((section, items.first()?)));
        let Some((section, worst)) = parts.next() else { return "nothing to tell".to_owned() };
        let others = self.items().saturating_sub(1).saturating_add(self.omitted);
        let more = if others > 0 { format!(" (+{others})") } else { String::new() };
        format!("{} {}{more}", section.mark(worst.level), line(&worst.what))
    }

    /// Without what the fleet and the environment say already.
    fn short_name(&self) -> &str {
        let Self { fleet, environment, droplet, .. } = self;
        let rest = droplet.strip_prefix(&format!("{fleet}-{environment}-"));
        rest.filter(|rest| !rest.is_empty()).unwrap_or(droplet)
    }

    fn sections(&self) -> impl Iterator<Item = (Section, &Vec<Item>)> {
        [(Section::Firing, &self.firing), (Section::Still, &self.still), (Section::Resolved, &self.resolved)]
            .into_iter()
    }

    fn items(&self) -> usize {
        self.sections().map(|(_, items)| items.len()).sum()
    }

    /// What stands below all findings.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.kind == MessageKind::Test {
            remarks.push(
                "Somebody asked for this message, to see whether it arrives. All is as it was.".to_owned(),
            );
        }
        if self.omitted > 0 {
            remarks.push(format!("{} more: `tidegate health` shows all.", self.omitted));
        }
        if self.lost > 0 {
            let (messages, were) = if self.lost == 1 { ("message", "was") } else { ("messages", "were") };
            remarks.push(format!("{} earlier {messages} {were} lost: nobody took them in time.", self.lost));
        }
        remarks
    }
}

impl Item {
    fn shorten(&mut self) {
        for text in [&mut self.what, &mut self.why, &mut self.hint] {
            if text.chars().count() > LONGEST_TEXT {
                *text = text.chars().take(LONGEST_TEXT).collect::<String>() + "...";
            }
        }
    }
}

/// Which part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Firing,
    Still,
    Resolved,
}

impl Section {
    /// What stands before a finding of that level.
    fn mark(self, level: Level) -> String {
        let level = level.word().to_uppercase();
        match self {
            Self::Firing => level,
            Self::Still => format!("STILL {level}"),
            Self::Resolved => "RESOLVED".to_owned(),
        }
    }
}

/// Since when, and how it was called, in words.
struct Since<'a>(Section, &'a Item);

impl fmt::Display for Since<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(section, Item { level, since, .. }) = self;
        match section {
            Section::Firing | Section::Still => write!(f, "since {since}"),
            Section::Resolved => write!(f, "was {} since {since}", level.word()),
        }
    }
}

/// A text as one line without control characters: it stands in headers too.
fn line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
