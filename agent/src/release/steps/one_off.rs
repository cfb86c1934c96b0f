//! A command that a release runs once: one container, as `docker compose run` would make it, to its end. It has no undo but
//! the removal of its container; one whose end is unknown is run again.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use tidegate_compose::{labels::Instance, model::Command, names};
use tidegate_saga::Cancel;
use tokio::sync::mpsc;

use crate::{
    docker::{
        AnonymousVolumes, ContainerState, DockerError, LastLines, archive,
        body::{self, ContainerSpec, HostPorts, RestartNow, ServiceAlias},
    },
    release::{
        EventKind, Failure,
        context::{Context, docker_failure},
        gate,
        plan::PlannedCommand,
        probing,
    },
};

/// How many of its last lines a failure shows, and how many are kept as events.
const LAST_LINES: usize = 40;
const MAX_LINES: usize = 2000;

/// A command and what it is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneOff<'a> {
    /// "the migration", "job before 1"
    pub(super) what: &'a str,
    /// Where it is written: `x-tidegate.migrate`.
    pub(super) place: &'a str,
    /// Its own within the release: a later process finds its container by it.
    pub(super) key: &'a str,
    /// What to do about its failure.
    pub(super) hint: &'a str,
    /// The command.
    pub(super) command: &'a PlannedCommand,
}

impl OneOff<'_> {
    /// Runs it to its end; its last line.
    ///
    /// # Errors
    /// When it cannot be run, takes too long, is cancelled, or ends with another exit code than 0; with its last lines.
    pub(super) async fn run(
        &self,
        context: &Context,
        (step, cancel): (&str, &Cancel),
    ) -> Result<String, Failure> {
        let name = self.name(context);
        // An earlier try is not looked into: it may have been cut off in the middle, and the command can be repeated.
        self.remove(context).await?;
        self.create(context, &name).await?;
        context.docker.start(&name).await.map_err(|error| self.docker(&error))?;
        let lines = Arc::new(Mutex::new(LastLines::at_most(LAST_LINES)));
        let ended = tokio::select! {
            ended = tokio::time::timeout(self.command.timeout, follow(context, step, &name, &lines)) => ended,
            why = cancel.cancelled() => {
                self.remove(context).await?;
                return Err(Failure::new(format!("{} was cancelled", self.what), why));
            }
        };
        let last = lines.lock().unwrap_or_else(PoisonError::into_inner).all();
        let Ok(followed) = ended else {
            self.remove(context).await?;
            let seconds = probing::seconds(self.command.timeout);
            return Err(self.failure(format!("it did not end within {seconds} s and was stopped"), last));
        };
        followed.map_err(|error| self.docker(&error))?;
        let Some(why) = self.end(context, &name).await? else {
            return Ok(last.last().cloned().unwrap_or_default());
        };
        self.remove(context).await?;
        Err(self.failure(why, last))
    }

    /// Takes its container away. What it did stays.
    ///
    /// # Errors
    /// When Docker refuses.
    pub(super) async fn remove(&self, context: &Context) -> Result<(), Failure> {
        let removed = context.docker.remove(&self.name(context), AnonymousVolumes::Remove).await;
        removed.map_err(|error| self.docker(&error))
    }

    fn docker(&self, error: &DockerError) -> Failure {
        docker_failure(format!("the container of {}", self.what), error)
    }

    fn failure(&self, why: String, last: Vec<String>) -> Failure {
        Failure::new(format!("{} in service {} failed", self.what, self.command.service), why)
            .at(self.place)
            .hint(self.hint)
            .details(last)
    }

    async fn create(&self, context: &Context, name: &str) -> Result<(), Failure> {
        let failed = |error| self.docker(&error);
        let mut service = context.service(self.command.service.as_str()).await?;
        service.command = Command(Some(self.command.command.clone()));
        // A health check would only be in the way of a task.
        service.healthcheck = None;
        service.container_name.clear();
        let image = context.docker.image(&service.image).await.map_err(failed)?;
        let (label, slug) = (context.id.label(), self.slug(context));
        let spec = ContainerSpec {
            project: &context.project,
            service: &service,
            instance: Instance::OneOff(&slug),
            name,
            image_id: image.as_ref().map(|image| image.id.as_str()),
            release: &label,
            alias: ServiceAlias::Withheld,
            restart: RestartNow::HeldBack,
            ports: HostPorts::None,
            api: context.docker.api_version().await.map_err(failed)?,
            inherited: &[],
            links: &context.links(&service, 1),
            profiles: &context.profiles,
        };
        context.docker.create(name, &service.platform, body::container(&spec)).await.map_err(failed)?;
        for endpoint in body::endpoints(&spec).into_iter().skip(1) {
            context.docker.attach(&endpoint.network, name, endpoint.settings).await.map_err(failed)?;
        }
        let files = archive::files(&context.project, &service)
            .map_err(|error| Failure::caused_by(format!("secrets and configs of {}", self.what), &error))?;
        match files {
            Some(archive) => context.docker.put_archive(name, archive).await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Why it failed, if it did. Its log has ended; the engine may need a moment more to note its exit.
    async fn end(&self, context: &Context, name: &str) -> Result<Option<String>, Failure> {
        for _ in 0..100 {
            let found = context.docker.container(name).await.map_err(|error| self.docker(&error))?;
            let Some(container) = found else {
                let what = format!("the container of {} is gone", self.what);
                return Err(Failure::new(what, "somebody removed it while it ran"));
            };
            if container.state == ContainerState::Exited || container.state == ContainerState::Dead {
                let is_well = container.exit_code == 0;
                return Ok((!is_well).then(|| gate::exit_reason(&container)));
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let what = format!("the end of {} is not known", self.what);
        Err(Failure::new(what, "its output ended, but its container still runs"))
    }

    fn name(&self, context: &Context) -> String {
        names::one_off_name(context.id.app.as_str(), self.command.service.as_str(), &self.slug(context))
    }

    /// Not random, so that a later process finds the container.
    fn slug(&self, context: &Context) -> String {
        hex::encode(Sha256::digest(format!("{} of {}", self.key, context.id.label())))
    }
}

/// Reads its output to the end, keeping the last lines and sending all of them, up to a bound, as events.
async fn follow(
    context: &Context,
    step: &str,
    name: &str,
    lines: &Mutex<LastLines>,
) -> Result<(), DockerError> {
    let (sender, mut receiver) = mpsc::channel::<String>(256);
    let reading = context.docker.follow(name, move |line| {
        // A reader that cannot keep up loses lines of the stream; the last ones are read again for a failure.
        drop(sender.try_send(line));
    });
    let telling = async {
        let mut told = 0_usize;
        while let Some(line) = receiver.recv().await {
            let line = context.redactor.redact(&line);
            lines.lock().unwrap_or_else(PoisonError::into_inner).keep(line.clone());
            told = told.saturating_add(1);
            if told <= MAX_LINES {
                context.emit(EventKind::Output { step: step.to_owned(), line }).await;
            }
        }
    };
    let (read, ()) = tokio::join!(reading, telling);
    read
}
