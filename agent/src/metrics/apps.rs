//! What is told of apps: releases, containers, answers at the ingress, certificates, backups. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::{Exposition, Family, Kind, Usage, seconds};
use crate::{
    docker::{ContainerHealth, ContainerState},
    health::{
        AppFigures, ContainerFigures, Figures, ServiceFigures,
        observe::{BackupSeen, Stands},
        series::float,
    },
};

/// Ids of the containers that run.
pub(super) fn running(figures: &Figures) -> Vec<String> {
    let containers = containers(figures).filter(|(.., container)| container.state == ContainerState::Running);
    containers.map(|(.., container)| container.id.clone()).collect()
}

pub(super) fn write((figures, usage): (&Figures, &BTreeMap<String, Usage>), to: &mut Exposition) {
    releases(figures, to);
    backups(figures, to);
    certificates(figures, to);
    answers(figures, to);
    services(figures, to);
    states(figures, to);
    taken((figures, usage), to);
}

fn apps(figures: &Figures) -> impl Iterator<Item = &AppFigures> {
    figures.apps.iter().flatten()
}

fn containers(figures: &Figures) -> impl Iterator<Item = (&AppFigures, &ServiceFigures, &ContainerFigures)> {
    apps(figures).flat_map(|app| {
        let of = move |service| move |container| (app, service, container);
        app.services.iter().flat_map(move |service| service.containers.iter().map(of(service)))
    })
}

fn releases(figures: &Figures, to: &mut Exposition) {
    let mut family = |name, help, value: &dyn Fn(&AppFigures) -> Option<f64>| {
        let mut family = to.family(name, Kind::Gauge, help);
        for app in apps(figures) {
            if let Some(value) = value(app) {
                family.sample(&[("app", app.app.as_str())], value);
            }
        }
    };
    family("tidegate_app_release", "The number of the release that serves.", &|app| {
        app.serving.map(|release| float(release.get()))
    });
    family(
        "tidegate_app_release_under_way",
        "Whether a release has something to do still (1) or not (0).",
        &|app| Some(f64::from(app.under_way.is_some())),
    );
    family(
        "tidegate_app_release_needs_help",
        "Whether a release is stuck or in doubt (1) or not (0).",
        &|app| {
            Some(f64::from(app.under_way.as_ref().is_some_and(|release| release.stands != Stands::Running)))
        },
    );
    family(
        "tidegate_app_maintenance",
        "Whether visitors are told to come back later (1) or not (0).",
        &|app| Some(f64::from(app.in_maintenance)),
    );
    let help = "Releases by how they ended: they served, or were undone.";
    let mut ends = to.family("tidegate_app_releases", Kind::Counter, help);
    for app in apps(figures) {
        for (end, count) in [("released", app.ends.released), ("undone", app.ends.undone)] {
            ends.sample(&[("app", app.app.as_str()), ("end", end)], float(count));
        }
    }
}

fn backups(figures: &Figures, to: &mut Exposition) {
    let mut family = |name, help, value: &dyn Fn(&BackupSeen) -> Option<f64>| {
        let mut family = to.family(name, Kind::Gauge, help);
        for app in apps(figures) {
            for backup in &app.backups {
                if let Some(value) = value(backup) {
                    family.sample(&[("app", app.app.as_str()), ("service", backup.service.as_str())], value);
                }
            }
        }
    };
    let duration = |time: Duration| time.as_secs_f64();
    family(
        "tidegate_backup_timestamp_seconds",
        "When the newest backup that is stored was begun, in seconds since 1970.",
        &|backup| backup.newest.map(seconds),
    );
    family(
        "tidegate_backup_verified_timestamp_seconds",
        "When a restore on trial succeeded last, in seconds since 1970.",
        &|backup| backup.verified.map(seconds),
    );
    family("tidegate_backup_data_bytes", "How much data the newest backup holds.", &|backup| {
        backup.size.map(|size| float(size.plain))
    });
    family("tidegate_backup_stored_bytes", "How much it takes at each destination.", &|backup| {
        backup.size.map(|size| float(size.stored))
    });
    family("tidegate_backup_duration_seconds", "How long it took.", &|backup| {
        backup.size.map(|size| duration(size.took))
    });
    family(
        "tidegate_backup_verify_duration_seconds",
        "How long the last restore on trial that succeeded took.",
        &|backup| backup.verify_took.map(duration),
    );
    family(
        "tidegate_backup_failed",
        "Whether the latest backup, or the latest restore on trial, failed (1) or not (0).",
        &|backup| Some(f64::from(backup.failure.is_some() || backup.verify_failure.is_some())),
    );
    family(
        "tidegate_backup_interval_seconds",
        "The longest time between two backups by the schedule.",
        &|backup| backup.every.as_ref().ok().copied().flatten().map(duration),
    );
    family(
        "tidegate_backup_verify_interval_seconds",
        "The longest time between two restores on trial by the schedule.",
        &|backup| backup.verified_every.as_ref().ok().copied().flatten().map(duration),
    );
}

fn certificates(figures: &Figures, to: &mut Exposition) {
    let mut expiry = to.family(
        "tidegate_ingress_certificate_expiry_timestamp_seconds",
        Kind::Gauge,
        "Until when the certificate of a host holds, in seconds since 1970.",
    );
    for app in apps(figures) {
        for (host, until) in &app.certificates {
            expiry.sample(&[("app", app.app.as_str()), ("host", host)], seconds(*until));
        }
    }
}

fn answers(figures: &Figures, to: &mut Exposition) {
    let help = "Requests that the ingress answered for a service since the agent started, as of the look; of a very busy droplet not all.";
    let mut requests = to.family("tidegate_ingress_requests", Kind::Counter, help);
    for app in apps(figures) {
        for (service, counts) in &app.answered {
            requests.sample(&[("app", app.app.as_str()), ("service", service.as_str())], float(counts.total));
        }
    }
    let help = "Those of them that were answered with a status of 500 and above.";
    let mut errors = to.family("tidegate_ingress_server_errors", Kind::Counter, help);
    for app in apps(figures) {
        for (service, counts) in &app.answered {
            errors.sample(
                &[("app", app.app.as_str()), ("service", service.as_str())],
                float(counts.server_errors),
            );
        }
    }
    let help = "The time within which 95 of 100 requests between the last two looks were answered.";
    let mut times = to.family("tidegate_ingress_response_p95_seconds", Kind::Gauge, help);
    for app in apps(figures) {
        for (service, p95) in &app.p95 {
            times.sample(&[("app", app.app.as_str()), ("service", service.as_str())], p95.as_secs_f64());
        }
    }
}

fn services(figures: &Figures, to: &mut Exposition) {
    let count = |count: usize| float(u64::try_from(count).unwrap_or(u64::MAX));
    let mut family = |name, help, value: &dyn Fn(&ServiceFigures) -> f64| {
        let mut family = to.family(name, Kind::Gauge, help);
        for app in apps(figures) {
            for service in &app.services {
                let labels = [("app", app.app.as_str()), ("service", service.name.as_str())];
                family.sample(&labels, value(service));
            }
        }
    };
    family("tidegate_service_containers_wanted", "How many containers a service should have.", &|service| {
        count(service.wanted)
    });
    family("tidegate_service_containers_running", "How many of them run.", &|service| {
        let runs = |container: &&ContainerFigures| container.state == ContainerState::Running;
        count(service.containers.iter().filter(runs).count())
    });
}

/// A sample for each container of which there is a value.
fn each(figures: &Figures, mut family: Family<'_>, value: impl Fn(&ContainerFigures) -> Option<f64>) {
    for (app, service, container) in containers(figures) {
        if let Some(value) = value(container) {
            let labels = [
                ("app", app.app.as_str()),
                ("service", service.name.as_str()),
                ("container", &container.name),
            ];
            family.sample(&labels, value);
        }
    }
}

fn states(figures: &Figures, to: &mut Exposition) {
    let help = "Whether a container runs (1) or not (0).";
    each(figures, to.family("tidegate_container_running", Kind::Gauge, help), |container| {
        Some(f64::from(container.state == ContainerState::Running))
    });
    let help = "Whether the health check of a container that runs says well (1) or not (0).";
    each(figures, to.family("tidegate_container_healthy", Kind::Gauge, help), |container| {
        match (container.state, container.health) {
            (ContainerState::Running, ContainerHealth::Healthy) => Some(1.0),
            (ContainerState::Running, ContainerHealth::Unhealthy) => Some(0.0),
            _ => None,
        }
    });
    let help = "Whether the probes of its gate answer as they should (1) or not (0).";
    each(figures, to.family("tidegate_container_probe_success", Kind::Gauge, help), |container| {
        container.probed.map(f64::from)
    });
    let help = "How often Docker started a container again by itself.";
    each(figures, to.family("tidegate_container_restarts", Kind::Counter, help), |container| {
        Some(float(container.restarts))
    });
}

fn taken((figures, usage): (&Figures, &BTreeMap<String, Usage>), to: &mut Exposition) {
    let of = |container: &ContainerFigures| usage.get(&container.id).copied().unwrap_or_default();
    let help = "Memory that a container uses, without files that are in memory but not in use.";
    each(figures, to.family("tidegate_container_memory_working_set_bytes", Kind::Gauge, help), |container| {
        of(container).memory.map(float)
    });
    let help = "How much memory a container may have; left out where it has no limit.";
    each(figures, to.family("tidegate_container_memory_limit_bytes", Kind::Gauge, help), |container| {
        (container.memory_limit > 0).then(|| float(container.memory_limit))
    });
    let help = "Processor time that a container took since its start.";
    each(figures, to.family("tidegate_container_cpu_seconds", Kind::Counter, help), |container| {
        of(container).cpu.map(|cpu| cpu.as_secs_f64())
    });
}
