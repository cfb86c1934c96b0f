//! Values of the domain as messages, and back, where that is the same for several handlers.
//!
//! Owns no meaning. Must not fail on anything that the domain can hold.

use jiff::Timestamp;
use tidegate_proto::v1;
use tonic::Status;

use super::errors;
use crate::{
    health::Level,
    release::{Failure, ReleaseState},
};

/// A time for the wire.
pub(super) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
    // jiff gives both the same sign, protobuf wants nanoseconds from 0 up.
    if nanos < 0 {
        prost_types::Timestamp {
            seconds: seconds.saturating_sub(1),
            nanos: nanos.saturating_add(1_000_000_000),
        }
    } else {
        prost_types::Timestamp { seconds, nanos }
    }
}

/// A time from the wire; absent stays absent.
pub(super) fn optional_time(
    field: &'static str,
    at: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, Status> {
    let Some(at) = at else { return Ok(None) };
    Timestamp::new(at.seconds, at.nanos).map(Some).map_err(|error| errors::bad_field(field, &error))
}

/// A duration for the wire.
pub(super) fn duration(duration: std::time::Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Where a release is.
pub(super) fn release_state(state: ReleaseState) -> v1::ReleaseState {
    match state {
        ReleaseState::Running => v1::ReleaseState::Running,
        ReleaseState::Released => v1::ReleaseState::Released,
        ReleaseState::Undone => v1::ReleaseState::Undone,
        ReleaseState::Stuck => v1::ReleaseState::Stuck,
        ReleaseState::Superseded => v1::ReleaseState::Superseded,
        ReleaseState::Removed => v1::ReleaseState::Removed,
    }
}

/// How a check stands.
pub(super) fn health_state(level: Level) -> v1::HealthState {
    match level {
        Level::Good => v1::HealthState::Good,
        Level::Unknown => v1::HealthState::Unknown,
        Level::Warning => v1::HealthState::Warning,
        Level::Critical => v1::HealthState::Critical,
    }
}

/// A failure that a person can act on.
pub(super) fn failure(failure: Failure) -> v1::Failure {
    let Failure { what, place, cause, hint, details } = failure;
    v1::Failure { what, place, cause, hint, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_wire() {
        for text in ["2026-11-21T08:09:10.123456789Z", "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z"] {
            let at: Timestamp = text.parse().unwrap();
            let wire = timestamp(at);
            assert!((0..1_000_000_000).contains(&wire.nanos), "{text}");
            assert_eq!(optional_time("since", Some(wire)).unwrap(), Some(at), "{text}");
        }
        let nonsense = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        assert_eq!(optional_time("since", Some(nonsense)).unwrap_err().code(), tonic::Code::InvalidArgument);
    }
}
