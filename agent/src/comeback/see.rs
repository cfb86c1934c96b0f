//! What a look at a container says of its coming back. Pure.

use jiff::Timestamp;

use super::{AppBack, By, ContainerBack, Stands};
use crate::{
    docker::{Container, ContainerHealth, ContainerState},
    release::{ServingService, Wellness},
};

/// Which containers are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All that are not back yet.
    All,
    /// Those that were brought back now: of the others it is known how they came back.
    Brought,
}

/// A container, looked at.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) service: &'a ServingService,
    pub(super) container: &'a Container,
    pub(super) wellness: &'a Wellness,
}

impl AppBack {
    /// Whether a container is still looked at.
    pub(super) fn is_due(&self, container: &Container, which: Which) -> bool {
        let known = self.containers.iter().find(|known| known.name == container.name);
        known.map_or(which == Which::All, |known| known.stands == Stands::Coming)
    }

    /// Takes a look into account.
    pub(super) fn see(&mut self, seen: &Seen<'_>, (booted, now): (Timestamp, Timestamp)) {
        let Seen { service, container, wellness } = seen;
        let by =
            self.containers.iter().find(|known| known.name == container.name).map_or(By::Docker, |k| k.by);
        let running_since: Option<Timestamp> = container.started_at.parse().ok();
        let (stands, why) = judge((container, by), wellness, booted);
        // Without anything to ask it is well as soon as it runs.
        let is_asked = container.health != ContainerHealth::None || !service.probes.is_empty();
        let well_since = match stands {
            Stands::Back if is_asked => Some(now),
            Stands::Back => Some(running_since.unwrap_or(now).max(booted)),
            Stands::Coming | Stands::Ended | Stands::Stopped | Stands::NotBack => None,
        };
        self.containers.retain(|known| known.name != container.name);
        self.containers.push(ContainerBack {
            service: service.name.clone(),
            name: container.name.clone(),
            id: container.id.clone(),
            by,
            stands,
            why,
            running_since: running_since.filter(|_| container.is_running()),
            well_since,
        });
    }

    /// Waits for nothing any more.
    pub(super) fn give_up(&mut self) {
        for container in self.containers.iter_mut().filter(|one| one.stands == Stands::Coming) {
            container.stands = Stands::NotBack;
        }
    }
}

fn judge((container, by): (&Container, By), wellness: &Wellness, booted: Timestamp) -> (Stands, String) {
    let why = match wellness {
        Wellness::Well => return (Stands::Back, String::new()),
        Wellness::Ended => return (Stands::Ended, String::new()),
        Wellness::NotYet(why) => return (Stands::Coming, why.clone()),
        Wellness::Unwell(why) => why,
    };
    let is_over = matches!(container.state, ContainerState::Exited | ContainerState::Dead);
    if !is_over {
        return (Stands::Coming, why.clone());
    }
    let started: Option<Timestamp> = container.started_at.parse().ok();
    let ran_before = started.is_some_and(|started| started < booted);
    // Docker starts those again that it may, unless somebody told it to stop them.
    let would_be_started = Docker::of(container) == Docker::Starts;
    if by == By::Docker && container.state == ContainerState::Exited && (ran_before || would_be_started) {
        let ended = if container.finished_at.is_empty() {
            String::new()
        } else {
            format!(" at {}", container.finished_at)
        };
        return (Stands::Stopped, format!("somebody stopped it{ended}"));
    }
    (Stands::NotBack, why.clone())
}

/// What Docker does about a container that ended.
#[derive(PartialEq, Eq)]
enum Docker {
    Starts,
    Leaves,
}

impl Docker {
    fn of(container: &Container) -> Self {
        use bollard::models::RestartPolicyNameEnum as Name;
        match container.restart.as_ref().and_then(|policy| policy.name) {
            Some(Name::ALWAYS | Name::UNLESS_STOPPED) => Self::Starts,
            Some(Name::ON_FAILURE | Name::NO | Name::EMPTY) | None => Self::Leaves,
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{RestartPolicy, RestartPolicyNameEnum};

    use super::*;
    use crate::{
        apps::{AppName, ReleaseNumber, ServiceName},
        release::plan::Ends,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn container(state: ContainerState, started: i64, policy: RestartPolicyNameEnum) -> Container {
        Container {
            name: "shop-web-1".to_owned(),
            id: "c1".to_owned(),
            state,
            started_at: at(started).to_string(),
            restart: Some(RestartPolicy { name: Some(policy), maximum_retry_count: None }),
            ..Container::default()
        }
    }

    fn seen(container: &Container, wellness: &Wellness) -> ContainerBack {
        let service = ServingService {
            name: ServiceName::new("web"),
            replicas: 1,
            ends: Ends::Never,
            probes: Vec::new(),
            backup: None,
        };
        let mut back = AppBack::begun(AppName::new("shop").unwrap(), ReleaseNumber::new(1));
        back.see(&Seen { service: &service, container, wellness }, (at(0), at(40)));
        back.containers.remove(0)
    }

    #[test]
    fn it_is_back_since_it_was_seen_to_be_well_or_runs_where_nothing_can_be_asked() {
        use RestartPolicyNameEnum::ALWAYS;
        let plain = seen(&container(ContainerState::Running, 12, ALWAYS), &Wellness::Well);
        assert_eq!(
            (plain.stands, plain.well_since, plain.running_since),
            (Stands::Back, Some(at(12)), Some(at(12)))
        );
        // One that ran on while Docker was started anew.
        let ran_on = seen(&container(ContainerState::Running, -500, ALWAYS), &Wellness::Well);
        assert_eq!(ran_on.well_since, Some(at(0)));
        let checked =
            Container { health: ContainerHealth::Healthy, ..container(ContainerState::Running, 12, ALWAYS) };
        assert_eq!(seen(&checked, &Wellness::Well).well_since, Some(at(40)));
    }

    #[test]
    fn who_stopped_a_container_is_told_apart_from_what_failed() {
        use RestartPolicyNameEnum::{ALWAYS, NO, UNLESS_STOPPED};
        let unwell = Wellness::Unwell("it ended with exit code 1".to_owned());
        let stands = |state, started, policy| seen(&container(state, started, policy), &unwell).stands;
        // It did not run since the droplet's start, and Docker did not start it.
        assert_eq!(stands(ContainerState::Exited, -500, NO), Stands::Stopped);
        assert_eq!(stands(ContainerState::Exited, 5, UNLESS_STOPPED), Stands::Stopped);
        assert_eq!(stands(ContainerState::Exited, 5, NO), Stands::NotBack);
        assert_eq!(stands(ContainerState::Restarting, 5, ALWAYS), Stands::Coming);
        assert_eq!(stands(ContainerState::Dead, -500, NO), Stands::NotBack);
        let why = seen(&container(ContainerState::Exited, 5, NO), &unwell).why;
        assert_eq!(why, "it ended with exit code 1");
    }
}
