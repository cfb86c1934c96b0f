//! All droplets of an app with the release, or none. The agents agree among themselves; this only begins their releases,
//! follows them, and calls the others off when one of them does not even begin.

use std::{net::SocketAddr, time::Duration};

use tidegate_proto::v1;

use super::{Context, Crew, Followed, Meant, Wanted, check};
use crate::{
    agents::{AGENT_PORT, Target},
    commands::reach::Reach,
    failure::Failure,
};

/// How long an agent waits for the others in each of the two votes: one may have to pull and to migrate while another has
/// nothing to do.
const LEASE: Duration = Duration::from_mins(15);

pub(super) async fn carry(
    context: &Context,
    reach: &Reach,
    meant: Meant<'_>,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Vec<Followed>> {
    let together = message(meant.targets, hex::encode(rand::random::<[u8; 16]>()))?;
    check(reach, meant.targets).await?;
    Crew::new(context, reach, meant).all(wanted, Some(&together)).await
}

/// What every agent is told about the others.
fn message(targets: &[Target], rollout: String) -> Result<v1::Together, Failure> {
    let participants = targets.iter().map(participant).collect::<Result<Vec<_>, _>>()?;
    let lease = prost_types::Duration { seconds: i64::try_from(LEASE.as_secs()).unwrap_or(0), nanos: 0 };
    Ok(v1::Together { rollout, participants, lease: Some(lease) })
}

fn participant(target: &Target) -> Result<v1::Participant, Failure> {
    let address = target.private_address.ok_or_else(|| {
        Failure::failed(format!("the private address of {} is not known here", target.short))
            .because("the app is released on its droplets together, so their agents ask each other how it goes")
            .hint("run `tidegate up`: it asks DigitalOcean for the address and opens the agents' port between the droplets")
    })?;
    Ok(v1::Participant {
        droplet_id: target.droplet.get(),
        address: SocketAddr::from((address, AGENT_PORT)).to_string(),
        name: target.short.clone(),
    })
}

/// Between two tries to call the others off.
pub(super) const AGAIN: Duration = Duration::from_secs(2);

/// Says that one droplet does not begin, and what follows.
pub(super) fn announce(crew: &Crew<'_>, refused: usize) {
    let shorts: Vec<&str> = crew.under_way().into_iter().map(|target| target.short.as_str()).collect();
    let name = crew.meant.targets.get(refused).map_or("a droplet", |target| target.short.as_str());
    if !shorts.is_empty() {
        crew.context.printer.note(format!("{name} does not begin: {} called off", shorts.join(", ")));
    }
}

/// Tells the others at once, so that they need not wait for the one that does not begin. Whoever cannot be told goes back
/// when its lease is over.
pub(super) async fn call_off(crew: &Crew<'_>) {
    for target in crew.under_way() {
        if let Err(error) = crew.cancel(target).await {
            crew.context.printer.note(format!("{} could not be told: {error}", target.short));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: u8, private_address: Option<[u8; 4]>) -> Target {
        Target {
            name: format!("shop-production-web-{number}"),
            short: format!("web-{number}"),
            droplet: tidegate_proto::names::DropletId::new(u64::from(number)).unwrap(),
            address: [127, 0, 1, number].into(),
            private_address: private_address.map(Into::into),
        }
    }

    #[test]
    fn the_first_droplet_decides_and_agents_meet_over_the_vpc() {
        let together =
            message(&[target(1, Some([10, 10, 0, 1])), target(2, Some([10, 10, 0, 2]))], "ab".repeat(16))
                .unwrap();
        let told: Vec<String> = together
            .participants
            .iter()
            .map(|one| format!("{} {} {}", one.droplet_id, one.address, one.name))
            .collect();
        assert_eq!(told, ["1 10.10.0.1:7443 web-1", "2 10.10.0.2:7443 web-2"]);
        assert_eq!(together.lease.unwrap().seconds, 900);
    }

    #[test]
    fn a_droplet_of_an_old_inventory_is_named_with_the_cure() {
        let error =
            message(&[target(1, Some([10, 10, 0, 1])), target(2, None)], "ab".repeat(16)).unwrap_err();
        let error = anyhow::Error::from(error);
        insta::assert_snapshot!(format!("{error:#}\nhint: {}", crate::failure::hints_of(&error).join("; ")));
    }
}
