//! What the engine remembers of the last minutes: it keeps some hundred events.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt as _;
use jiff::Timestamp;

use super::{Docker, DockerError};

/// The engine sends what it has at once. Where its clock is behind ours it would wait for ours.
const PATIENCE: Duration = Duration::from_secs(2);
/// It keeps fewer.
const MOST: usize = 1024;

impl Docker {
    /// Ids of the containers in which the kernel ended a process for want of memory, between these times. What is long ago,
    /// or had much after it, may be forgotten.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn out_of_memory(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeSet<String>, DockerError> {
        let doing = "look at the engine's events";
        let filters = HashMap::from([("type", vec!["container"]), ("event", vec!["oom"])]);
        let options = EventsOptionsBuilder::default()
            .since(&since.as_second().to_string())
            .until(&until.as_second().to_string())
            .filters(&filters)
            .build();
        let mut events = self.api().await?.events(Some(options)).take(MOST);
        let mut found = BTreeSet::new();
        while let Ok(Some(event)) = tokio::time::timeout(PATIENCE, events.next()).await {
            let event = event.map_err(|error| DockerError::new(doing, error))?;
            found.extend(event.actor.and_then(|actor| actor.id));
        }
        Ok(found)
    }
}
