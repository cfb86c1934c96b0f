//! A dead agent cannot tell that it is dead: the timer's process does, and that it answers again.
//!
//! Owns the count of runs in a row without an answer. Must not ask the agent: the caller did. It sends past any queue, to all
//! receivers (what it tells is critical), from this process; who does not take it is tried again with the next run.
//!
//! # Format
//! `silent.json` in the agent's state directory, 0600, replaced atomically, there from the first run without an answer until
//! all who were told of it know its end:
//!
//! ```json
//! {"version": 1, "since": "2026-11-23T05:50:00Z", "runs": 3, "told": {"slack 1": "2026-11-23T05:52:00Z"}}
//! ```
//!
//! `told` says whom, and when last. A file of another form counts as none.
//!
//! # Limitations
//! Where it cannot be written, as on a full disk, runs are not counted and nobody is told: a ping that stays away tells then.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use fs_err as fs;
use futures::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_proto::names::DropletId;
use tokio::time::timeout;

use super::{
    MessageIds,
    message::{AlertMessage, Item, News},
    send::{SendError, Transports},
    settings::{Kept, Receiver, SettingsFile, SettingsFileError},
};
use crate::{
    health::Level,
    release::chain,
    store::{ReplaceError, atomic_replace},
    trust::{PkiError, PkiFiles},
};

const VERSION: u32 = 1;
const NAME: &str = "silent.json";
/// An agent may be started again, or be busy once.
const RUNS: u32 = 3;
/// For all receivers together.
const DEADLINE: Duration = Duration::from_mins(1);
/// Whom the end could not be told for so long, that one does not hear it.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(72);

/// Why nobody is told.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// The settings.
    #[error("nobody can be told")]
    Settings(#[source] SettingsFileError),
    /// The enrolment, to which alerts belong.
    #[error("it is not known whose droplet this is")]
    Pki(#[source] PkiError),
    /// The count of runs.
    #[error("the runs without an answer cannot be counted, so nobody is told")]
    Count(#[source] ReplaceError),
    /// The end of it.
    #[error("{NAME} could not be removed")]
    Remove(#[source] io::Error),
}

/// Tells that the agent does not answer.
#[derive(Clone)]
pub struct Silence {
    /// The agent's state directory.
    pub state: PathBuf,
    /// The machine's serial number, if it could be a droplet's id.
    pub serial: Option<DropletId>,
    /// The ways to receivers.
    pub transports: Transports,
    /// Ids of messages.
    pub ids: MessageIds,
}

impl std::fmt::Debug for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Silence").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Silent {
    version: u32,
    since: Timestamp,
    runs: u32,
    told: BTreeMap<String, Timestamp>,
}

impl Silence {
    /// The agent did not answer at `now`. What could not be sent, for the journal.
    ///
    /// # Errors
    /// Why nobody is told.
    pub async fn not_answered(&self, now: Timestamp) -> Result<Vec<String>, SilenceError> {
        let Some(kept) = self.kept()? else { return Ok(Vec::new()) };
        let fresh = Silent { version: VERSION, since: now, runs: 0, told: BTreeMap::new() };
        let mut silent = self.read().unwrap_or(fresh);
        if silent.runs == 0 || silent.since > now {
            silent.since = now;
        }
        silent.runs = silent.runs.saturating_add(1);
        // Before anything is sent: a run that is killed counts.
        self.write(&silent)?;
        if silent.runs < RUNS {
            return Ok(Vec::new());
        }
        let is_due = |receiver: &&Receiver| {
            silent.told.get(receiver.name.as_str()).is_none_or(|told| {
                let passed = now.duration_since(*told);
                passed.is_negative() || passed.unsigned_abs() >= kept.settings.repeat
            })
        };
        let (again, first): (Vec<_>, Vec<_>) = kept
            .settings
            .receivers
            .iter()
            .filter(is_due)
            .partition(|receiver| silent.told.contains_key(receiver.name.as_str()));
        let item = item(silent.since);
        let news = News { firing: vec![item.clone()], ..News::default() };
        let still = News { still: vec![item], ..News::default() };
        let first = self.send(&kept, (self.message(&kept, news, now), first));
        let again = self.send(&kept, (self.message(&kept, still, now), again));
        let (first_sent, again_sent) = tokio::join!(first, again);
        let mut notes = Vec::new();
        for (name, sent) in first_sent.into_iter().chain(again_sent) {
            match sent {
                Ok(()) => drop(silent.told.insert(name, now)),
                Err(error) => notes.push(note(&name, &error)),
            }
        }
        self.write(&silent)?;
        Ok(notes)
    }

    /// The agent answered at `now`. What could not be sent, for the journal.
    ///
    /// # Errors
    /// When the settings cannot be read, or the file not be removed.
    pub async fn answered(&self, now: Timestamp) -> Result<Vec<String>, SilenceError> {
        let Some(mut silent) = self.read() else { return Ok(Vec::new()) };
        let is_old = |told: &Timestamp| now.duration_since(*told).unsigned_abs() > GIVEN_UP_AFTER;
        silent.told.retain(|_, told| !is_old(told));
        let kept = if silent.told.is_empty() { None } else { self.kept()? };
        let mut notes = Vec::new();
        if let Some(kept) = kept {
            let is_told = |receiver: &&Receiver| silent.told.contains_key(receiver.name.as_str());
            let receivers: Vec<_> = kept.settings.receivers.iter().filter(is_told).collect();
            let over = Item { why: "answers again".to_owned(), hint: String::new(), ..item(silent.since) };
            let news = News { resolved: vec![over], ..News::default() };
            let sent = self.send(&kept, (self.message(&kept, news, now), receivers)).await;
            // Who is no receiver any more is not waited for.
            let failed: BTreeMap<String, SendError> =
                sent.into_iter().filter_map(|(name, sent)| Some((name, sent.err()?))).collect();
            notes.extend(failed.iter().map(|(name, error)| note(name, error)));
            silent.told.retain(|name, _| failed.contains_key(name));
            if !silent.told.is_empty() {
                // A silence that begins now is another one, and is counted anew.
                self.write(&Silent { runs: 0, ..silent })?;
                return Ok(notes);
            }
        }
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SilenceError::Remove(error)),
            _ => Ok(notes),
        }
    }

    /// Who is told, if alerts of this very droplet are set.
    fn kept(&self) -> Result<Option<Kept>, SilenceError> {
        let file = SettingsFile::in_directory(&self.state);
        let Some(kept) = file.read().map_err(SilenceError::Settings)? else { return Ok(None) };
        let Some(record) = PkiFiles::record_in(&self.state.join("pki")).map_err(SilenceError::Pki)? else {
            return Ok(None);
        };
        // A copy of the droplet has its files, until its agent moves them aside.
        let is_copy = self.serial.is_some_and(|serial| record.serial.is_some_and(|own| own != serial));
        Ok((!is_copy && record.enrolment_id == kept.whose.enrolment).then_some(kept))
    }

    fn message(&self, kept: &Kept, news: News, now: Timestamp) -> AlertMessage {
        AlertMessage::new(((self.ids)(), now), &kept.about(), news)
    }

    async fn send(
        &self,
        kept: &Kept,
        (message, receivers): (AlertMessage, Vec<&Receiver>),
    ) -> Vec<(String, Result<(), SendError>)> {
        let (message, smtp) = (&message, kept.settings.smtp.as_ref());
        let tries = receivers.into_iter().map(|receiver| async move {
            let sent = timeout(DEADLINE, self.transports.send(receiver, smtp, message)).await;
            (receiver.name.to_string(), sent.unwrap_or(Err(SendError::Deadline(DEADLINE))))
        });
        join_all(tries).await
    }

    fn path(&self) -> PathBuf {
        self.state.join(NAME)
    }

    fn read(&self) -> Option<Silent> {
        read(&self.path())
    }

    fn write(&self, silent: &Silent) -> Result<(), SilenceError> {
        let text = serde_json::to_vec(silent).map_err(|error| {
            SilenceError::Count(ReplaceError::Io { path: self.path(), source: error.into() })
        })?;
        atomic_replace(&self.path(), &text, 0o600).map_err(SilenceError::Count)
    }
}

fn read(path: &Path) -> Option<Silent> {
    let silent: Silent = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (silent.version == VERSION).then_some(silent)
}

fn item(since: Timestamp) -> Item {
    Item {
        id: "host.agent".to_owned(),
        level: Level::Critical,
        since,
        what: "the agent".to_owned(),
        why: format!(
            "does not answer since {since}: nobody looks after health, backups and releases on this droplet"
        ),
        hint: "`journalctl -u tidegate-agent` on the droplet says why; containers go on meanwhile".to_owned(),
    }
}

fn note(receiver: &str, error: &SendError) -> String {
    format!("{receiver} could not be told: {}", chain(error))
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
