//! `Status`: apps, their release, services and containers, of those apps that the caller has.
//!
//! Owns the conversion. Must not ask Docker.

use jiff::Timestamp;
use tidegate_proto::v1::{self, StatusRequest, StatusResponse};
use tonic::Status;

use super::{Context, caller::Caller, convert, errors, releases};
use crate::{
    docker::{Container, ContainerHealth},
    ingress::{HostCertificate, Maintenance},
    release::{AppStatus, ServiceStatus},
};

const RPC: &str = "/tidegate.v1.Agent/Status";

pub(super) async fn status(
    context: &Context,
    caller: &Caller,
    request: &StatusRequest,
) -> Result<StatusResponse, Status> {
    let wanted = match request.app.as_str() {
        "" => None,
        app => Some(context.may(caller, RPC, app)?),
    };
    let apps = context.engine.status(wanted.as_ref()).await.map_err(|error| errors::engine(&error))?;
    let mine = apps.into_iter().filter(|status| context.may(caller, RPC, status.app.as_str()).is_ok());
    Ok(StatusResponse { apps: mine.map(app_status).collect() })
}

fn app_status(status: AppStatus) -> v1::AppStatus {
    v1::AppStatus {
        app: status.app.to_string(),
        release: status.release.map(releases::summary),
        running_release: status.running_release.map(releases::summary),
        services: status.services.into_iter().map(service_status).collect(),
        maintenance: status.maintenance == Maintenance::On,
        hosts: status.hosts.into_iter().map(host_status).collect(),
        in_doubt: status.doubt.map(|doubt| convert::failure(doubt.failure)),
    }
}

fn host_status(host: HostCertificate) -> v1::HostStatus {
    let (trouble_at, trouble) = host.trouble.map(|trouble| (trouble.at, trouble.what)).unzip();
    v1::HostStatus {
        tls: host.tls.word().to_owned(),
        host: host.host,
        certificate_not_after: host.not_after.map(convert::timestamp),
        trouble: trouble.unwrap_or_default(),
        trouble_at: trouble_at.map(convert::timestamp),
    }
}

fn service_status(status: ServiceStatus) -> v1::ServiceStatus {
    v1::ServiceStatus {
        service: status.service.to_string(),
        containers: status.containers.into_iter().map(container_status).collect(),
    }
}

fn container_status(container: Container) -> v1::ContainerStatus {
    let health = match container.health {
        ContainerHealth::None => "",
        ContainerHealth::Starting => "starting",
        ContainerHealth::Healthy => "healthy",
        ContainerHealth::Unhealthy => "unhealthy",
    };
    // Docker says the year 1 for what never was.
    let started_at = container.started_at.parse::<Timestamp>().ok().filter(|at| at.as_second() > 0);
    v1::ContainerStatus {
        state: container.state.word().to_owned(),
        health: health.to_owned(),
        restarts: container.restarts,
        started_at: started_at.map(convert::timestamp),
        exit_code: container.exit_code,
        memory_limit_bytes: container.memory_limit,
        name: container.name,
        id: container.id,
        image: container.image,
    }
}
