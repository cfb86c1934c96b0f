//! Virtual networks: names, ranges, the default of each region, members.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Env, Refusal, cidr::Cidr, is_past};
use crate::{
    account::state::{Droplet, State, Vpc},
    catalog,
};

/// What a request says of a VPC; which fields count depends on the request.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct VpcRequest {
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Region; only when it is made.
    pub region: Option<String>,
    /// Range; only when it is made.
    pub ip_range: Option<String>,
    /// `true` makes it the default of its region.
    pub default: Option<bool>,
}

/// Makes a VPC. The first of a region becomes its default.
///
/// # Errors
/// When the name, region or range is not acceptable or taken.
pub fn create(state: &mut State, env: &mut Env<'_>, request: VpcRequest) -> Result<Vpc, Refusal> {
    let name = checked_name(state, request.name.as_deref(), None)?;
    let region = request
        .region
        .as_deref()
        .and_then(catalog::region_by_slug)
        .ok_or_else(|| Refusal::unprocessable("region is invalid"))?;
    let ip_range = match request.ip_range.as_deref() {
        None | Some("") => free_range(state)?,
        Some(text) => checked_range(state, text)?,
    };
    let vpc = Vpc {
        id: env.uuid(state),
        name,
        description: checked_description(request.description)?,
        region: region.slug.to_owned(),
        ip_range,
        default: default_of(state, region.slug).is_none(),
        created_at: env.now,
    };
    state.vpcs.insert(vpc.id.clone(), vpc.clone());
    Ok(vpc)
}

/// How much of a VPC a request replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Everything that can change (PUT): what is left out is reset.
    Replace,
    /// What is named (PATCH).
    Amend,
}

/// Changes name, description or being the default.
///
/// # Errors
/// When there is no such VPC, or the name is not acceptable.
pub fn update(state: &mut State, id: &str, request: VpcRequest, how: Update) -> Result<Vpc, Refusal> {
    let current = find(state, id)?.clone();
    let name = match (request.name.as_deref(), how) {
        (None, Update::Amend) => current.name.clone(),
        (name, _) => checked_name(state, name, Some(id))?,
    };
    let description = match (request.description, how) {
        (None, Update::Amend) => current.description.clone(),
        (description, _) => checked_description(description)?,
    };
    if request.default == Some(true) {
        for other in state.vpcs.values_mut().filter(|other| other.region == current.region) {
            other.default = other.id == id;
        }
    }
    let vpc = state.vpcs.get_mut(id).ok_or(Refusal::NotFound)?;
    vpc.name = name;
    vpc.description = description;
    Ok(vpc.clone())
}

/// The VPC of this id.
///
/// # Errors
/// When there is none.
pub fn find<'a>(state: &'a State, id: &str) -> Result<&'a Vpc, Refusal> {
    state.vpcs.get(id).ok_or(Refusal::NotFound)
}

/// Removes a VPC.
///
/// # Errors
/// When there is none, it is a region's default, or it has members; deleted droplets stay members for a while.
pub fn delete(state: &mut State, id: &str, now: Timestamp) -> Result<(), Refusal> {
    let vpc = find(state, id)?;
    if vpc.default {
        return Err(Refusal::Forbidden("Can not delete default VPCs".to_owned()));
    }
    if members(state, id, now).next().is_some() {
        return Err(Refusal::Conflict("Can not delete VPC with members".to_owned()));
    }
    state.vpcs.remove(id);
    Ok(())
}

/// The droplets in a VPC.
pub fn members<'a>(state: &'a State, id: &'a str, now: Timestamp) -> impl Iterator<Item = &'a Droplet> {
    let lag = state.settings.lags.member;
    state
        .droplets
        .values()
        .filter(move |droplet| droplet.vpc_id == id && !is_past(droplet.deleted_at, lag, now))
}

/// Makes the default VPC of every region.
pub fn make_defaults(state: &mut State, env: &mut Env<'_>) {
    for region in catalog::regions() {
        // Ten regions cannot use up the ranges: without one there is simply no default yet.
        if default_of(state, region.slug).is_none()
            && let Ok(range) = free_range(state)
        {
            insert_default(state, env, region.slug, range);
        }
    }
}

/// The default VPC of a region.
pub fn default_of<'a>(state: &'a State, region: &str) -> Option<&'a Vpc> {
    state.vpcs.values().find(|vpc| vpc.default && vpc.region == region)
}

/// The VPC that a new droplet joins.
///
/// # Errors
/// When the one named does not exist or lies in another region.
pub fn for_droplet(
    state: &mut State,
    env: &mut Env<'_>,
    region: &str,
    wanted: Option<&str>,
) -> Result<Vpc, Refusal> {
    if let Some(id) = wanted {
        let vpc = state.vpcs.get(id).ok_or_else(|| Refusal::unprocessable("VPC UUID is invalid"))?;
        if vpc.region != region {
            return Err(Refusal::unprocessable("Droplet and VPC must be in the same region"));
        }
        return Ok(vpc.clone());
    }
    if let Some(vpc) = default_of(state, region) {
        return Ok(vpc.clone());
    }
    let range = free_range(state)?;
    Ok(insert_default(state, env, region, range))
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

fn checked_name(state: &State, name: Option<&str>, own_id: Option<&str>) -> Result<String, Refusal> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
    let name = name.unwrap_or_default();
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(Refusal::unprocessable(
            "name is invalid: only letters, digits, periods and dashes are allowed",
        ));
    }
    if state.vpcs.values().any(|vpc| vpc.name == name && Some(vpc.id.as_str()) != own_id) {
        return Err(Refusal::unprocessable("A VPC with that name already exists in your account"));
    }
    Ok(name.to_owned())
}

fn checked_description(description: Option<String>) -> Result<String, Refusal> {
    let description = description.unwrap_or_default();
    if description.chars().count() > 255 {
        return Err(Refusal::unprocessable("description is too long: at most 255 characters"));
    }
    Ok(description)
}

fn checked_range(state: &State, text: &str) -> Result<Cidr, Refusal> {
    let range: Cidr = text
        .parse()
        .map_err(|_| Refusal::unprocessable("ip_range is invalid: it is not in CIDR notation"))?;
    if !(16..=28).contains(&range.prefix()) || !range.is_private() {
        return Err(Refusal::unprocessable(
            "ip_range is invalid: it must be a private range (RFC 1918) between /16 and /28",
        ));
    }
    if state.vpcs.values().any(|vpc| vpc.ip_range.overlaps(range)) {
        return Err(Refusal::unprocessable(
            "This range/size overlaps with another VPC network in your account",
        ));
    }
    Ok(range)
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

#[cfg(test)]
#[path = "vpcs_tests.rs"]
mod tests;
