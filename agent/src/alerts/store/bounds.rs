//! How much waits for a receiver at most, and what is given up.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::sql::seconds;

/// So many messages wait for one receiver; of more, the oldest are given up.
pub(super) const MOST_WAITING: u32 = 200;
/// A message that nobody took for so long is given up.
pub(super) const OLDEST: Duration = Duration::from_hours(72);

/// Keeps the queue of a receiver within its bounds.
pub(super) fn give_up(t: &Transaction<'_>, receiver: &str, now: Timestamp) -> rusqlite::Result<()> {
    let oldest = seconds(now).saturating_sub(i64::try_from(OLDEST.as_secs()).unwrap_or(i64::MAX));
    let given_up = t.execute(
        "DELETE FROM alert_message WHERE receiver = ?1 AND (created < ?2 OR number <= (
             SELECT number FROM alert_message WHERE receiver = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?3))",
        params![receiver, oldest, MOST_WAITING],
    )?;
    if given_up == 0 {
        return Ok(());
    }
    let given_up = i64::try_from(given_up).unwrap_or(i64::MAX);
    t.execute(
        "INSERT INTO alert_receiver VALUES (?1, NULL, NULL, NULL, ?2, ?2) ON CONFLICT (receiver) DO UPDATE
         SET lost = lost + ?2, unsaid = unsaid + ?2",
        params![receiver, given_up],
    )
    .map(drop)
}
