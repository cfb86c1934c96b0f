//! Errors of alerts.

use tonic::{Code, Status};

use super::{bad_field, broken, disk, not_enrolled, rich};
use crate::alerts::AlertsError;

pub(in crate::api) fn alerts(error: &AlertsError) -> Status {
    match error {
        AlertsError::Settings(settings) => bad_field(settings.field(), settings),
        AlertsError::File(_) => disk(Code::Unavailable, "ALERTS_FILE", error).into(),
        AlertsError::Unreadable(_) => rich(Code::FailedPrecondition, "ALERTS_UNREADABLE", error)
            .hint("`tidegate alert set` sends them again")
            .into(),
        AlertsError::Database(_) => disk(Code::Unavailable, "DATABASE", error).into(),
        AlertsError::NotEnrolled => not_enrolled(),
        AlertsError::Broken => broken(),
    }
}
