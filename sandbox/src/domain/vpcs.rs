//! Virtual networks: names, ranges, the default of each region, members.

use super::{Env, Refusal, cidr::Cidr};
use crate::{
    account::state::{State, Vpc},
    catalog,
};

/// Makes the default VPC of every region.
pub fn make_defaults(state: &mut State, env: &mut Env<'_>) {
    for region in catalog::regions() {
        if default_of(state, region.slug).is_some() {
            continue;
        }
        // Ten regions cannot use up the ranges.
        if let Ok(range) = free_range(state) {
            insert_default(state, env, region.slug, range);
        }
    }
}

/// The default VPC of a region.
pub fn default_of<'a>(state: &'a State, region: &str) -> Option<&'a Vpc> {
    state
        .vpcs
        .values()
        .find(|vpc| vpc.default && vpc.region == region)
}

fn insert_default(state: &mut State, env: &mut Env<'_>, region: &str, ip_range: Cidr) -> Vpc {
    let vpc = Vpc {
        id: env.uuid(state),
        name: format!("default-{region}"),
        description: String::new(),
        region: region.to_owned(),
        ip_range,
        default: true,
        created_at: env.now,
    };
    state.vpcs.insert(vpc.id.clone(), vpc.clone());
    vpc
}

/// The first /20 from 10.100.0.0 on that no VPC uses.
fn free_range(state: &State) -> Result<Cidr, Refusal> {
    (100..=255_u8)
        .flat_map(|second| (0..=240_u8).step_by(16).map(move |third| (second, third)))
        .map(|(second, third)| Cidr::containing([10, second, third, 0].into(), 20))
        .find(|range| state.vpcs.values().all(|vpc| !vpc.ip_range.overlaps(*range)))
        .ok_or_else(|| {
            Refusal::unprocessable("There is no free range left for a VPC network in your account")
        })
}
