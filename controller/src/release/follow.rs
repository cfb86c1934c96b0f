//! Follows a release on one agent: numbered events in, lines for people out. A stream that breaks is taken up again where
//! it broke; the release itself runs on in the agent meanwhile.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tidegate_proto::v1::{
    DeployRequest, Failure as Told, Interruption, ReleaseEvent, ReleaseFinished, ReleaseInDoubt,
    ReleaseState, RollbackRequest, WatchReleaseRequest, release_event::Event,
};
use tonic::{Code, Status, Streaming};

use super::times::duration;
use crate::{
    agents::{Agent, AgentError, Caller, Target},
    clock::human,
    output::{Printer, Step},
};

/// How often a broken stream is taken up again, and how long between: a restart of the agent takes seconds.
const ATTEMPTS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(2);

/// How a release ended on one droplet.
#[derive(Debug, Clone, Serialize)]
pub struct Ended {
    /// The droplet.
    pub droplet: String,
    /// Its number there.
    pub release: u64,
    /// `released`, `undone`, `stuck`; `in doubt` when it serves and cannot know yet whether it stays.
    pub state: &'static str,
    /// How long it took, in seconds.
    pub took_seconds: f64,
    /// Measured interruptions by service.
    pub interrupted: Vec<Interrupted>,
    /// Why it did not happen.
    pub failure: Option<FailureView>,
}

/// A service that did not serve for a time.
#[derive(Debug, Clone, Serialize)]
pub struct Interrupted {
    /// The service.
    pub service: String,
    /// For how long, in seconds.
    pub seconds: f64,
    /// Requests that were closed.
    pub closed_requests: u64,
}

impl From<&Interruption> for Interrupted {
    fn from(told: &Interruption) -> Self {
        Self {
            service: told.service.clone(),
            seconds: duration(told.interrupted.as_ref()).as_secs_f64(),
            closed_requests: told.closed_requests,
        }
    }
}

impl Interrupted {
    /// `web 0 requests`, `worker 6.2 s`, `worker 6.2 s and 3 requests`
    pub fn describe(&self) -> String {
        let time = Duration::try_from_secs_f64(self.seconds).unwrap_or_default();
        let requests = match self.closed_requests {
            1 => "1 request".to_owned(),
            many => format!("{many} requests"),
        };
        match (time.is_zero(), self.closed_requests) {
            (true, _) => format!("{} {requests}", self.service),
            (false, 0) => format!("{} {}", self.service, human(time)),
            (false, _) => format!("{} {} and {requests}", self.service, human(time)),
        }
    }
}

/// A release's state as people read it.
pub fn state_name(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Unspecified => "unknown",
        ReleaseState::Running => "running",
        ReleaseState::Released => "released",
        ReleaseState::Undone => "undone",
        ReleaseState::Stuck => "stuck",
        ReleaseState::Superseded => "superseded",
        ReleaseState::Removed => "removed",
    }
}

/// A failure as the agent told it.
#[derive(Debug, Clone, Serialize)]
pub struct FailureView {
    /// What failed.
    pub what: String,
    /// Where.
    pub place: String,
    /// Why.
    pub cause: String,
    /// What to do.
    pub hint: String,
    /// Last lines.
    pub details: Vec<String>,
}

impl FailureView {
    /// Where, what and why in one line.
    pub fn in_one_line(&self) -> String {
        let parts = [&self.place, &self.what, &self.cause].into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

impl From<Told> for FailureView {
    fn from(told: Told) -> Self {
        Self { what: told.what, place: told.place, cause: told.cause, hint: told.hint, details: told.details }
    }
}

/// The state of a release that serves and cannot know yet whether it stays.
pub const IN_DOUBT: &str = "in doubt";

/// What to follow.
#[derive(Debug)]
pub enum Begin {
    /// A new release.
    Deploy(Box<DeployRequest>),
    /// An earlier release again.
    Rollback(RollbackRequest),
    /// The latest one, running or ended.
    Attach,
}

/// Follows to the end. Who began a release does not wait for the end of a doubt; who attaches does.
///
/// # Errors
/// When the agent refuses, or stays away longer than the release may wait for a listener.
pub async fn follow(
    caller: &Caller,
    target: &Target,
    app: &str,
    begin: Begin,
    printer: &Printer,
) -> Result<Ended, FollowError> {
    let doubt = if matches!(begin, Begin::Attach) { OnDoubt::Follow } else { OnDoubt::End };
    let mut view = View::new(target.short.clone(), printer.clone(), doubt);
    let way = Way { caller, target, app, begin };
    let followed = to_end(&way, &mut view).await;
    followed.map_err(|error| match view.release {
        0 => FollowError::NotBegun(error),
        _ => FollowError::Away(error),
    })
}

/// Why a release could not be followed to its end.
#[derive(Debug)]
pub enum FollowError {
    /// It is not known to have begun.
    NotBegun(AgentError),
    /// It began, and its agent cannot be reached any more.
    Away(AgentError),
}

impl From<FollowError> for AgentError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::NotBegun(error) | FollowError::Away(error) => error,
        }
    }
}

async fn to_end(way: &Way<'_>, view: &mut View) -> Result<Ended, AgentError> {
    let Way { caller, target, .. } = way;
    let mut agent = caller.connect(&target.short, target.droplet, target.address).await?;
    let mut attempts = 0;
    let mut stream = match way.stream(&agent, view).await {
        Ok(stream) => stream,
        // It may have begun all the same.
        Err(status) if is_loss(&status) => {
            let found = way.again(view, &mut attempts).await?;
            agent = found.0;
            found.1
        }
        Err(status) => return Err(agent.error(&status)),
    };
    loop {
        match stream.message().await {
            Ok(Some(event)) => {
                attempts = 0;
                if let Some(ended) = view.show(event) {
                    return Ok(ended);
                }
            }
            // Both mean that the way to the agent broke, not the release.
            Ok(None) => (agent, stream) = way.again(view, &mut attempts).await?,
            Err(status) if is_loss(&status) => {
                (agent, stream) = way.again(view, &mut attempts).await?;
            }
            Err(status) => return Err(agent.error(&status)),
        }
    }
}

/// How the events of one release are come by.
struct Way<'a> {
    caller: &'a Caller,
    target: &'a Target,
    app: &'a str,
    begin: Begin,
}

impl Way<'_> {
    /// Events after the last one seen. While no number is known, the same request is made again: its idempotency key leads
    /// to the release that it had begun, or begins it now.
    async fn stream(&self, agent: &Agent, view: &View) -> Result<Streaming<ReleaseEvent>, Status> {
        match &self.begin {
            Begin::Deploy(request) if view.release == 0 => agent.client().deploy((**request).clone()).await,
            Begin::Rollback(request) if view.release == 0 => agent.client().rollback(request.clone()).await,
            Begin::Deploy(_) | Begin::Rollback(_) | Begin::Attach => {
                let request =
                    WatchReleaseRequest { app: self.app.to_owned(), release: view.release, after: view.last };
                agent.client().watch_release(request).await
            }
        }
        .map(tonic::Response::into_inner)
    }

    /// The same after the way to the agent broke.
    async fn again(
        &self,
        view: &View,
        attempts: &mut u32,
    ) -> Result<(Agent, Streaming<ReleaseEvent>), AgentError> {
        loop {
            *attempts += 1;
            tokio::time::sleep(PAUSE).await;
            view.waiting();
            let tried = async {
                let Self { caller, target, .. } = self;
                let agent = caller.connect(&target.short, target.droplet, target.address).await?;
                let stream = self.stream(&agent, view).await.map_err(|status| agent.error(&status))?;
                Ok((agent, stream))
            };
            match tried.await {
                Ok(found) => return Ok(found),
                Err(error) if *attempts >= ATTEMPTS => return Err(error),
                Err(_) => {}
            }
        }
    }
}

fn is_loss(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal)
}

/// What is shown of one release.
struct View {
    droplet: String,
    printer: Printer,
    release: u64,
    last: u64,
    step: Option<(String, Step)>,
    doubt: OnDoubt,
    begun: Option<SystemTime>,
}

/// What a release in doubt means to who follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDoubt {
    /// The end: it may last.
    End,
    /// It is followed until it is over.
    Follow,
}

impl View {
    fn new(droplet: String, printer: Printer, doubt: OnDoubt) -> Self {
        Self { droplet, printer, release: 0, last: 0, step: None, doubt, begun: None }
    }

    fn waiting(&self) {
        if let Some((_, step)) = &self.step {
            step.now("the agent is away; the release goes on there");
        }
    }

    /// Shows an event; the ending when it was the last.
    fn show(&mut self, event: ReleaseEvent) -> Option<Ended> {
        self.last = event.number;
        let at = event.at.and_then(|at| SystemTime::try_from(at).ok());
        self.begun = self.begun.or(at);
        match event.event? {
            Event::Started(started) => self.release = started.release,
            Event::StepStarted(started) => {
                let step = self.printer.step(started.step.clone());
                self.step = Some((started.step, step));
            }
            Event::StepFinished(finished) => match self.take(&finished.step) {
                Some(step) => step.done(&finished.summary),
                None => self.printer.done(
                    format!("{} {}", finished.step, finished.summary).trim_end(),
                    duration(finished.took.as_ref()),
                ),
            },
            Event::StepFailed(failed) => {
                let step = self.take(&failed.step).unwrap_or_else(|| self.printer.step(failed.step.clone()));
                step.failed(&failed.failure.map(|failure| failure.what).unwrap_or_default());
            }
            Event::StepUndone(undone) => {
                self.printer.done(format!("{} undone", undone.step), duration(undone.took.as_ref()));
            }
            Event::Progress(progress) => {
                if let Some((_, step)) = &self.step {
                    step.now(&progress.text);
                }
            }
            Event::Output(output) => match &self.step {
                Some((_, step)) => step.say(&format!("      {}", output.line)),
                None => self.printer.note(format!("      {}", output.line)),
            },
            Event::InDoubt(doubt) => return self.in_doubt(doubt, at),
            Event::Finished(finished) => return Some(self.ended(finished)),
        }
        None
    }

    fn in_doubt(&self, told: ReleaseInDoubt, at: Option<SystemTime>) -> Option<Ended> {
        let failure = told.failure.map(FailureView::from);
        if self.doubt == OnDoubt::Follow {
            if let Some(failure) = &failure {
                self.printer.note(format!("{}: {}\n  hint: {}", failure.what, failure.cause, failure.hint));
            }
            return None;
        }
        let took = at.zip(self.begun).and_then(|(at, begun)| at.duration_since(begun).ok());
        Some(Ended {
            droplet: self.droplet.clone(),
            release: told.release,
            state: IN_DOUBT,
            took_seconds: took.unwrap_or_default().as_secs_f64(),
            interrupted: Vec::new(),
            failure,
        })
    }

    fn take(&mut self, name: &str) -> Option<Step> {
        self.step.take_if(|(step, _)| step == name).map(|(_, step)| step)
    }

    fn ended(&self, finished: ReleaseFinished) -> Ended {
        let state = finished.state();
        Ended {
            droplet: self.droplet.clone(),
            release: finished.release,
            state: state_name(state),
            took_seconds: duration(finished.took.as_ref()).as_secs_f64(),
            interrupted: finished.interruptions.iter().map(Interrupted::from).collect(),
            failure: finished.failure.map(FailureView::from),
        }
    }
}

impl Ended {
    /// `Released r42 on web-1 in 1 min 24 s. Interrupted: worker 6.2 s.`
    pub fn describe(&self) -> String {
        let took = human(Duration::try_from_secs_f64(self.took_seconds).unwrap_or_default());
        let by_service: Vec<String> = self.interrupted.iter().map(Interrupted::describe).collect();
        let interrupted = if by_service.is_empty() { "nothing".to_owned() } else { by_service.join(", ") };
        format!("Released r{} on {} in {took}. Interrupted: {interrupted}.", self.release, self.droplet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_time_and_interruption() {
        let interrupted = vec![Interrupted { service: "worker".into(), seconds: 6.25, closed_requests: 0 }];
        let mut ended = Ended {
            droplet: "web-1".into(),
            release: 42,
            state: "released",
            took_seconds: 84.0,
            interrupted,
            failure: None,
        };
        assert_eq!(ended.describe(), "Released r42 on web-1 in 1 min 24 s. Interrupted: worker 6.2 s.");
        let web = |closed_requests| Interrupted { service: "web".into(), seconds: 0.0, closed_requests };
        assert_eq!(web(0).describe(), "web 0 requests");
        assert_eq!(web(1).describe(), "web 1 request");
        let both = Interrupted { service: "worker".into(), seconds: 6.25, closed_requests: 3 };
        assert_eq!(both.describe(), "worker 6.2 s and 3 requests");
        ended.interrupted.clear();
        assert_eq!(ended.describe(), "Released r42 on web-1 in 1 min 24 s. Interrupted: nothing.");
    }

    #[test]
    fn a_broken_way_is_no_failed_release() {
        assert!(is_loss(&Status::unavailable("gone")));
        assert!(!is_loss(&Status::failed_precondition("no")));
    }
}
