//! What makes a droplet: a request, checked against what there is, and the addresses it is given.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::Value;

use super::{Fate, Mishap, alive, check_name};
use crate::{
    account::state::{Action, ActionKind, Droplet, Hidden, Power, State, Vpc},
    catalog::{self, Image, Region, Size},
    domain::{Env, Refusal, actions, keys, tags, vpcs},
    machine::{MachineSpec, VpcAttachment},
};

/// At most so many droplets are made by one request.
const MOST_AT_ONCE: usize = 10;
/// User data may be so long.
const LONGEST_USER_DATA: usize = 64 * 1024;
/// Host parts of droplets' addresses: below are gateway and name server, above the guests' DHCP range.
const HOST_PARTS: std::ops::RangeInclusive<u8> = 10..=199;

/// What a request for droplets says.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CreateRequest {
    /// One name: one droplet.
    pub name: Option<String>,
    /// Several names: as many droplets.
    pub names: Option<Vec<String>>,
    /// Region or the beginning of one (`nyc`).
    pub region: Option<String>,
    /// Size.
    pub size: Option<String>,
    /// Slug or id of the image.
    pub image: Option<Value>,
    /// Ids or fingerprints.
    pub ssh_keys: Option<Vec<Value>>,
    /// Tags; made if new.
    pub tags: Option<Vec<String>>,
    /// User data.
    pub user_data: Option<String>,
    /// VPC; without one the region's default.
    pub vpc_uuid: Option<String>,
    /// Asks for the metrics agent; noted, nothing more.
    pub monitoring: Option<bool>,
    /// Not offered here.
    pub ipv6: Option<bool>,
    /// Not offered here.
    pub backups: Option<bool>,
    /// Not offered here.
    pub public_networking: Option<bool>,
    /// Not offered here.
    pub volumes: Option<Vec<Value>>,
}

/// A checked request.
struct Plan {
    region: &'static Region,
    size: &'static Size,
    image: &'static Image,
    vpc: Vpc,
    public_keys: Vec<String>,
    tags: Vec<String>,
    user_data: String,
    features: Vec<String>,
}

/// Makes droplets: all that are named, or none.
///
/// # Errors
/// When anything in the request is not acceptable, or the account's limit is reached.
pub fn create(
    state: &mut State,
    env: &mut Env<'_>,
    request: CreateRequest,
    mishap: Mishap,
) -> Result<Vec<(Droplet, Action)>, Refusal> {
    let names = checked_names(&request)?;
    let plan = plan(state, env, request)?;
    let limit = usize::try_from(state.settings.droplet_limit).unwrap_or(usize::MAX);
    if alive(state).count().saturating_add(names.len()) > limit {
        return Err(Refusal::unprocessable("creating this/these droplet(s) will exceed your droplet limit"));
    }
    names.into_iter().map(|name| create_one(state, env, &plan, name, mishap)).collect()
}

fn create_one(
    state: &mut State,
    env: &mut Env<'_>,
    plan: &Plan,
    name: String,
    mishap: Mishap,
) -> Result<(Droplet, Action), Refusal> {
    let (address, guest_address) = free_addresses(state, env.public_net)?;
    let vpc = VpcAttachment {
        id: plan.vpc.id.clone(),
        address: free_private_address(state, &plan.vpc)?,
        prefix: plan.vpc.ip_range.prefix(),
    };
    state.counters.droplet = state.counters.droplet.saturating_add(1);
    let machine = MachineSpec {
        droplet_id: state.counters.droplet,
        hostname: name.clone(),
        address,
        guest_address,
        vpc: Some(vpc),
        vcpus: plan.size.vcpus,
        memory_mib: plan.size.memory_mib,
        disk_gib: plan.size.disk_gib,
        image: plan.image.slug.to_owned(),
        public_keys: plan.public_keys.clone(),
        user_data: plan.user_data.clone(),
        region: plan.region.slug.to_owned(),
        tags: plan.tags.clone(),
    };
    let lags = &state.settings.lags;
    let hidden = match mishap.hidden {
        Some(window) => Hidden { not_found: window, not_listed: window },
        None => Hidden { not_found: lags.create_not_found, not_listed: lags.create_not_listed },
    };
    let droplet = Droplet {
        machine,
        name,
        size: plan.size.slug.to_owned(),
        vpc_id: plan.vpc.id.clone(),
        features: plan.features.clone(),
        tags: Vec::new(),
        power: Power::New,
        created_at: env.now,
        hidden,
        running_since: None,
        deleted_at: None,
        destroyed: false,
    };
    Ok(enter(state, env, plan, droplet, mishap.fate))
}

/// Puts a new droplet into the account, as its fate has it. The answer is the same whatever becomes of it.
fn enter(state: &mut State, env: &Env<'_>, plan: &Plan, droplet: Droplet, fate: Fate) -> (Droplet, Action) {
    let id = droplet.machine.droplet_id;
    let action = actions::begin(state, env, &droplet, ActionKind::Create);
    state.droplets.insert(id, droplet.clone());
    for tag in &plan.tags {
        tags::put_on(state, tag, id);
    }
    let shown = state.droplets.get(&id).cloned().unwrap_or(droplet);
    // As on the real account: user data that is not ASCII is accepted, and the droplet never seen.
    let fate = if plan.user_data.is_ascii() { fate } else { Fate::Vanishes };
    actions::meet_fate(state, action.id, fate, env.now);
    if fate == Fate::Vanishes {
        state.droplets.remove(&id);
    }
    (shown, action)
}

fn checked_names(request: &CreateRequest) -> Result<Vec<String>, Refusal> {
    let names = match (&request.name, &request.names) {
        (Some(name), None) => vec![name.clone()],
        (None, Some(names)) => names.clone(),
        (None, None) => return Err(Refusal::unprocessable("Name can't be blank")),
        (Some(_), Some(_)) => return Err(Refusal::unprocessable("name and names can not be given together")),
    };
    if names.is_empty() {
        return Err(Refusal::unprocessable("Name can't be blank"));
    }
    if names.len() > MOST_AT_ONCE {
        return Err(Refusal::unprocessable(format!(
            "At most {MOST_AT_ONCE} droplets can be created at once"
        )));
    }
    names.iter().try_for_each(|name| check_name(name))?;
    Ok(names)
}

fn plan(state: &mut State, env: &mut Env<'_>, request: CreateRequest) -> Result<Plan, Refusal> {
    check_offered(&request)?;
    let invalid =
        |what: &str| Refusal::unprocessable(format!("You specified an invalid {what} for Droplet creation."));
    let size = request.size.as_deref().and_then(catalog::size_by_slug).ok_or_else(|| invalid("size"))?;
    let image = request.image.as_ref().and_then(image).ok_or_else(|| invalid("image"))?;
    let region = region(request.region.as_deref(), size).ok_or_else(|| invalid("region"))?;
    if !size.is_offered_in(region.slug) {
        return Err(Refusal::unprocessable("Size is not available in this region."));
    }
    if image.min_disk_gib > size.disk_gib {
        return Err(Refusal::unprocessable("This image requires a Droplet with a larger disk."));
    }
    let user_data = request.user_data.unwrap_or_default();
    if user_data.len() > LONGEST_USER_DATA {
        return Err(Refusal::unprocessable("User data is too large: at most 64 KiB"));
    }
    let public_keys = public_keys(state, &request.ssh_keys.unwrap_or_default())?;
    let vpc =
        vpcs::for_droplet(state, env, region.slug, request.vpc_uuid.as_deref().filter(|id| !id.is_empty()))?;
    let mut tags = Vec::new();
    for name in request.tags.unwrap_or_default() {
        let tag = tags::ensure(state, &name)?.name;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let mut features = vec!["droplet_agent".to_owned(), "private_networking".to_owned()];
    if request.monitoring == Some(true) {
        features.insert(0, "monitoring".to_owned());
    }
    Ok(Plan { region, size, image, vpc, public_keys, tags, user_data, features })
}

/// What a machine here cannot have is refused rather than silently left out.
fn check_offered(request: &CreateRequest) -> Result<(), Refusal> {
    let missing = if request.ipv6 == Some(true) {
        "IPv6"
    } else if request.backups == Some(true) {
        "backups"
    } else if request.public_networking == Some(false) {
        "droplets without a public network"
    } else if request.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty()) {
        "volumes"
    } else {
        return Ok(());
    };
    Err(Refusal::unprocessable(format!("The sandbox does not offer {missing}")))
}

fn image(wanted: &Value) -> Option<&'static Image> {
    match wanted {
        Value::Number(id) => catalog::image_by_id(id.as_u64()?),
        Value::String(text) => {
            catalog::image_by_slug(text).or_else(|| catalog::image_by_id(text.parse().ok()?))
        }
        _ => None,
    }
}

/// The region named, or the first that begins so; without a name the first that offers the size.
fn region(wanted: Option<&str>, size: &Size) -> Option<&'static Region> {
    let wanted = wanted.unwrap_or_default().to_ascii_lowercase();
    let mut beginning = catalog::regions().iter().filter(|region| region.slug.starts_with(&wanted));
    catalog::region_by_slug(&wanted).or_else(|| beginning.find(|region| size.is_offered_in(region.slug)))
}

fn public_keys(state: &State, wanted: &[Value]) -> Result<Vec<String>, Refusal> {
    let identifiers = wanted.iter().map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for identifier in identifiers {
        match keys::find(state, &identifier) {
            Ok(key) => found.push(key.public_key.clone()),
            Err(_) => unknown.push(identifier),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let unknown = unknown.join(", ");
    Err(Refusal::unprocessable(format!("{unknown} are invalid key identifiers for Droplet creation.")))
}

fn free_addresses(state: &State, public_net: Ipv4Addr) -> Result<(Ipv4Addr, Ipv4Addr), Refusal> {
    let [a, b, c, _] = public_net.octets();
    HOST_PARTS
        .map(|host| (Ipv4Addr::new(a, b, c, host), Ipv4Addr::new(203, 0, 113, host)))
        .find(|(address, _)| state.droplets.values().all(|droplet| droplet.machine.address != *address))
        .ok_or_else(|| Refusal::unprocessable("The sandbox has no address left for another droplet"))
}

fn free_private_address(state: &State, vpc: &Vpc) -> Result<Ipv4Addr, Refusal> {
    let taken = |address: Ipv4Addr| {
        let mut attachments = state.droplets.values().filter_map(|droplet| droplet.machine.vpc.as_ref());
        attachments.any(|attachment| attachment.id == vpc.id && attachment.address == address)
    };
    // The first address is the gateway, the last one the broadcast address.
    (2..)
        .map_while(|distance| vpc.ip_range.nth(distance).filter(|address| *address != vpc.ip_range.last()))
        .find(|address| !taken(*address))
        .ok_or_else(|| Refusal::unprocessable("The VPC has no address left for another droplet"))
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
