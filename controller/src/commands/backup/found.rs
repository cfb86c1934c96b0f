//! What droplets are asked about backups, and the answers of several, of which not each has what is asked for: a service with data is often on one of them.

use std::time::Duration;

use tidegate_proto::v1::agent_client::AgentClient;
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    agents::{AgentError, Target},
    commands::reach::Reach,
};

/// How long destinations may take to be looked at; agents give them a quarter of an hour.
const PATIENCE: Duration = Duration::from_mins(17);

/// Asks one droplet what takes a look at the destinations of its backups.
///
/// # Errors
/// When the droplet cannot be reached, refuses, or is not done in time.
pub(in crate::commands) async fn ask<Q, A>(
    (reach, target): (&Reach, &Target),
    question: Q,
    call: impl AsyncFnOnce(AgentClient<Channel>, Request<Q>) -> Result<Response<A>, Status>,
) -> Result<A, AgentError> {
    let agent = reach.connect(target).await?;
    let mut request = Request::new(question);
    request.set_timeout(PATIENCE);
    let answered = call(agent.client(), request).await;
    answered.map(Response::into_inner).map_err(|status| agent.error(&status))
}

/// Answers so far. A droplet that has nothing of what was asked for is passed over as long as another has it.
#[derive(Debug)]
pub(in crate::commands) struct Found<T> {
    all: Vec<T>,
    absent: Option<AgentError>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { all: Vec::new(), absent: None }
    }
}

impl<T> Found<T> {
    /// Takes one droplet's answer.
    ///
    /// # Errors
    /// When it is another error than that the droplet does not have it.
    pub(in crate::commands) fn take(&mut self, answered: Result<T, AgentError>) -> Result<(), AgentError> {
        match answered {
            Ok(one) => self.all.push(one),
            Err(error) if error.is_not_found() => {
                self.absent.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The answers that there are by now.
    pub(in crate::commands) fn so_far(&self) -> &[T] {
        &self.all
    }

    /// All answers.
    ///
    /// # Errors
    /// When no droplet has it: what the first one said.
    pub(in crate::commands) fn all(self) -> Result<Vec<T>, AgentError> {
        match self.absent {
            Some(error) if self.all.is_empty() => Err(error),
            _ => Ok(self.all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::CallError;

    fn refused(status: &Status) -> AgentError {
        AgentError::Call(Box::new(CallError::new("web-1", status)))
    }

    #[test]
    fn who_does_not_have_it_is_passed_over_while_another_has() {
        let mut found = Found::default();
        found.take(Err(refused(&Status::not_found("no")))).unwrap();
        found.take(Ok(1)).unwrap();
        assert_eq!(found.all().unwrap(), [1]);

        let mut found = Found::<u8>::default();
        found.take(Err(refused(&Status::not_found("first")))).unwrap();
        found.take(Err(refused(&Status::not_found("second")))).unwrap();
        assert!(found.all().unwrap_err().to_string().contains("first"));

        let mut found = Found::<u8>::default();
        found.take(Err(refused(&Status::aborted("busy")))).unwrap_err();
        assert!(found.all().unwrap().is_empty());
    }
}
