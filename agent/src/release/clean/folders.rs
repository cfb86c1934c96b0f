//! Inputs of releases that cannot be gone back to, and of apps that are gone.

use std::{collections::BTreeMap, path::Path};

use super::{Cleaned, Leftover, LeftoverKind, Mode};
use crate::{
    apps::AppName,
    release::{
        ReleaseRow, ReleaseState,
        engine::{self, Inner},
        steps::KEPT_INPUTS,
    },
};

pub(super) fn clean(inner: &Inner, rows: &[ReleaseRow], (mode, cleaned): (Mode, &mut Cleaned)) {
    let oldest = oldest_kept(rows);
    for path in entries(&inner.paths.state().join("releases")) {
        let Some(app) = name(&path).and_then(|name| AppName::new(name).ok()) else { continue };
        // Who has the app may be about to write there.
        if inner.live().contains_key(&app) {
            continue;
        }
        for release in entries(&path) {
            let Some(number) = name(&release).and_then(|name| name.parse::<u64>().ok()) else { continue };
            if oldest.get(&app).is_some_and(|oldest| number >= *oldest) {
                continue;
            }
            if mode == Mode::Remove
                && let Err(error) = fs_err::remove_dir_all(&release)
            {
                cleaned.trouble("inputs", &error);
                continue;
            }
            let name = format!("{app} r{number}");
            cleaned.gone.push(Leftover { kind: LeftoverKind::Inputs, name, bytes: 0 });
        }
    }
}

/// From which release on the inputs of each app that is there stay.
fn oldest_kept(rows: &[ReleaseRow]) -> BTreeMap<AppName, u64> {
    let mut oldest = BTreeMap::new();
    let is_there = |row: &&ReleaseRow| row.state == ReleaseState::Released || engine::is_unfinished(row);
    for row in rows.iter().filter(is_there) {
        let number = row.number.get();
        // As a release itself keeps them: also those before one that serves for long.
        let from = number.saturating_sub(KEPT_INPUTS).saturating_add(1);
        oldest.entry(row.app.clone()).and_modify(|other: &mut u64| *other = from.min(*other)).or_insert(from);
    }
    oldest
}

fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
    // What is not there holds nothing.
    let entries = fs_err::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_of_an_app_that_is_there_stay() {
        use ReleaseState::{Released, Removed, Stuck, Superseded};
        let row = |app: &str, number, state| ReleaseRow {
            finished_at: Some(jiff::Timestamp::UNIX_EPOCH),
            ..ReleaseRow::in_state(app, number, state)
        };
        let rows = [
            row("blog", 3, Removed),
            row("shop", 30, Stuck),
            row("shop", 28, Released),
            row("shop", 27, Superseded),
            row("young", 2, Released),
        ];
        let oldest = oldest_kept(&rows);
        let of = |app: &str| oldest.get(&AppName::new(app).unwrap()).copied();
        assert_eq!((of("shop"), of("young"), of("blog")), (Some(19), Some(1), None));
    }
}
