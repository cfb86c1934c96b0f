//! The last requests below `/v2`, so that tests can look at what a client sent: without its token, in memory only.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// So many requests are kept.
const KEPT: usize = 2000;

/// A request as it came, and how it was answered.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// Rises with every request.
    pub(super) number: u64,
    /// When it came.
    pub(super) at: Timestamp,
    /// Its method.
    pub(super) method: String,
    /// Its path, without a trailing slash.
    pub(super) path: String,
    /// Its query, as sent.
    pub(super) query: String,
    /// Its body: JSON if it is, else a text; `null` if there is none.
    pub(super) body: Value,
    /// What kind of token it presented.
    pub(super) token: Option<&'static str>,
    /// The status it was answered with; none while it is worked on, and when the connection was cut.
    pub(super) status: Option<u16>,
    /// The `x-request-id` of the answer.
    pub(super) request_id: String,
    /// The fault that befell it.
    pub(super) fault: Option<Value>,
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
}

impl Journal {
    /// Takes note of a request and tells its number.
    pub(super) fn add(&mut self, mut entry: Entry) -> u64 {
        self.last = self.last.saturating_add(1);
        entry.number = self.last;
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.last
    }

    /// Takes note of how it was answered.
    pub(super) fn answered(&mut self, number: u64, status: Option<u16>) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.number == number) {
            entry.status = status;
        }
    }

    /// The last `most` requests after number `after`, oldest first.
    pub(super) fn list(&self, after: u64, most: usize) -> Vec<&Entry> {
        let newer: Vec<&Entry> = self.entries.iter().filter(|entry| entry.number > after).collect();
        let surplus = newer.len().saturating_sub(most);
        newer.into_iter().skip(surplus).collect()
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
