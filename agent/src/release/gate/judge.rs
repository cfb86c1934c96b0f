//! What a look at a container says to its gate. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    docker::{Container, ContainerHealth, ContainerState},
    release::plan::Ends,
};

/// What a look at a container says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Docker says that it is well now.
    Well,
    /// It ended as it was meant to.
    Ended,
    /// Not yet.
    Waiting,
    /// It will not get well: why.
    Bad(String),
}

/// How a container was when the gate first looked, to tell what happened since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct First {
    /// How often Docker had started it again.
    pub restarts: u64,
    /// Whether something in it had been ended for want of memory.
    pub out_of_memory: bool,
}

impl First {
    /// From a look.
    pub fn of(container: &Container) -> Self {
        Self {
            restarts: container.restarts,
            // One that ended is judged by its end.
            out_of_memory: container.out_of_memory && container.is_running(),
        }
    }
}

/// Judges.
pub fn judge(container: &Container, first: First, ends: Ends) -> Verdict {
    if container.restarts > first.restarts || container.state == ContainerState::Restarting {
        return Verdict::Bad(keeps_ending(container));
    }
    match container.state {
        ContainerState::Exited if container.exit_code == 0 && ends != Ends::Never => Verdict::Ended,
        ContainerState::Exited | ContainerState::Dead => Verdict::Bad(exit_reason(container)),
        ContainerState::Paused => Verdict::Bad("it is paused".to_owned()),
        ContainerState::Created | ContainerState::Restarting => Verdict::Waiting,
        ContainerState::Running if container.out_of_memory && !first.out_of_memory => {
            let limit = container.memory_limit;
            Verdict::Bad(format!(
                "a process of it was killed because it needed more than its {limit} bytes of memory"
            ))
        }
        ContainerState::Running if ends == Ends::Always => Verdict::Waiting,
        ContainerState::Running => match container.health {
            ContainerHealth::None | ContainerHealth::Healthy => Verdict::Well,
            ContainerHealth::Starting => Verdict::Waiting,
            ContainerHealth::Unhealthy => Verdict::Bad("its health check failed".to_owned()),
        },
    }
}

/// Of a container that Docker starts again and again.
pub fn keeps_ending(container: &Container) -> String {
    if container.out_of_memory {
        return format!("it keeps ending: {}", exit_reason(container));
    }
    // Docker forgets the exit code of one that it started again.
    if container.is_running() {
        return "it ended, and Docker started it again".to_owned();
    }
    format!("it keeps ending, the last time with exit code {}", container.exit_code)
}

/// Of a container that ended.
pub fn exit_reason(container: &Container) -> String {
    if container.out_of_memory {
        return format!("it needed more than its {} bytes of memory", container.memory_limit);
    }
    match container.exit_code {
        127 => "it ended with exit code 127: its command does not exist in the image".to_owned(),
        code if code > 128 => {
            format!("it ended with exit code {code}, by signal {}", code.saturating_sub(128))
        }
        code => format!("it ended with exit code {code}"),
    }
}

/// How long a container is known to have been well before it was looked at: without a health check, as long as it runs.
/// So services that were started together have their `stable` together.
pub fn ran_for(container: &Container, now: Timestamp) -> Duration {
    if container.health != ContainerHealth::None {
        return Duration::ZERO;
    }
    let started = container.started_at.parse::<Timestamp>();
    started.ok().and_then(|started| now.duration_since(started).try_into().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: ContainerState, health: ContainerHealth, exit_code: i64) -> Container {
        Container { state, health, exit_code, ..Container::default() }
    }

    #[test]
    fn without_a_health_check_it_was_well_since_its_start() {
        let now: Timestamp = "2026-11-21T10:00:05Z".parse().unwrap();
        let started = |at: &str, health| {
            ran_for(&Container { started_at: at.to_owned(), health, ..Container::default() }, now)
        };
        assert_eq!(started("2026-11-21T10:00:00.5Z", ContainerHealth::None), Duration::from_millis(4500));
        assert_eq!(started("2026-11-21T10:00:00Z", ContainerHealth::Healthy), Duration::ZERO);
        assert_eq!(started("2026-11-21T10:00:09Z", ContainerHealth::None), Duration::ZERO);
        assert_eq!(started("", ContainerHealth::None), Duration::ZERO);
    }

    #[test]
    fn judgement() {
        use ContainerHealth as H;
        use ContainerState as S;
        let bad = |why: &str| Verdict::Bad(why.to_owned());
        for (state, health, exit_code, ends, verdict) in [
            (S::Running, H::None, 0, Ends::Never, Verdict::Well),
            (S::Running, H::Healthy, 0, Ends::Never, Verdict::Well),
            (S::Running, H::Starting, 0, Ends::Never, Verdict::Waiting),
            (S::Running, H::None, 0, Ends::Always, Verdict::Waiting),
            (S::Exited, H::None, 0, Ends::Always, Verdict::Ended),
            (S::Exited, H::None, 0, Ends::Maybe, Verdict::Ended),
            (S::Running, H::Unhealthy, 0, Ends::Never, bad("its health check failed")),
            (S::Exited, H::None, 0, Ends::Never, bad("it ended with exit code 0")),
            (S::Exited, H::None, 137, Ends::Maybe, bad("it ended with exit code 137, by signal 9")),
            (S::Restarting, H::None, 1, Ends::Never, bad("it keeps ending, the last time with exit code 1")),
        ] {
            let judged = judge(&container(state, health, exit_code), First::default(), ends);
            assert_eq!(judged, verdict, "{state:?} {health:?} {exit_code}");
        }
        let looping = Container { restarts: 3, state: S::Running, ..Container::default() };
        let first = |restarts| First { restarts, out_of_memory: false };
        assert!(matches!(judge(&looping, first(2), Ends::Never), Verdict::Bad(_)));
        assert_eq!(judge(&looping, first(3), Ends::Never), Verdict::Well);
    }

    #[test]
    fn want_of_memory_is_bad_even_where_the_container_survives() {
        let short = |state, exit_code| Container {
            out_of_memory: true,
            memory_limit: 1000,
            ..container(state, ContainerHealth::None, exit_code)
        };
        let running = short(ContainerState::Running, 0);
        let Verdict::Bad(why) = judge(&running, First::default(), Ends::Never) else { panic!() };
        assert_eq!(why, "a process of it was killed because it needed more than its 1000 bytes of memory");
        // One that was woken may have its past.
        assert_eq!(judge(&running, First::of(&running), Ends::Never), Verdict::Well);
        let ended = short(ContainerState::Exited, 137);
        let Verdict::Bad(why) = judge(&ended, First::of(&ended), Ends::Never) else { panic!() };
        assert_eq!(why, "it needed more than its 1000 bytes of memory");
    }
}
