//! After the saga: every droplet of the fleet file has to be enrolled and answer, with Docker running.

use std::{net::Ipv4Addr, time::Duration};

use futures::future::join_all;
use serde::Serialize;
use tidegate_proto::{
    certificates::SpkiDigest, enrolment::EnrolmentToken, names::DropletId, v1::SetAlertsRequest,
};
use tokio::time::Instant;

use super::super::{context::Context, prepare::Prepared, registry::Registry};
use crate::{
    agents::{Agent, Caller, Enrolment, enrol},
    authority::{Authority, UserKeys},
    cloud::droplets::{self, Droplet},
    failure::Failure,
    release::alerts,
};

/// How long Docker's installation may take after the agent answers.
const DOCKER_TIMEOUT: Duration = Duration::from_mins(10);

/// A droplet that is up.
#[derive(Debug, Serialize)]
pub(super) struct Up {
    name: String,
    id: u64,
    address: Ipv4Addr,
    agent_version: String,
    docker_version: String,
}

/// Enrols whoever is not, and waits until all answer. All are tried; the first failure is told.
pub(super) async fn all(
    context: &Context,
    prepared: &Prepared,
    keys: &UserKeys,
    authority: &Authority,
) -> anyhow::Result<Vec<Up>> {
    let scope = &prepared.fleet.scope;
    let tagged = droplets::list_tagged(&prepared.client, &scope.tag()).await?;
    let caller = Caller { keys: keys.clone(), clock: context.clock.clone() };
    let registry = Registry::new(&prepared.state, prepared.inventory.clone());
    let mut wanted = Vec::new();
    for (role, spec) in &prepared.fleet.roles {
        for number in 1..=spec.count {
            let name = scope.droplet(role, number);
            let found =
                tagged.iter().find(|own| own.name.eq_ignore_ascii_case(&name) && own.has_tag(&scope.tag()));
            let found = found.ok_or_else(|| {
                Failure::in_doubt(format!("{name} is not to be seen")).hint("run `tidegate up` again")
            })?;
            let alerts = alerts::request(&prepared.fleet, &context.environ, &name)?;
            wanted.push(one(context, (&caller, authority), &registry, (found, alerts)));
        }
    }
    let ended = join_all(wanted).await;
    ended.into_iter().collect()
}

async fn one(
    context: &Context,
    (caller, authority): (&Caller, &Authority),
    registry: &Registry<'_>,
    (droplet, wanted): (&Droplet, SetAlertsRequest),
) -> anyhow::Result<Up> {
    let step = context.printer.step(droplet.name.clone());
    let id = DropletId::new(droplet.id)?;
    let address = droplet.public_address().ok_or_else(|| {
        Failure::in_doubt(format!("{} has no public address", droplet.name)).hint("run `tidegate up` again")
    })?;
    let record = registry.droplet(&droplet.name);
    let record = record.filter(|record| droplet.has_tag(&record.intent.tag()));
    let agent = match record {
        Some(record) if !record.enrolled => {
            let intent = record.intent.as_str().parse()?;
            let token = EnrolmentToken::derive(
                &authority.enrolment_secret,
                &domain_of(caller),
                &intent,
                record.token_expires_at,
            )?;
            let signed_for =
                hex::decode(&record.agent_key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let signed_for = signed_for.map(SpkiDigest::from_bytes);
            let enrolment =
                Enrolment { name: droplet.name.clone(), droplet: id, address, intent, token, signed_for };
            step.now("booting");
            let agent = enrol(caller, authority, &enrolment, &context.waits, |signed| {
                registry.change(&droplet.name, |record| {
                    record.enrolment_id = Some(signed.enrolment_id);
                    record.agent_key = hex::encode(signed.key.as_bytes());
                    record.certificate_not_after = Some(signed.not_after);
                })
            });
            let agent = agent.await?;
            registry.change(&droplet.name, |record| record.enrolled = true)?;
            agent
        }
        _ => answering(context, caller, droplet, (id, address)).await?,
    };
    // Commands dial the address from here, without a look at the API.
    registry.change(&droplet.name, |record| {
        record.address = Some(address);
        record.private_address = droplet.private_address();
    })?;
    let info = with_docker(context, &agent, &step).await?;
    let told = alerts(&agent, wanted).await?;
    step.done(&format!("{address}  enrolled, agent {}{told}", info.agent_version));
    Ok(Up {
        name: droplet.name.clone(),
        id: droplet.id,
        address,
        agent_version: info.agent_version,
        docker_version: info.docker_version,
    })
}

fn domain_of(caller: &Caller) -> tidegate_proto::identity::TrustDomain {
    caller.keys.domain.clone()
}

/// An enrolled agent may be booting too.
async fn answering(
    context: &Context,
    caller: &Caller,
    droplet: &Droplet,
    (id, address): (DropletId, Ipv4Addr),
) -> anyhow::Result<Agent> {
    let until = Instant::now() + Duration::from_mins(2);
    loop {
        match caller.connect(&droplet.name, id, address).await {
            Ok(agent) => return Ok(agent),
            Err(error) if Instant::now() >= until => return Err(error.into()),
            Err(_) => context.waits.sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Tells the agent whom to tell what is not well; a few words about it where that is news.
async fn alerts(agent: &Agent, wanted: SetAlertsRequest) -> anyhow::Result<String> {
    let receivers = wanted.receivers.len();
    let mut client = agent.client();
    let set = agent.call(client.set_alerts(wanted)).await?;
    Ok(match (set.changed, receivers) {
        (false, _) | (true, 0) => String::new(),
        (true, 1) => ", 1 receiver of alerts".to_owned(),
        (true, several) => format!(", {several} receivers of alerts"),
    })
}

async fn with_docker(
    context: &Context,
    agent: &Agent,
    step: &crate::output::Step,
) -> anyhow::Result<tidegate_proto::v1::InfoResponse> {
    let until = Instant::now() + DOCKER_TIMEOUT;
    loop {
        let info = agent.info().await?;
        if !info.docker_version.is_empty() {
            return Ok(info);
        }
        if Instant::now() >= until {
            let what = format!("{}: the agent answers, Docker does not", agent.name);
            return Err(Failure::in_doubt(what)
                .hint("look at the droplet's /var/log/cloud-init-output.log; then run `tidegate up` again")
                .into());
        }
        step.now("enrolled, installing Docker");
        context.waits.sleep(Duration::from_secs(2)).await;
    }
}
