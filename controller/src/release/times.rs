//! Times and durations of the contract as text and back.

use std::time::Duration;

use jiff::Timestamp;

/// RFC 3339, whole seconds; `None` for a time that is none.
pub fn timestamp(at: &prost_types::Timestamp) -> Option<String> {
    Timestamp::from_second(at.seconds).ok().map(|at| at.to_string())
}

/// For requests.
pub fn to_proto(at: Timestamp) -> prost_types::Timestamp {
    // jiff's nanoseconds have the sign of the seconds; protobuf's are never negative.
    let nanos = at.subsec_nanosecond();
    if nanos < 0 {
        prost_types::Timestamp {
            seconds: at.as_second().saturating_sub(1),
            nanos: nanos.saturating_add(1_000_000_000),
        }
    } else {
        prost_types::Timestamp { seconds: at.as_second(), nanos }
    }
}

/// A duration; nothing for a negative one.
pub fn duration(took: Option<&prost_types::Duration>) -> Duration {
    took.and_then(|took| {
        Some(Duration::new(u64::try_from(took.seconds).ok()?, u32::try_from(took.nanos).ok()?))
    })
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        let at: Timestamp = "2026-11-21T10:15:00.25Z".parse().unwrap();
        let proto = to_proto(at);
        assert_eq!((timestamp(&proto).unwrap().as_str(), proto.nanos), ("2026-11-21T10:15:00Z", 250_000_000));
        let took = prost_types::Duration { seconds: 2, nanos: 500_000_000 };
        assert_eq!(duration(Some(&took)), Duration::from_millis(2500));
        assert_eq!(duration(None), Duration::ZERO);
    }
}
