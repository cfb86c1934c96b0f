//! The last requests below `/v2`, so that tests can look at what a client sent: without its token, in memory only.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// So many requests are kept,
const KEPT: usize = 2000;
/// as long as their bodies together are no longer than so many bytes.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// A request as it came, and how it was answered.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// Rises with every request.
    pub(super) number: u64,
    /// When it came.
    pub(super) at: Timestamp,
    /// Its method.
    pub(super) method: String,
    /// How many bytes its body had.
    pub(super) length: usize,
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
    bytes: usize,
    last: u64,
}

impl Journal {
    /// Takes note of a request and tells its number.
    pub(super) fn add(&mut self, mut entry: Entry) -> u64 {
        self.last = self.last.saturating_add(1);
        entry.number = self.last;
        self.bytes = self.bytes.saturating_add(entry.length);
        self.entries.push_back(entry);
        while self.entries.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.length);
        }
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
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(length: usize) -> Entry {
        Entry {
            number: 0,
            at: Timestamp::UNIX_EPOCH,
            method: "GET".to_owned(),
            length,
            path: "/v2/account".to_owned(),
            query: String::new(),
            body: Value::Null,
            token: None,
            status: None,
            request_id: String::new(),
            fault: None,
        }
    }

    #[test]
    fn old_requests_are_forgotten_by_number_and_by_size() {
        let mut journal = Journal::default();
        for _ in 0..KEPT + 5 {
            journal.add(entry(1));
        }
        assert_eq!(journal.list(0, usize::MAX).len(), KEPT);
        assert_eq!(journal.list(0, 1).first().unwrap().number, 2005);
        let big = journal.add(entry(KEPT_BYTES));
        let kept: Vec<u64> = journal.list(0, usize::MAX).iter().map(|entry| entry.number).collect();
        assert_eq!(kept, [big]);
        journal.answered(big, Some(200));
        assert_eq!(journal.list(big - 1, 9).first().unwrap().status, Some(200));
        assert!(journal.list(big, 9).is_empty());
    }
}
