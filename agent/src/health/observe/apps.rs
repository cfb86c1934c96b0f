//! The apps: releases, containers and their probes, answers, backups.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    AppSeen, ContainerSeen, PATIENCE, Seen, ServiceSeen, Sources, Stands, UnderWay, Unseen,
    answers::{self, Answered, Counted},
    backups::{self, Pauses},
    unseen, within,
};
use crate::{
    docker::Container,
    ingress::Maintenance,
    release::{AppStatus, Engine, ReleaseState, Serving, ServingService},
};

/// Whether Docker answers, and the apps.
pub(super) async fn look(
    sources: &Sources,
    (counted, pauses): (&mut Counted, &mut Pauses),
    (since, now): (Timestamp, Timestamp),
) -> (Seen<()>, Seen<Vec<AppSeen>>) {
    let engine = &sources.engine;
    let docker = engine.docker();
    let (listed, out_of_memory, answered) = tokio::join!(
        within(docker.listed()),
        within(docker.out_of_memory(since, now)),
        answers::look(engine.ingress(), counted)
    );
    if let Err(unseen) = listed {
        return (Err(unseen), Err(Unseen("Docker does not answer".to_owned())));
    }
    // What is down for want of memory says so itself; only of what runs again this is the trace.
    let out_of_memory = out_of_memory.unwrap_or_default();
    let statuses = match within(engine.status(None)).await {
        Ok(statuses) => statuses,
        Err(unseen) => return (Ok(()), Err(unseen)),
    };
    let mut apps = Vec::new();
    for status in statuses {
        let answered_ever = counted.ever(&status.app);
        let seen = app(sources, (status, &answered, &out_of_memory), pauses).await;
        apps.push(AppSeen { answered: answered_ever, ..seen });
    }
    (Ok(()), Ok(apps))
}

async fn app(
    sources: &Sources,
    (status, answered, out_of_memory): (AppStatus, &Seen<Answered>, &BTreeSet<String>),
    pauses: &mut Pauses,
) -> AppSeen {
    let under_way = under_way(&status);
    let AppStatus { app, release, maintenance, hosts, services, ends, .. } = status;
    let mut containers: BTreeMap<_, _> =
        services.into_iter().map(|service| (service.service, service.containers)).collect();
    let serving = release.as_ref().map(|row| sources.engine.serving(row));
    let (services, backups) = match &serving {
        None => (Ok(Vec::new()), Ok(Vec::new())),
        Some(Err(error)) => (Err(unseen(error)), Err(unseen(error))),
        Some(Ok(serving)) => {
            let asked = serving.services.iter().map(|wanted| {
                let there = containers.remove(&wanted.name).unwrap_or_default();
                service(&sources.engine, (serving, wanted), (there, out_of_memory))
            });
            (Ok(join_all(asked).await), backups::look(&sources.backups, serving, pauses).await)
        }
    };
    let (routed, answers) = match answered {
        Ok(answered) => (
            answered.routed.get(&app).cloned().unwrap_or_default(),
            Ok(answered.answers.get(&app).cloned().unwrap_or_default()),
        ),
        Err(unseen) => (BTreeSet::new(), Err(unseen.clone())),
    };
    AppSeen {
        serving: release.map(|row| row.number),
        ends,
        in_maintenance: maintenance == Maintenance::On,
        under_way,
        services,
        hosts,
        routed,
        answers,
        answered: BTreeMap::new(),
        backups,
        app,
    }
}

fn under_way(status: &AppStatus) -> Option<UnderWay> {
    let row = status.running_release.as_ref()?;
    let stands = match (&status.doubt, row.state) {
        (Some(doubt), _) => Stands::InDoubt(doubt.failure.clone()),
        (None, ReleaseState::Stuck) => Stands::Stuck(row.failure.clone()),
        (None, _) => Stands::Running,
    };
    Some(UnderWay { release: row.number, since: row.started_at, stands })
}

async fn service(
    engine: &Engine,
    (serving, wanted): (&Serving, &ServingService),
    (there, out_of_memory): (Vec<Container>, &BTreeSet<String>),
) -> ServiceSeen {
    let asked = there.into_iter().map(|mut container| async move {
        container.last_probe = serving.redact(&container.last_probe);
        let probed = probe(engine, (serving, wanted), &container).await;
        let is_down = container.out_of_memory && !container.is_running();
        ContainerSeen {
            ran_out_of_memory: is_down || out_of_memory.contains(&container.id),
            probed,
            container,
        }
    });
    ServiceSeen {
        name: wanted.name.clone(),
        wanted: wanted.replicas,
        ends: wanted.ends,
        containers: join_all(asked).await,
    }
}

async fn probe(
    engine: &Engine,
    (serving, wanted): (&Serving, &ServingService),
    container: &Container,
) -> Option<Result<(), String>> {
    if wanted.probes.is_empty() || !container.is_running() {
        return None;
    }
    let asked = timeout(PATIENCE, engine.probe(serving, container, &wanted.probes)).await;
    Some(asked.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()))))
}
