//! Errors of the domain as gRPC statuses: code, reason, what, cause, and what to do.
//!
//! Owns the choice of codes: one exhaustive match per error type. Must not hide a cause, nor tell a secret.

mod alerts;
mod backups;
mod comeback;
mod exec;
mod messages;
mod timers;
mod trust;

use std::{error::Error, time::Duration};

use tidegate_proto::{roles::Denied, status::RichError, tls::PeerRefused};
use tonic::{Code, Status};

use crate::{
    audit::AuditError,
    docker::DockerError,
    host::HostError,
    ingress::IngressError,
    logs::LogsError,
    release::{EngineError, Failure},
};

pub(super) use alerts::alerts;
pub(super) use backups::backup;
pub(super) use comeback::comeback;
pub(super) use exec::{command, container_exec, host_exec};
pub(super) use messages::{
    bad_field, broken, chunk_too_long, cloud_variable, no_resolution, no_signal, out_of_order,
};
pub(super) use timers::{systemd, unit_files};
pub(super) use trust::{change, enrolment};

/// The reason in a status, for the audit log.
pub(super) fn reason(status: &Status) -> String {
    RichError::from_status(status).reason
}

/// A rich error whose cause is the error's own chain below its first line.
fn rich(code: Code, reason: &str, error: &(dyn Error + 'static)) -> RichError {
    let plain = RichError::new(code, reason, error.to_string());
    match error.source() {
        Some(source) => plain.caused_by(source),
        None => plain,
    }
}

fn disk(code: Code, reason: &str, error: &(dyn Error + 'static)) -> RichError {
    rich(code, reason, error)
        .hint("look at the droplet's disk: `tidegate exec --host -- df -h`, then at the agent's journal")
}

// --- the door

pub(super) fn no_caller() -> Status {
    RichError::new(Code::Internal, "NO_CALLER", "the agent does not know who calls")
        .because("the request did not come through the authorisation layer")
        .hint("this is a mistake in the agent: please report it")
        .into()
}

pub(super) fn peer_refused(refused: &PeerRefused) -> Status {
    match refused {
        PeerRefused::Changed => {
            rich(Code::Unavailable, "CONNECTION_OUTDATED", refused).hint("connect again").into()
        }
        PeerRefused::Certificate(_) => rich(Code::Unauthenticated, "CERTIFICATE_REFUSED", refused)
            .hint("ask an admin of the fleet for a new certificate")
            .into(),
    }
}

pub(super) fn unknown_rpc(rpc: &str) -> Status {
    let rpc: String = rpc.chars().take(200).collect();
    RichError::new(Code::Unimplemented, "UNKNOWN_RPC", format!("this agent does not know {rpc}"))
        .hint("the controller may be newer than the agent: update the agent")
        .into()
}

pub(super) fn not_enrolled() -> Status {
    RichError::new(Code::FailedPrecondition, "NOT_ENROLLED", "this droplet is not enrolled")
        .because("until it is, the agent serves the enrolment alone")
        .hint("run `tidegate up`")
        .into()
}

pub(super) fn already_enrolled() -> Status {
    RichError::new(Code::FailedPrecondition, "ALREADY_ENROLLED", "this droplet is enrolled already")
        .hint("a droplet enrols once; to start over, delete it and run `tidegate up`")
        .into()
}

pub(super) fn enrolment_needs_tls() -> Status {
    RichError::new(Code::FailedPrecondition, "NO_TLS", "enrolment works over TLS only")
        .because("its proofs cover the TLS session")
        .into()
}

pub(super) fn denied(denied: &Denied) -> Status {
    let (code, reason) = match denied {
        Denied::UnknownRpc { .. } => (Code::Unimplemented, "UNKNOWN_RPC"),
        Denied::Agent { .. } => (Code::PermissionDenied, "AGENT_CERTIFICATE"),
        Denied::OtherDomain { .. } => (Code::PermissionDenied, "OTHER_ENVIRONMENT"),
        Denied::NotGranted { .. } => (Code::PermissionDenied, "NOT_GRANTED"),
    };
    RichError::new(code, reason, denied.to_string()).into()
}

pub(super) fn deadline(deadline: Duration) -> Status {
    let what = format!("the agent did not finish within {} s", deadline.as_secs());
    RichError::new(Code::DeadlineExceeded, "DEADLINE", what)
        .hint("the droplet may be under heavy load: `tidegate status` tells more")
        .into()
}

// --- the domain

pub(super) fn docker(error: &DockerError) -> Status {
    of_docker(error).into()
}

fn of_docker(error: &DockerError) -> RichError {
    match error {
        DockerError::Unreachable { .. } => rich(Code::Unavailable, "DOCKER_AWAY", error)
            .hint("on the droplet: `systemctl status docker`; the agent connects again by itself"),
        DockerError::NotFound { .. } => rich(Code::NotFound, "DOCKER_NOT_FOUND", error),
        DockerError::Conflict { .. } => rich(Code::Aborted, "DOCKER_CONFLICT", error),
        DockerError::Refused { .. } => rich(Code::FailedPrecondition, "DOCKER_REFUSED", error),
        DockerError::Login { .. } => rich(Code::FailedPrecondition, "DOCKER_LOGIN", error),
        DockerError::Deadline { .. } => {
            rich(Code::DeadlineExceeded, "DOCKER_SLOW", error).hint("the droplet may be under heavy load")
        }
    }
}

pub(super) fn engine(error: &EngineError) -> Status {
    match error {
        EngineError::Refused(failures) => refused(failures),
        EngineError::Busy { .. } => rich(Code::Aborted, "BUSY", error),
        EngineError::InDoubt { .. } => rich(Code::Aborted, "IN_DOUBT", error)
            .hint("it ends by itself when they answer again; else `tidegate resolve` ends it as you say"),
        EngineError::Stuck { .. } => rich(Code::FailedPrecondition, "STUCK", error).hint(
            "`tidegate releases` shows what failed; mend that, then \
             `tidegate exec --host -- systemctl restart tidegate-agent` tries again",
        ),
        EngineError::NotInDoubt { .. } => rich(Code::FailedPrecondition, "NOT_IN_DOUBT", error),
        EngineError::NoApp(_) => rich(Code::NotFound, "NO_APP", error),
        EngineError::NoService { .. } => rich(Code::NotFound, "NO_SERVICE", error),
        EngineError::NoRelease { .. } => rich(Code::NotFound, "NO_RELEASE", error),
        EngineError::NoWayBack { .. } => {
            rich(Code::FailedPrecondition, "NO_WAY_BACK", error).hint("`tidegate releases` lists them")
        }
        EngineError::Docker(source) => {
            let docker = of_docker(source);
            // That Docker lacks something is no mistake of who asked the engine.
            let code = if docker.code == Code::NotFound { Code::Aborted } else { docker.code };
            RichError { code, ..docker }
        }
        EngineError::Ingress(source) => of_ingress(source),
        EngineError::Database(_) => disk(Code::Unavailable, "DATABASE", error),
        EngineError::Failed(failure) => of_failure(Code::Aborted, "FAILED", failure),
    }
    .into()
}

fn of_ingress(error: &IngressError) -> RichError {
    match error {
        IngressError::NoRoutes(_) => rich(Code::FailedPrecondition, "NO_ROUTES", error),
        IngressError::Taken { .. } => rich(Code::FailedPrecondition, "HOST_TAKEN", error),
        IngressError::Docker(source) => of_docker(source),
        IngressError::Database(_) => disk(Code::Unavailable, "DATABASE", error),
        IngressError::File(_) | IngressError::Replace(_) => disk(Code::Unavailable, "STORAGE", error),
        IngressError::Admin(_) | IngressError::Broken => rich(Code::Unavailable, "INGRESS", error)
            .hint("see `docker logs tidegate-ingress` on the droplet"),
        IngressError::NoSubnet(_) | IngressError::BadNetwork(_) => {
            rich(Code::Aborted, "INGRESS_NETWORK", error)
        }
    }
}

/// The first in full, the others as lines below it.
fn refused(failures: &[Failure]) -> RichError {
    let Some((first, others)) = failures.split_first() else {
        return RichError::new(Code::InvalidArgument, "REFUSED", "the release was refused");
    };
    let mut rich = of_failure(Code::InvalidArgument, "REFUSED", first);
    for Failure { what, place, cause, .. } in others {
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        let cause = if cause.is_empty() { String::new() } else { format!(": {cause}") };
        rich.details.push(format!("{place}{what}{cause}"));
    }
    rich
}

fn of_failure(code: Code, reason: &str, failure: &Failure) -> RichError {
    let Failure { what, place, cause, hint, details } = failure.clone();
    RichError::new(code, reason, what).at(place).because(cause).hint(hint).details(details)
}

pub(super) fn audit(error: &AuditError) -> Status {
    match error {
        AuditError::Database { .. } => disk(Code::Unavailable, "AUDIT_LOG", error).into(),
        AuditError::Chain(_) => rich(Code::DataLoss, "AUDIT_CHAIN", error)
            .hint("somebody with root on the droplet changed the log, or its disk is damaged")
            .into(),
    }
}

pub(super) fn host(error: &HostError) -> Status {
    match error {
        HostError::Disk { .. } | HostError::System(_) | HostError::Timeout => {
            disk(Code::Unavailable, "HOST", error).into()
        }
    }
}

pub(super) fn logs(error: &LogsError) -> Status {
    match error {
        LogsError::Docker { .. } => rich(Code::Unavailable, "DOCKER", error),
        LogsError::NoApp { .. } => {
            rich(Code::NotFound, "NO_APP", error).hint("deploy it first: `tidegate deploy`")
        }
        LogsError::NoService { .. } => {
            rich(Code::NotFound, "NO_SERVICE", error).hint("`tidegate status` shows what runs")
        }
        LogsError::Stream { .. } => rich(Code::FailedPrecondition, "LOG_UNREADABLE", error)
            .hint("the service's logging driver may not keep lines: `json-file` and `local` do"),
        LogsError::Broken { .. } => {
            rich(Code::Unavailable, "LOG_BROKEN", error).hint("ask again with --since")
        }
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::EnrolmentError;

    #[test]
    fn a_status_tells_what_why_and_what_to_do() {
        let error = LogsError::NoService {
            app: "shop".to_owned(),
            service: "wbe".to_owned(),
            services: vec!["web".to_owned()],
        };
        let told = RichError::from_status(&logs(&error));
        assert_eq!(told.code, Code::NotFound);
        assert_eq!(told.reason, "NO_SERVICE");
        assert_eq!(told.what, "app shop has no service wbe on this droplet; it has web");
        assert!(told.hint.contains("tidegate status"));
    }

    #[test]
    fn the_cause_is_the_chain_below() {
        let error =
            EnrolmentError::NoToken(std::io::Error::other("no such file: /etc/tidegate/enrolment.json"));
        let told = RichError::from_status(&enrolment(&error));
        assert_eq!(told.cause, "no such file: /etc/tidegate/enrolment.json");
        assert!(!told.what.contains("no such file"), "{}", told.what);
    }
}
