//! The units of which timers are instances, as they are part of this program. Must not know which instances there are.

use std::path::Path;

use crate::store::{ReplaceError, atomic_replace};

/// Name and content.
pub(super) const TEMPLATES: [(&str, &str); 4] = [
    ("tidegate-backup@.service", include_str!("../../../systemd/tidegate-backup@.service")),
    ("tidegate-backup@.timer", include_str!("../../../systemd/tidegate-backup@.timer")),
    ("tidegate-verify@.service", include_str!("../../../systemd/tidegate-verify@.service")),
    ("tidegate-verify@.timer", include_str!("../../../systemd/tidegate-verify@.timer")),
];

/// Units that every droplet has. Name and content.
pub(super) const STANDING: [(&str, &str); 4] = [
    ("tidegate-cleanup.service", include_str!("../../../systemd/tidegate-cleanup.service")),
    ("tidegate-cleanup.timer", include_str!("../../../systemd/tidegate-cleanup.timer")),
    ("tidegate-health.service", include_str!("../../../systemd/tidegate-health.service")),
    ("tidegate-health.timer", include_str!("../../../systemd/tidegate-health.timer")),
];

/// What apps' units are instances of. Name and content.
pub(super) const APP: [(&str, &str); 1] =
    [("tidegate-app@.service", include_str!("../../../systemd/tidegate-app@.service"))];

/// Writes those that are not there as they are here.
///
/// # Errors
/// At the first that cannot be written, with its name; its former content stands.
pub(super) fn write(
    directory: &Path,
    units: &[(&'static str, &str)],
) -> Result<(), (&'static str, ReplaceError)> {
    for (name, content) in units.iter().copied() {
        let path = directory.join(name);
        if fs_err::read(&path).is_ok_and(|there| there == content.as_bytes()) {
            continue;
        }
        atomic_replace(&path, content.as_bytes(), 0o644).map_err(|error| (name, error))?;
    }
    Ok(())
}
