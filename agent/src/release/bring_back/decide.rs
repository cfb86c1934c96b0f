//! Which of a service's containers are made again and which are started. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    docker::{Container, ContainerState},
    release::plan::Ends,
};

/// Which containers that are there and do not run are started. Those that are not there are made again in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rouse {
    /// None: whoever stopped them meant it.
    Nobody,
    /// Those that ended with the droplet, and that Docker does not start by itself.
    EndedWith(Down),
    /// Those of these names.
    Named(BTreeSet<String>),
}

/// The end of the time before the droplet's last start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down {
    /// When the droplet was started.
    pub booted: Timestamp,
    /// When it was told to go down; none where it lost its power, or nobody wrote it down.
    pub told: Option<Timestamp>,
}

/// What becomes of a service's containers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Due<'c> {
    /// Those that stay as they are.
    pub(super) stay: Vec<&'c Container>,
    /// Those that are started.
    pub(super) roused: Vec<&'c Container>,
    /// What a run that was cut off made and did not start: they go, and are made again.
    pub(super) halves: Vec<&'c Container>,
    /// How many are made.
    pub(super) missing: usize,
}

impl Due<'_> {
    /// Whether there is nothing to do.
    pub(super) fn is_none(&self) -> bool {
        self.roused.is_empty() && self.halves.is_empty() && self.missing == 0
    }
}

/// Decides. `release` is the label of what the release that serves has made.
pub(super) fn due<'c>(
    (replicas, ends): (usize, Ends),
    containers: impl IntoIterator<Item = &'c Container>,
    (release, rouse): (&str, &Rouse),
) -> Due<'c> {
    let mut due = Due::default();
    for container in containers {
        let is_ours = container.label(crate::docker::body::RELEASE_LABEL) == Some(release);
        if container.state == ContainerState::Created && container.started_at.is_empty() && is_ours {
            due.halves.push(container);
        } else if is_roused(container, ends, rouse) {
            due.roused.push(container);
        } else {
            due.stay.push(container);
        }
    }
    // A task on which others wait has had its end: it is not run a second time because somebody cleared it away.
    if ends != Ends::Always || !due.halves.is_empty() {
        due.missing = replicas.saturating_sub(due.stay.len()).saturating_sub(due.roused.len());
    }
    due
}

fn is_roused(container: &Container, ends: Ends, rouse: &Rouse) -> bool {
    let is_down = matches!(container.state, ContainerState::Exited | ContainerState::Created);
    match rouse {
        Rouse::Nobody => false,
        Rouse::Named(names) => is_down && names.contains(&container.name),
        Rouse::EndedWith(down) => {
            let has_ended = ends == Ends::Always && container.exit_code == 0;
            container.state == ContainerState::Exited && !has_ended && ended_with(container, *down)
        }
    }
}

/// Whether it ran until the droplet went down. Of one that ended with the power Docker writes no end, or that of the moment
/// in which it noticed.
fn ended_with(container: &Container, down: Down) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let Some(started) = time(&container.started_at) else { return false };
    let ended = time(&container.finished_at);
    started < down.booted
        && ended.is_none_or(|ended| ended < started || ended >= down.told.unwrap_or(down.booted))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::docker::body::RELEASE_LABEL;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn container(name: &str, state: ContainerState, (started, ended): (i64, Option<i64>)) -> Container {
        Container {
            name: name.to_owned(),
            state,
            started_at: at(started).to_string(),
            finished_at: ended.map_or_else(String::new, |ended| at(ended).to_string()),
            ..Container::default()
        }
    }

    fn exited(name: &str, times: (i64, Option<i64>)) -> Container {
        container(name, ContainerState::Exited, times)
    }

    fn names(due: &[&Container]) -> Vec<String> {
        due.iter().map(|container| container.name.clone()).collect()
    }

    #[test]
    fn what_is_not_there_is_made_and_what_a_cut_off_run_left_is_made_again() {
        let running = container("web-1", ContainerState::Running, (0, None));
        let label = [(RELEASE_LABEL.to_owned(), "shop/42".to_owned())];
        let half = Container { name: "web-2".into(), labels: label.into(), ..Container::default() };
        let foreign = Container { name: "web-3".into(), ..Container::default() };
        let all = [running, half, foreign];
        let due = due((4, Ends::Never), &all, ("shop/42", &Rouse::Nobody));
        assert_eq!(
            (names(&due.stay), names(&due.halves)),
            (vec!["web-1".into(), "web-3".into()], vec!["web-2".into()])
        );
        assert_eq!(due.missing, 2);
    }

    #[test]
    fn a_task_that_was_cleared_away_is_not_run_again() {
        assert!(due((1, Ends::Always), [], ("shop/42", &Rouse::Nobody)).is_none());
        assert_eq!(due((1, Ends::Maybe), [], ("shop/42", &Rouse::Nobody)).missing, 1);
    }

    #[test]
    fn what_ended_with_the_droplet_is_started_and_what_somebody_stopped_is_not() {
        let lost_power = Down { booted: at(1000), told: None };
        let in_order = Down { booted: at(1000), told: Some(at(900)) };
        let judged = |container: &Container, down| {
            let rouse = Rouse::EndedWith(down);
            !due((1, Ends::Never), [container], ("shop/42", &rouse)).roused.is_empty()
        };
        let table = [
            ("by hand, long before", exited("web", (0, Some(500))), (false, false)),
            ("while it went down", exited("web", (0, Some(905))), (false, true)),
            ("Docker wrote no end", exited("web", (0, None)), (true, true)),
            ("Docker wrote the end of an earlier run", exited("web", (100, Some(50))), (true, true)),
            ("Docker noticed after the start", exited("web", (0, Some(1003))), (true, true)),
            ("it ended after Docker had started it again", exited("web", (1002, Some(1003))), (false, false)),
            ("it runs", container("web", ContainerState::Running, (0, None)), (false, false)),
            ("it is paused", container("web", ContainerState::Paused, (0, None)), (false, false)),
        ];
        for (what, container, (power, order)) in table {
            assert_eq!(judged(&container, lost_power), power, "{what}, power lost");
            assert_eq!(judged(&container, in_order), order, "{what}, in order");
        }
    }

    #[test]
    fn those_that_are_named_are_started() {
        let (one, other) = (exited("web-1", (0, Some(5))), exited("web-2", (0, Some(5))));
        let rouse = Rouse::Named(["web-2".to_owned()].into());
        let due = due((2, Ends::Never), [&one, &other], ("shop/42", &rouse));
        assert_eq!(
            (names(&due.roused), names(&due.stay), due.missing),
            (vec!["web-2".into()], vec!["web-1".into()], 0)
        );
    }

    fn any_state() -> impl Strategy<Value = ContainerState> {
        use ContainerState as S;
        prop::sample::select(vec![S::Created, S::Running, S::Paused, S::Restarting, S::Exited, S::Dead])
    }

    proptest! {
        #[test]
        fn each_container_is_decided_once_and_there_are_as_many_as_the_file_says(
            states in prop::collection::vec((any_state(), 0_i64..2000, 0_i64..2000), 0..6),
            replicas in 0_usize..6,
        ) {
            let containers: Vec<Container> =
                states.iter().map(|(state, from, to)| container("web", *state, (*from, Some(*to)))).collect();
            let rouse = Rouse::EndedWith(Down { booted: at(1000), told: None });
            let due = due((replicas, Ends::Never), &containers, ("shop/42", &rouse));
            prop_assert_eq!(due.stay.len() + due.roused.len() + due.halves.len(), containers.len());
            prop_assert_eq!((due.stay.len() + due.roused.len() + due.missing).max(replicas), (due.stay.len() + due.roused.len()).max(replicas));
            prop_assert!(due.roused.iter().all(|container| container.state == ContainerState::Exited));
            let ended_with_it = |container: &&Container| {
                let started: Timestamp = container.started_at.parse().unwrap();
                let ended: Timestamp = container.finished_at.parse().unwrap();
                ended < started || ended >= at(1000)
            };
            prop_assert!(due.roused.iter().all(ended_with_it));
        }
    }
}
