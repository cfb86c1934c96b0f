//! What is told of an app after a start of the droplet. Values only.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    release::{Brought, How},
};

/// What became of an app after a start of the droplet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppBack {
    /// Its name.
    pub app: AppName,
    /// The release that served.
    pub release: ReleaseNumber,
    /// Until when it was looked at; none: it still is.
    pub settled: Option<Timestamp>,
    /// Why not all that was due could be done or seen; empty: it could.
    pub trouble: String,
    /// Whether somebody had stopped the app as a whole: none of its containers was brought back.
    #[serde(default)]
    pub by_hand: bool,
    /// Its containers, by service and name.
    pub containers: Vec<ContainerBack>,
}

/// What became of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerBack {
    /// Its service.
    pub service: ServiceName,
    /// Its name.
    pub name: String,
    /// Its id; empty while there is none.
    pub id: String,
    /// Who brought it back.
    pub by: By,
    /// How it stands.
    pub stands: Stands,
    /// Why it stands so; empty where it is back.
    pub why: String,
    /// When it was started last.
    pub running_since: Option<Timestamp>,
    /// Since when it was seen to be well.
    pub well_since: Option<Timestamp>,
}

/// Who brought a container back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Docker, or it ran all the time.
    Docker,
    /// The agent started it.
    Started,
    /// It had vanished, and the agent made it again.
    MadeAgain,
}

/// How a container stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// It is not well yet.
    Coming,
    /// It is back: it was well.
    Back,
    /// It had done what it was for.
    Ended,
    /// Somebody had stopped it before.
    Stopped,
    /// It is not.
    NotBack,
}

/// How an app stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppStands {
    /// All of it is back, but for what somebody had stopped.
    Back,
    /// Not all of it yet, and it is looked at.
    Coming,
    /// Something of it is not back, and nobody waits for it any more.
    NotBack,
    /// Somebody had stopped it as a whole.
    Stopped,
}

impl AppBack {
    /// Of an app that is looked at from now on.
    pub fn begun(app: AppName, release: ReleaseNumber) -> Self {
        Self { app, release, settled: None, trouble: String::new(), by_hand: false, containers: Vec::new() }
    }

    /// How it stands.
    pub fn stands(&self) -> AppStands {
        let has = |stands| self.containers.iter().any(|container| container.stands == stands);
        let is_stopped = |container: &ContainerBack| container.stands == Stands::Stopped;
        if has(Stands::NotBack) || has(Stands::Coming) || !self.trouble.is_empty() {
            return if self.settled.is_some() { AppStands::NotBack } else { AppStands::Coming };
        }
        if self.settled.is_none() {
            AppStands::Coming
        } else if self.by_hand || (!self.containers.is_empty() && self.containers.iter().all(is_stopped)) {
            AppStands::Stopped
        } else {
            AppStands::Back
        }
    }

    /// Since when all of it is back; none while it is not.
    pub fn back_since(&self) -> Option<Timestamp> {
        let last = self.containers.iter().filter_map(|container| container.well_since).max();
        last.filter(|_| self.stands() == AppStands::Back)
    }

    /// Takes what was done for containers into account.
    pub fn note(&mut self, brought: &[Brought]) {
        for Brought { service, container, how, failure } in brought {
            let by = match how {
                How::Started => By::Started,
                How::MadeAgain => By::MadeAgain,
            };
            let (stands, why) = match failure {
                None => (Stands::Coming, String::new()),
                Some(failure) => (Stands::NotBack, failure.cause.clone()),
            };
            self.containers.retain(|there| there.name != *container);
            self.containers.push(ContainerBack {
                service: service.clone(),
                name: container.clone(),
                id: String::new(),
                by,
                stands,
                why,
                running_since: None,
                well_since: None,
            });
        }
        self.sort();
    }

    /// In the order in which they are told.
    pub fn sort(&mut self) {
        self.containers.sort_by(|one, other| (&one.service, &one.name).cmp(&(&other.service, &other.name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(stands: Stands, well: Option<i64>) -> ContainerBack {
        ContainerBack {
            service: ServiceName::new("web"),
            name: "shop-web-1".to_owned(),
            id: "c1".to_owned(),
            by: By::Docker,
            stands,
            why: String::new(),
            running_since: None,
            well_since: well.map(|second| Timestamp::from_second(second).unwrap()),
        }
    }

    #[test]
    fn an_app_is_back_when_all_of_it_is_that_nobody_stopped() {
        use Stands::{Back, Coming, Ended, NotBack, Stopped};
        let stands = |all: &[Stands], settled: bool, trouble: &str| {
            let back = AppBack {
                settled: settled.then_some(Timestamp::UNIX_EPOCH),
                trouble: trouble.to_owned(),
                containers: all.iter().map(|stands| container(*stands, Some(7))).collect(),
                ..AppBack::begun(AppName::new("shop").unwrap(), ReleaseNumber::new(1))
            };
            (back.stands(), back.back_since().map(Timestamp::as_second))
        };
        assert_eq!(stands(&[Back, Ended, Stopped], true, ""), (AppStands::Back, Some(7)));
        assert_eq!(stands(&[Back, Coming], false, ""), (AppStands::Coming, None));
        assert_eq!(stands(&[Back, Coming], true, ""), (AppStands::NotBack, None));
        assert_eq!(stands(&[Back, NotBack], true, ""), (AppStands::NotBack, None));
        assert_eq!(stands(&[Back, NotBack], false, ""), (AppStands::Coming, None));
        assert_eq!(stands(&[Stopped, Stopped], true, ""), (AppStands::Stopped, None));
        assert_eq!(stands(&[], true, ""), (AppStands::Back, None));
        assert_eq!(stands(&[Back], true, "Docker does not answer"), (AppStands::NotBack, None));
    }
}
