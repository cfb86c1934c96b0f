//! How many backups stay.

use crate::node::{Node, Value};
use crate::x_tidegate::reader::Reader;

/// How many backups stay: the latest, and the latest of so many days, weeks, months and years. Never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The latest, whenever they were made.
    pub last: u32,
    /// One a day.
    pub daily: u32,
    /// One a week.
    pub weekly: u32,
    /// One a month.
    pub monthly: u32,
    /// One a year.
    pub yearly: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { daily: 7, weekly: 5, monthly: 12, ..NONE }
    }
}

const NONE: Keep = Keep { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const MOST: u32 = 10_000;

impl Reader<'_> {
    /// What is written stands for the whole: a key that is left out keeps none of its kind.
    pub(super) fn keep(&mut self, node: &Node, path: &str) -> Option<Keep> {
        let map = self.map(node, path, &["last", "daily", "weekly", "monthly", "yearly"])?;
        let (mut keep, before) = (NONE, self.errors.len());
        for (key, count) in [
            ("last", &mut keep.last),
            ("daily", &mut keep.daily),
            ("weekly", &mut keep.weekly),
            ("monthly", &mut keep.monthly),
            ("yearly", &mut keep.yearly),
        ] {
            let Some(node) = map.get(key) else { continue };
            match number(node) {
                Some(number) => *count = number,
                None => {
                    let message = format!("expected a number from 0 to {MOST}");
                    self.fail(node.at, &format!("{path}.{key}"), (message, None));
                }
            }
        }
        if self.errors.len() > before {
            return None;
        }
        if keep == NONE {
            let message = "no backup would stay".to_owned();
            let hint = "write how many stay, such as `keep: { daily: 7, weekly: 5 }`, or leave `keep` out"
                .to_owned();
            self.fail(node.at, path, (message, Some(hint)));
            return None;
        }
        Some(keep)
    }
}

/// A number, also as text: it may come from a variable.
fn number(node: &Node) -> Option<u32> {
    let number = match &node.value {
        Value::Int(number) => u32::try_from(*number).ok(),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| *number <= MOST)
}
