//! Locks of objects: nobody can delete or overwrite them before a time, neither with the droplet's key nor with the owner's.
//!
//! Owns the two questions about them. A lock is set right after its object was written: a store takes it with the object too,
//! but `object_store` does not send it. In between lies one request; an object that cannot be locked counts as not written.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use object_store::path::Path;

use super::{
    requests::Requests,
    signed::{Answer, Question},
};
use crate::{
    backup::{ObjectName, destination::DestinationError},
    clock::Clock,
};

/// Where a store tells it.
const UNTIL: &str = "x-amz-object-lock-retain-until-date";

/// For how long what is written is locked.
#[derive(Clone, Debug)]
pub struct ObjectLock {
    /// From the moment that it was written.
    pub period: Duration,
    /// Tells that moment.
    pub clock: Arc<dyn Clock>,
}

impl ObjectLock {
    fn until(&self) -> Option<Timestamp> {
        let period = SignedDuration::try_from(self.period).ok()?;
        let until = self.clock.now().checked_add(period).ok()?;
        // Whole seconds: not every store reads fractions.
        Timestamp::from_second(until.as_second()).ok()
    }
}

impl Requests {
    /// Locks an object, if this bucket's are to be.
    pub(super) async fn lock(&self, name: &ObjectName, path: &Path) -> Result<(), DestinationError> {
        let Some(until) = self.lock.as_ref().and_then(ObjectLock::until) else { return Ok(()) };
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>COMPLIANCE</Mode>\
             <RetainUntilDate>{until}</RetainUntilDate></Retention>"
        );
        let question = Question { body: Some(body), ..Question::of(Method::PUT, path, &[("retention", "")]) };
        let answer = self.ask(question).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.refused(Some(name), &answer)) }
    }

    /// Until when an object cannot be deleted; none where it is not locked, is not there, or its lock has ended.
    pub(super) async fn locked_until(
        &self,
        name: &ObjectName,
        path: &Path,
    ) -> Result<Option<Timestamp>, DestinationError> {
        let answer = self.ask(Question::of(Method::HEAD, path, &[])).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(until(&answer)),
            _ => Err(self.refused(Some(name), &answer)),
        }
    }
}

fn until(answer: &Answer) -> Option<Timestamp> {
    answer.headers.get(UNTIL)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_lock_ends_on_a_whole_second() {
        let clock = Arc::new(ManualClock::new("2026-11-23T03:00:00.7Z".parse().unwrap()));
        let lock = |days: u64| ObjectLock { period: Duration::from_hours(24 * days), clock: clock.clone() };
        assert_eq!(lock(30).until().unwrap().to_string(), "2026-12-23T03:00:00Z");
        assert_eq!(lock(10_000_000).until(), None);
    }
}
