//! Logs that go on: of the containers that are there, and of those that start later.
//!
//! Owns noticing new ones, by Docker's events. Must not know how one log is read.

use std::collections::HashMap;

use bollard::{models::EventMessage, query_parameters::EventsOptionsBuilder};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use jiff::{SignedDuration, Timestamp};
use tidegate_compose::labels;
use tokio::sync::mpsc;
use tokio_stream::{StreamMap, wrappers::ReceiverStream};

use super::{
    Lines, LogLine, LogQuery, Logs, LogsError,
    source::{self, Source},
};

/// Lines on their way to a caller; small, so that a slow caller slows the reading down.
const WAITING: usize = 16;

/// Starts following.
pub(super) async fn lines(logs: Logs, query: LogQuery) -> Result<Lines, LogsError> {
    // From before the list, so that no start falls between the two.
    let starts = starts(&logs, &query);
    let (sender, received) = mpsc::channel(WAITING);
    let mut following = Following {
        logs,
        query: query.clone(),
        starts,
        open: StreamMap::new(),
        known: HashMap::new(),
        sender,
    };
    for found in source::containers(&following.logs.docker, &query).await? {
        following.open(found, &query).await?;
    }
    // Ends when the caller drops the lines.
    tokio::spawn(following.run());
    Ok(ReceiverStream::new(received).boxed())
}

type Starts = BoxStream<'static, Result<EventMessage, bollard::errors::Error>>;

fn starts(logs: &Logs, query: &LogQuery) -> Starts {
    let filters = HashMap::from([
        ("type".to_owned(), vec!["container".to_owned()]),
        ("event".to_owned(), vec!["start".to_owned()]),
        ("label".to_owned(), vec![format!("{}={}", labels::PROJECT, query.app)]),
    ]);
    let now = logs.clock.now();
    let since = format!("{}.{:09}", now.as_second(), now.subsec_nanosecond());
    logs.docker.events(Some(EventsOptionsBuilder::default().since(&since).filters(&filters).build())).boxed()
}

/// A container that is or was followed.
struct Known {
    source: Source,
    /// Lines up to this time were passed on, or were not asked for.
    read_to: Timestamp,
    /// It started again while its former log was still being read.
    started_again: StartedAgain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartedAgain {
    No,
    Yes,
}

/// What comes out of one log; `None` is its end.
type Item = Option<Result<LogLine, LogsError>>;

struct Following {
    logs: Logs,
    query: LogQuery,
    starts: Starts,
    open: StreamMap<String, BoxStream<'static, Item>>,
    known: HashMap<String, Known>,
    sender: mpsc::Sender<Result<LogLine, LogsError>>,
}

impl Following {
    async fn run(mut self) {
        loop {
            let outcome = tokio::select! {
                () = self.sender.closed() => return,
                Some((id, item)) = self.open.next(), if !self.open.is_empty() => self.pass_on(&id, item).await,
                start = self.starts.next() => match start {
                    Some(Ok(event)) => self.take_up(event).await,
                    Some(Err(source)) => Err(LogsError::Docker { app: self.query.app.clone(), source }),
                    // Docker went down; the logs that were open have ended with it.
                    None => return,
                }
            };
            if let Err(error) = outcome {
                self.sender.send(Err(error)).await.ok();
                return;
            }
        }
    }

    async fn pass_on(&mut self, id: &str, item: Item) -> Result<(), LogsError> {
        let Some(line) = item else {
            return self.ended(id).await;
        };
        let line = line?;
        if let Some(known) = self.known.get_mut(id) {
            known.read_to = line.at;
        }
        // A caller that is gone is noticed by the loop.
        self.sender.send(Ok(line)).await.ok();
        Ok(())
    }

    async fn ended(&mut self, id: &str) -> Result<(), LogsError> {
        self.open.remove(id);
        match self.known.get(id) {
            Some(known) if known.started_again == StartedAgain::Yes => {
                let source = known.source.clone();
                self.open_again(source).await
            }
            _ => Ok(()),
        }
    }

    async fn take_up(&mut self, event: EventMessage) -> Result<(), LogsError> {
        let Some(found) = started(event) else {
            return Ok(());
        };
        if !self.query.services.is_empty() && !self.query.services.contains(&found.service) {
            return Ok(());
        }
        if self.open.contains_key(&found.id) {
            // Its former log has not ended yet, or this start was before the list was made.
            if let Some(known) = self.known.get_mut(&found.id) {
                known.started_again = StartedAgain::Yes;
            }
            return Ok(());
        }
        self.open_again(found).await
    }

    /// All that was not read yet: what was asked of the past does not concern a new container.
    async fn open_again(&mut self, found: Source) -> Result<(), LogsError> {
        let read_to = self.known.get(&found.id).map(|known| known.read_to);
        let unread = read_to.and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
        let query = LogQuery { since: unread.max(self.query.since), tail: None, ..self.query.clone() };
        self.open(found, &query).await
    }

    async fn open(&mut self, found: Source, query: &LogQuery) -> Result<(), LogsError> {
        let lines = source::open(&self.logs.docker, &self.logs.streams, found.clone(), query).await?;
        let items = lines.map(Some).chain(stream::iter([None]));
        self.open.insert(found.id.clone(), items.boxed());
        let read_to = self.known.get(&found.id).map_or_else(|| self.logs.clock.now(), |known| known.read_to);
        let known = Known { source: found, read_to, started_again: StartedAgain::No };
        self.known.insert(known.source.id.clone(), known);
        Ok(())
    }
}

fn started(event: EventMessage) -> Option<Source> {
    let actor = event.actor?;
    let mut attributes = actor.attributes?;
    if attributes.get(labels::ONE_OFF).is_some_and(|one_off| one_off == "True") {
        return None;
    }
    Some(Source {
        id: actor.id?,
        name: attributes.remove("name")?,
        service: attributes.remove(labels::SERVICE)?,
    })
}
