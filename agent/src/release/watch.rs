//! The stream of a release's events: from the database, woken by the run.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::sync::watch;

use super::{Engine, EngineError, ReleaseEvent, ReleaseId, engine::Inner};
use crate::apps::{AppName, ReleaseNumber};

/// How many events are read at once.
const BATCH: u32 = 256;
/// A watcher looks at least so often, whatever it was told.
const AT_LEAST: Duration = Duration::from_secs(10);

struct Watcher {
    inner: Arc<Inner>,
    id: ReleaseId,
    after: u64,
    ready: VecDeque<ReleaseEvent>,
    changed: Option<watch::Receiver<u64>>,
}

pub(super) async fn events(
    engine: &Engine,
    app: &AppName,
    (release, after): (Option<ReleaseNumber>, u64),
) -> Result<impl Stream<Item = Result<ReleaseEvent, EngineError>> + Send + use<>, EngineError> {
    let rows = engine.releases(app).await?;
    let latest = rows.first().map(|row| row.number).ok_or_else(|| EngineError::NoApp(app.clone()))?;
    let release = release.unwrap_or(latest);
    if !rows.iter().any(|row| row.number == release) {
        return Err(EngineError::NoRelease { app: app.clone(), release });
    }
    let watcher = Watcher {
        inner: Arc::clone(&engine.inner),
        id: ReleaseId { app: app.clone(), release },
        after,
        ready: VecDeque::new(),
        changed: None,
    };
    Ok(stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(event) => event.map(|event| (Ok(event), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

impl Watcher {
    /// The next event; none when the release is over and all were seen.
    async fn next(&mut self) -> Result<Option<ReleaseEvent>, EngineError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.number;
                return Ok(Some(event));
            }
            // Subscribed before reading, so that nothing is missed in between.
            let is_live = self.subscribe();
            let read = self.inner.store.events(&self.id.app, self.id.release, (self.after, BATCH)).await;
            self.ready = read.map_err(EngineError::Database)?.into();
            if !self.ready.is_empty() {
                continue;
            }
            let Some(changed) = self.changed.as_mut().filter(|_| is_live) else {
                return Ok(None);
            };
            // Both a change and the end of the run lead to another look.
            drop(tokio::time::timeout(AT_LEAST, changed.changed()).await);
        }
    }

    /// Whether the release is under way.
    fn subscribe(&mut self) -> bool {
        let live =
            self.inner.live().get(&self.id.app).filter(|live| live.release == Some(self.id.release)).cloned();
        match (live, &mut self.changed) {
            (Some(_), Some(changed)) => drop(changed.borrow_and_update()),
            (Some(live), none) => *none = Some(live.changed.subscribe()),
            (None, _) => return false,
        }
        true
    }
}
