//! What the release that serves should have running, for those who see whether it does.
//!
//! Owns that look at the release's files, and asking its containers. Must not judge.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tidegate_compose::{
    Compatibility, Project,
    x_tidegate::{Backup, Extension},
};

use super::{
    DeployInput, Engine, EngineError, Failure, Interrupt, ReleaseRow, gate,
    load::{self, LoadedProject},
    plan::{Ends, PlannedProbe},
    planner::{Wanted, probes, services},
    probing,
    redact::Redactor,
};
use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    docker::Container,
};

/// The release that serves, as its files have it.
#[derive(Debug)]
pub struct Serving {
    /// Its app.
    pub app: AppName,
    /// Which.
    pub release: ReleaseNumber,
    /// Since when.
    pub since: Timestamp,
    /// Its services, by name.
    pub services: Vec<ServingService>,
    project: Project,
    redactor: Redactor,
}

/// A service of it.
#[derive(Debug)]
pub struct ServingService {
    /// Its name.
    pub name: ServiceName,
    /// How many containers it has.
    pub replicas: usize,
    /// Whether they are meant to end.
    pub ends: Ends,
    /// What they are asked.
    pub probes: Vec<PlannedProbe>,
    /// How its data is backed up.
    pub backup: Option<Backup>,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wellness {
    /// Well.
    Well,
    /// It ended as it was meant to.
    Ended,
    /// Not well yet: why.
    NotYet(String),
    /// Not well: why.
    Unwell(String),
}

impl Engine {
    /// What a release that serves should have running.
    ///
    /// # Errors
    /// When its files cannot be read any more.
    pub fn serving(&self, row: &ReleaseRow) -> Result<Serving, EngineError> {
        let (input, loaded) = self.kept(row)?;
        let wanted = Wanted {
            app: &row.app,
            project: &loaded.project,
            extension: &loaded.extension,
            files: &loaded.files,
            interrupt: Interrupt::Refused,
            shared: &BTreeSet::new(),
            still: None,
        };
        let services = services_of(wanted, &loaded.extension);
        Ok(Serving {
            app: row.app.clone(),
            release: row.number,
            since: row.finished_at.unwrap_or(row.started_at),
            services,
            redactor: Redactor::new(&loaded.project, &input.variables),
            project: loaded.project,
        })
    }

    /// What a release was deployed from, as its files on this droplet have it.
    ///
    /// # Errors
    /// When they cannot be read any more.
    pub(super) fn kept(&self, row: &ReleaseRow) -> Result<(DeployInput, LoadedProject), EngineError> {
        let paths = &self.inner.paths;
        let unread = |error| {
            let what = format!("the files of {} cannot be read", row.number);
            EngineError::Refused(vec![Failure::caused_by(what, &error).hint("deploy the app again")])
        };
        let input = DeployInput::read(&paths.release(&row.app, row.number)).map_err(unread)?;
        let loaded = load::project(&input, &paths.project(&row.app), Compatibility::default());
        Ok((input, loaded.map_err(EngineError::Refused)?))
    }

    /// How one of its containers is: Docker is asked, then, where that says well, its probes.
    pub async fn wellness(
        &self,
        serving: &Serving,
        service: &ServingService,
        container: &Container,
    ) -> Wellness {
        match service.wellness(container) {
            Wellness::Well => match self.probe(serving, container, &service.probes).await {
                Ok(()) => Wellness::Well,
                Err(why) => Wellness::NotYet(why),
            },
            other => other,
        }
    }

    /// Puts all probes of a service to one of its containers.
    ///
    /// # Errors
    /// What the first one that failed was told, without secrets.
    pub async fn probe(
        &self,
        serving: &Serving,
        container: &Container,
        probes: &[PlannedProbe],
    ) -> Result<(), String> {
        let asker = probing::Asker {
            app: &serving.app,
            project: &serving.project,
            docker: &self.inner.docker,
            dial: self.inner.dial.as_ref(),
            redactor: &serving.redactor,
        };
        probing::all(asker, container, probes).await
    }
}

impl ServingService {
    /// How one of its containers is, as far as Docker tells.
    pub fn wellness(&self, container: &Container) -> Wellness {
        match gate::judge(container, gate::First::of(container), self.ends) {
            gate::Verdict::Well => Wellness::Well,
            gate::Verdict::Ended => Wellness::Ended,
            gate::Verdict::Bad(why) => Wellness::Unwell(why),
            gate::Verdict::Waiting => {
                let words = format!("it is {} {}", container.state.word(), container.health.word());
                Wellness::NotYet(words.trim_end().to_owned())
            }
        }
    }
}

impl Serving {
    /// A text without the secrets of the app.
    pub fn redact(&self, text: &str) -> String {
        self.redactor.redact(text)
    }
}

fn services_of(wanted: Wanted<'_>, extension: &Extension) -> Vec<ServingService> {
    let services = wanted.project.services.iter();
    let service = |(name, service): (&String, &tidegate_compose::Service)| {
        let own = extension.services.get(name);
        ServingService {
            name: ServiceName::new(name),
            replicas: usize::try_from(service.replicas()).unwrap_or(0),
            ends: services::ends(wanted, service),
            probes: own.map(probes::plan).unwrap_or_default(),
            backup: own.and_then(|own| own.backup.clone()),
        }
    };
    services.map(service).collect()
}
