//! Errors of enrolment, renewal and revocation.

use tonic::{Code, Status};

use super::{already_enrolled, disk, not_enrolled, rich};
use crate::trust::{ChangeError, EnrolmentError};

pub(in crate::api) fn enrolment(error: &EnrolmentError) -> Status {
    let again = "run `tidegate up` again";
    match error {
        EnrolmentError::AlreadyEnrolled => return already_enrolled(),
        EnrolmentError::NoToken(_) => rich(Code::FailedPrecondition, "NO_TOKEN", error)
            .hint("a droplet that never enrolled is replaced by `tidegate up`"),
        EnrolmentError::TokenFile(_) => rich(Code::FailedPrecondition, "TOKEN_FILE", error),
        EnrolmentError::Token(_) => rich(Code::FailedPrecondition, "TOKEN_EXPIRED", error).hint(again),
        EnrolmentError::TokenUsed => rich(Code::FailedPrecondition, "TOKEN_USED", error)
            .hint("a token counts once: write a new one, or make a new droplet"),
        EnrolmentError::NoDroplet => rich(Code::Unavailable, "NO_DROPLET_ID", error).hint(again),
        EnrolmentError::Request(_) => rich(Code::Internal, "REQUEST", error),
        EnrolmentError::NotBegun => rich(Code::FailedPrecondition, "NOT_BEGUN", error).hint("begin again"),
        EnrolmentError::Proof(_) => rich(Code::PermissionDenied, "PROOF", error).hint(
            "nothing was changed; if this happens again, somebody may stand between controller and droplet",
        ),
        EnrolmentError::Certificate(_) => rich(Code::InvalidArgument, "CERTIFICATE", error),
        EnrolmentError::OtherIdentity { .. } => rich(Code::InvalidArgument, "OTHER_IDENTITY", error),
        EnrolmentError::OtherKey => rich(Code::InvalidArgument, "OTHER_KEY", error),
        EnrolmentError::Id(_) => rich(Code::InvalidArgument, "ENROLMENT_ID", error),
        EnrolmentError::Tls(_) => rich(Code::InvalidArgument, "CREDENTIALS", error),
        EnrolmentError::Pki(_) => disk(Code::Unavailable, "STORAGE", error),
        EnrolmentError::Audit(_) => disk(Code::Unavailable, "AUDIT_LOG", error),
    }
    .into()
}

pub(in crate::api) fn change(error: &ChangeError) -> Status {
    match error {
        ChangeError::NotEnrolled => return not_enrolled(),
        ChangeError::Key(_) => rich(Code::Internal, "KEY", error),
        ChangeError::Request(_) => rich(Code::Internal, "REQUEST", error),
        ChangeError::Own(_) => rich(Code::Internal, "OWN_CERTIFICATE", error),
        ChangeError::Certificate(_) => rich(Code::InvalidArgument, "CERTIFICATE", error),
        ChangeError::OtherAgent => rich(Code::InvalidArgument, "OTHER_AGENT", error),
        ChangeError::Shorter { .. } => rich(Code::FailedPrecondition, "SHORTER", error),
        ChangeError::Revocation(_) => rich(Code::FailedPrecondition, "REVOCATION_LIST", error)
            .hint("bring the newest list of the environment"),
        ChangeError::Tls(_) => rich(Code::InvalidArgument, "CREDENTIALS", error),
        ChangeError::Pki(_) => disk(Code::Unavailable, "STORAGE", error),
        ChangeError::Audit(_) => disk(Code::Unavailable, "AUDIT_LOG", error),
    }
    .into()
}
