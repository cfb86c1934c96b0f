//! A container's own health check, asked before Docker asks it: Docker waits a whole interval for its first answer, and for
//! each one after it. Owns when to ask. What Docker finds out itself goes before.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    docker::{Container, ContainerHealth, HealthCheck},
    release::{
        context::Context,
        plan::{PlannedProbe, ProbeTarget},
        probing,
    },
};

/// Docker itself asks often enough where it asks so often.
const OFTEN: Duration = Duration::from_secs(1);
/// The first asking comes so long after the first look, the next ones each twice as long after the one before.
const FIRST: Duration = Duration::from_millis(300);
/// The longest time between two.
const LONGEST: Duration = Duration::from_secs(5);
/// After one that took long, so many times as long: a small droplet has better things to do than to be asked.
const REST: u32 = 4;

/// What was asked of one container so far.
#[derive(Debug)]
pub struct Early {
    next: Instant,
    pause: Duration,
    well: bool,
}

impl Early {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { next: Instant::now() + FIRST, pause: FIRST, well: false }
    }

    /// Whether its health check says that the container is well, while Docker does not know yet.
    pub async fn is_well(&mut self, context: &Context, container: &Container) -> bool {
        let Some(check) = Self::worth_asking(container) else { return false };
        if self.well {
            return true;
        }
        let began = Instant::now();
        if began < self.next {
            return false;
        }
        let command = ProbeTarget::Command { command: check.command.clone() };
        let probe = PlannedProbe { target: command, timeout: check.timeout };
        self.well = probing::one(context, container, &probe).await.is_ok();
        self.asked(began.elapsed());
        self.well
    }

    fn worth_asking(container: &Container) -> Option<&HealthCheck> {
        let is_due = container.is_running() && container.health == ContainerHealth::Starting;
        container.health_check.as_ref().filter(|check| is_due && check.interval > OFTEN)
    }

    fn asked(&mut self, took: Duration) {
        self.pause = self.pause.saturating_mul(2).min(LONGEST);
        self.next = Instant::now() + self.pause.max(took.saturating_mul(REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::ContainerState;

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_less_and_less_often_and_less_where_it_takes_long() {
        let mut early = Early::new();
        let mut pauses = Vec::new();
        for took in [0, 0, 0, 0, 0, 0, 2] {
            early.asked(Duration::from_secs(took));
            pauses.push((early.next - Instant::now()).as_millis());
        }
        assert_eq!(pauses, [600, 1200, 2400, 4800, 5000, 5000, 8000]);
    }

    #[test]
    fn what_docker_knows_or_asks_often_is_not_asked() {
        let container = |health, seconds| Container {
            state: ContainerState::Running,
            health,
            health_check: Some(HealthCheck {
                command: vec!["app".into()],
                interval: Duration::from_secs(seconds),
                timeout: Duration::from_secs(1),
            }),
            ..Container::default()
        };
        let is_asked = |container: &Container| Early::worth_asking(container).is_some();
        assert!(is_asked(&container(ContainerHealth::Starting, 10)));
        assert!(!is_asked(&container(ContainerHealth::Starting, 1)));
        assert!(!is_asked(&container(ContainerHealth::Unhealthy, 10)));
        assert!(!is_asked(&Container {
            state: ContainerState::Exited,
            ..container(ContainerHealth::Starting, 10)
        }));
    }
}
