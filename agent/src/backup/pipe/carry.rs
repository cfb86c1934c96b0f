//! Carries one stream to several destinations, a task each; one that fails is left behind.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::{Limits, Outcome, QUEUE, Target};
use crate::backup::destination::{DestinationError, Upload};

/// What a lane's task is told. That nothing more comes without an end means that the object is not wanted any more: so it is
/// when whoever sends is dropped.
enum Order {
    Take(Bytes),
    Finish,
}

/// The uploads of one stream.
pub(super) struct Lanes(Vec<Lane>);

struct Lane {
    at: String,
    /// None when the destination has failed.
    orders: Option<mpsc::Sender<Order>>,
    task: JoinHandle<Result<(), DestinationError>>,
}

impl Lanes {
    pub(super) fn begin(targets: Vec<Target>, limits: Limits) -> Self {
        let lane = |target: Target| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let at = target.destination.title().to_owned();
            // Not ended when it is dropped: it has to abort what it began.
            let task = tokio::spawn(carry(target, receiver, limits));
            Lane { at, orders: Some(sender), task }
        };
        Self(targets.into_iter().map(lane).collect())
    }

    /// Gives a chunk to all that still take it. Waits for the slowest.
    ///
    /// # Errors
    /// When none does any more.
    pub(super) async fn take(&mut self, chunk: &Bytes) -> Result<(), AllFailed> {
        self.order(|| Order::Take(chunk.clone())).await;
        if self.0.iter().any(|lane| lane.orders.is_some()) { Ok(()) } else { Err(AllFailed) }
    }

    /// Waits until no destination takes anything any more.
    pub(super) async fn all_failed(&self) -> AllFailed {
        for orders in self.0.iter().filter_map(|lane| lane.orders.as_ref()) {
            orders.closed().await;
        }
        AllFailed
    }

    async fn order(&mut self, order: impl Fn() -> Order) {
        for lane in &mut self.0 {
            if let Some(orders) = &lane.orders
                && orders.send(order()).await.is_err()
            {
                lane.orders = None;
            }
        }
    }

    /// Has all that took everything make it visible.
    pub(super) async fn finish(mut self) -> Vec<Outcome> {
        self.order(|| Order::Finish).await;
        self.end().await
    }

    /// Has all remove what they took; without an end that is what they do.
    pub(super) async fn end(self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        // All at once: each has its own deadline.
        let waiting: Vec<_> = self
            .0
            .into_iter()
            .map(|Lane { at, orders, task }| {
                drop(orders);
                (at, task)
            })
            .collect();
        for (at, task) in waiting {
            let stored = match task.await {
                Ok(stored) => stored,
                Err(_) => Err(DestinationError::Broken { at: at.clone() }),
            };
            outcomes.push(Outcome { at, stored });
        }
        outcomes
    }
}

/// No destination is left.
#[derive(Debug)]
pub(super) struct AllFailed;

async fn carry(
    target: Target,
    mut orders: mpsc::Receiver<Order>,
    limits: Limits,
) -> Result<(), DestinationError> {
    let at = target.destination.title();
    let begun = within(at, limits.destination, target.destination.begin(&target.name)).await;
    let mut upload = begun?;
    loop {
        let failed = match orders.recv().await {
            Some(Order::Take(chunk)) => match within(at, limits.destination, upload.write(chunk)).await {
                Ok(()) => continue,
                Err(error) => error,
            },
            Some(Order::Finish) => return within(at, limits.destination, upload.finish()).await,
            None => DestinationError::Broken { at: at.to_owned() },
        };
        // Nothing more is taken from now on, also while it is aborted.
        orders.close();
        drop(orders);
        abort(at, upload, limits.abort).await;
        return Err(failed);
    }
}

async fn abort(at: &str, upload: Box<dyn Upload>, deadline: Duration) {
    if let Err(error) = within(at, deadline, upload.abort()).await {
        let error = crate::release::chain(&error);
        tracing::warn!(at, error, "what was begun of a backup could not be removed");
    }
}

async fn within<T>(
    at: &str,
    deadline: Duration,
    work: impl Future<Output = Result<T, DestinationError>>,
) -> Result<T, DestinationError> {
    match timeout(deadline, work).await {
        Ok(done) => done,
        Err(_) => Err(DestinationError::Timeout { at: at.to_owned(), after: deadline }),
    }
}
