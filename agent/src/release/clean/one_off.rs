//! One-off containers whose agent died: `tidegate run` removes its own at its end.

use jiff::{SignedDuration, Timestamp};
use tidegate_compose::labels;

use super::{Cleaned, Leftover, LeftoverKind, Mode};
use crate::{
    docker::{AnonymousVolumes, Container, ContainerState, body::RELEASE_LABEL},
    release::{ReleaseRow, engine::Inner},
};

/// How long one stays that has ended, or was never started: somebody may be about to.
const FOR: SignedDuration = SignedDuration::from_hours(24);

pub(super) async fn clean(inner: &Inner, rows: &[ReleaseRow], (mode, cleaned): (Mode, &mut Cleaned)) {
    let labels = [format!("{}=True", labels::ONE_OFF), RELEASE_LABEL.to_owned()];
    let found = match inner.docker.containers(&labels).await {
        Ok(found) => found,
        Err(error) => return cleaned.trouble("one-off containers", &error),
    };
    for container in found {
        // One that a release under way or a stuck one knows by its name is still needed.
        let release = container.label(RELEASE_LABEL).unwrap_or_default();
        let is_needed = rows.iter().any(|row| {
            crate::release::engine::is_unfinished(row)
                && release == format!("{}/{}", row.app, row.number.get())
        });
        if is_needed || !is_over(&container, inner.clock.now()) {
            continue;
        }
        if mode == Mode::Remove
            && let Err(error) = inner.docker.remove(&container.id, AnonymousVolumes::Remove).await
        {
            cleaned.trouble(&format!("container {}", container.name), &error);
            continue;
        }
        cleaned.gone.push(Leftover { kind: LeftoverKind::Container, name: container.name, bytes: 0 });
    }
}

/// Whether it ended a day ago. Of one that was never started Docker tells no time that could be asked: it stays.
fn is_over(container: &Container, now: Timestamp) -> bool {
    let ended: Option<Timestamp> = container.finished_at.parse().ok();
    let is_old = ended.is_some_and(|ended| now.duration_since(ended) >= FOR);
    matches!(container.state, ContainerState::Exited | ContainerState::Dead) && is_old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_over_a_day_after_its_end() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let over = |state, ended: &str| {
            is_over(&Container { state, finished_at: ended.to_owned(), ..Container::default() }, now)
        };
        assert!(over(ContainerState::Exited, "2026-11-22T09:59:59Z"));
        assert!(!over(ContainerState::Exited, "2026-11-23T09:00:00Z"));
        assert!(!over(ContainerState::Running, "2026-11-20T09:00:00Z"));
        assert!(!over(ContainerState::Created, ""));
    }
}
