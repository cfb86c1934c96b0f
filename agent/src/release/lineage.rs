//! Which releases' migrations the schema of a database has been through, by the order in which releases served.
//!
//! Owns the walk. Pure: whether a release's migration was breaking is asked of the caller.

use std::collections::BTreeSet;

use super::{ReleaseRow, ReleaseState};
use crate::apps::ReleaseNumber;

/// The releases that led to this one: the one before it, and so on; a rollback leads on from where it went back to.
/// `rows` are the latest first.
pub(super) fn of(rows: &[ReleaseRow], release: ReleaseNumber) -> BTreeSet<ReleaseNumber> {
    let has_served = |row: &&ReleaseRow| {
        matches!(row.state, ReleaseState::Released | ReleaseState::Superseded | ReleaseState::Removed)
    };
    let (mut found, mut visited) = (BTreeSet::new(), BTreeSet::new());
    let mut next = Some(release);
    // Each is visited once, so that this ends whatever the rows say.
    while let Some(number) = next.filter(|number| visited.insert(*number)) {
        let row = rows.iter().find(|row| row.number == number);
        next = row.and_then(|row| row.returns_to);
        if next.is_none() {
            found.insert(number);
            next = rows.iter().filter(has_served).find(|row| row.number < number).map(|row| row.number);
        }
    }
    found
}

/// The releases between two, in their order: those that led to one of them and not to the other.
pub(super) fn between(
    rows: &[ReleaseRow],
    (here, there): (ReleaseNumber, ReleaseNumber),
) -> Vec<ReleaseNumber> {
    of(rows, here).symmetric_difference(&of(rows, there)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u64) -> ReleaseNumber {
        ReleaseNumber::new(number)
    }

    /// Releases from the first on, each with where it goes back to.
    fn rows(releases: &[(ReleaseState, Option<u64>)]) -> Vec<ReleaseRow> {
        let row = |(index, (state, returns_to)): (usize, &(ReleaseState, Option<u64>))| ReleaseRow {
            returns_to: returns_to.map(number),
            ..ReleaseRow::in_state("shop", u64::try_from(index).unwrap() + 1, *state)
        };
        releases.iter().enumerate().map(row).rev().collect()
    }

    #[test]
    fn what_never_served_and_what_was_gone_back_over_is_left_out() {
        use ReleaseState::{Released, Superseded, Undone};
        let rows = rows(&[
            (Superseded, None),
            (Superseded, None),
            (Undone, None),
            (Superseded, Some(1)),
            (Released, None),
        ]);
        assert_eq!(of(&rows, number(5)), BTreeSet::from([number(1), number(5)]));
        assert_eq!(between(&rows, (number(5), number(1))), [number(5)]);
        assert_eq!(between(&rows, (number(5), number(2))), [number(2), number(5)]);
        assert_eq!(between(&rows, (number(2), number(1))), [number(2)]);
    }

    #[test]
    fn rows_that_go_in_circles_have_an_end() {
        use ReleaseState::Superseded;
        let rows = rows(&[(Superseded, Some(2)), (Superseded, Some(1))]);
        assert_eq!(of(&rows, number(2)), BTreeSet::new());
    }
}
