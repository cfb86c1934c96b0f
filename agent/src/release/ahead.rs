//! Containers that are started ahead of their own gate, while others get well.
//!
//! Owns the tasks of one run of a release, and how many work at a time. Must not know what makes a container well.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use super::Failure;
use crate::apps::ServiceName;

/// How many services are started at a time.
const AT_A_TIME: usize = 4;

/// What was begun, and the first of it that failed.
#[derive(Debug)]
pub struct Ahead {
    /// Begun; without a task when somebody has waited for its end.
    begun: Mutex<BTreeMap<ServiceName, Option<JoinHandle<()>>>>,
    permits: Arc<Semaphore>,
    failed: watch::Sender<Option<Failure>>,
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            begun: Mutex::default(),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
            failed: watch::Sender::default(),
        }
    }
}

impl Ahead {
    /// Begins to start a service, unless that was done before in this run. They come to their turn in the order of these calls.
    pub fn begin(
        &self,
        service: &ServiceName,
        start: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) {
        let mut begun = self.lock();
        if begun.contains_key(service) {
            return;
        }
        let (permits, failed) = (self.permits.clone(), self.failed.clone());
        let task = tokio::spawn(async move {
            // It is never closed.
            let _permit = permits.acquire_owned().await;
            if let Err(failure) = start.await {
                failed.send_if_modified(|first| {
                    let is_first = first.is_none();
                    first.get_or_insert(failure);
                    is_first
                });
            }
        });
        begun.insert(service.clone(), Some(task));
    }

    /// Waits until the service is started.
    ///
    /// # Errors
    /// The first failure of any that was begun.
    pub async fn started(&self, service: &ServiceName) -> Result<(), Failure> {
        let task = self.lock().get_mut(service).and_then(Option::take);
        if let Some(task) = task {
            finished(task).await?;
        }
        self.failed.borrow().clone().map_or(Ok(()), Err)
    }

    /// Waits for a failure of any that was begun; maybe for ever.
    pub async fn failure(&self) -> Failure {
        let mut failed = self.failed.subscribe();
        match failed.wait_for(Option::is_some).await.map(|failure| failure.clone()) {
            Ok(Some(failure)) => failure,
            // The sender is this value's own.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Waits until nothing is being started any more: what is taken back must not appear afterwards.
    ///
    /// # Errors
    /// When a task ended by itself.
    pub async fn settle(&self) -> Result<(), Failure> {
        let tasks: Vec<_> = self.lock().values_mut().filter_map(Option::take).collect();
        for task in tasks {
            finished(task).await?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServiceName, Option<JoinHandle<()>>>> {
        // Entries are inserted whole, so a panic elsewhere leaves the map sound.
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn finished(task: JoinHandle<()>) -> Result<(), Failure> {
    task.await.map_err(|error| Failure::caused_by("a container could not be started", &error))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use tokio::time::{Instant, sleep};

    use super::*;

    fn name(number: usize) -> ServiceName {
        ServiceName::new(format!("s{number}"))
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_at_a_time_each_once_and_all_are_waited_for() {
        let ahead = Ahead::default();
        let (now, most, all) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for number in (0..9).chain(0..9) {
            let (now, most, all) = (now.clone(), most.clone(), all.clone());
            ahead.begin(&name(number), async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                all.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_secs(1)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            });
        }
        let begun = Instant::now();
        ahead.started(&name(3)).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        ahead.settle().await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
        assert_eq!([most.load(Ordering::SeqCst), all.load(Ordering::SeqCst)], [4, 9]);
        // Nobody is waited for twice.
        ahead.started(&name(3)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_is_told_to_whoever_waits_for_another() {
        let ahead = Ahead::default();
        let fails = |seconds, what: &'static str| async move {
            sleep(Duration::from_secs(seconds)).await;
            Err(Failure::new(what, ""))
        };
        ahead.begin(&name(1), fails(9, "second"));
        ahead.begin(&name(2), fails(2, "first"));
        let begun = Instant::now();
        assert_eq!(ahead.failure().await.what, "first");
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        assert_eq!(ahead.started(&name(1)).await.unwrap_err().what, "first");
        ahead.settle().await.unwrap();
    }
}
