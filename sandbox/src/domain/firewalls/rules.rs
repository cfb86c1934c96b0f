//! A firewall's rules: checked and brought into the form in which the API shows them.

use std::net::IpAddr;

use serde::Deserialize;

use super::{Edit, null_is_empty};
use crate::{
    account::state::{InboundRule, OutboundRule, RuleTarget, State},
    domain::{Refusal, tags},
};

const MOST_RULES: usize = 50;
const MOST_ADDRESSES: usize = 1000;

/// The rules in a request.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RulesRequest {
    /// For what comes in.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub inbound_rules: Vec<RuleRequest>,
    /// For what goes out.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub outbound_rules: Vec<RuleRequest>,
}

/// A rule in a request; `sources` counts for one that lets in, `destinations` for one that lets out.
#[derive(Clone, Debug, Deserialize)]
pub struct RuleRequest {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: Option<String>,
    /// A port, a range, or all: `0`, `all` or nothing.
    pub ports: Option<String>,
    /// Where from.
    pub sources: Option<RuleTarget>,
    /// Where to.
    pub destinations: Option<RuleTarget>,
}

/// Checked rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// For what comes in.
    pub inbound: Vec<InboundRule>,
    /// For what goes out.
    pub outbound: Vec<OutboundRule>,
}

/// Checks rules; one given twice counts once.
///
/// # Errors
/// When one is malformed or names a tag that does not exist.
pub fn checked(state: &State, request: RulesRequest) -> Result<Rules, Refusal> {
    let mut rules = Rules::default();
    for rule in request.inbound_rules {
        let (protocol, ports) = (protocol(&rule)?, ports(&rule)?);
        let sources = target(state, rule.sources)?;
        edit(&mut rules.inbound, vec![InboundRule { protocol, ports, sources }], Edit::Add)?;
    }
    for rule in request.outbound_rules {
        let (protocol, ports) = (protocol(&rule)?, ports(&rule)?);
        let destinations = target(state, rule.destinations)?;
        edit(&mut rules.outbound, vec![OutboundRule { protocol, ports, destinations }], Edit::Add)?;
    }
    Ok(rules)
}

/// Adds rules to a list or takes them away.
///
/// # Errors
/// When the list becomes too long, or a rule to be taken away is not in it exactly so.
pub fn edit<T: PartialEq>(list: &mut Vec<T>, rules: Vec<T>, edit: Edit) -> Result<(), Refusal> {
    for rule in rules {
        match (edit, list.iter().position(|known| *known == rule)) {
            (Edit::Add, None) => list.push(rule),
            (Edit::Add, Some(_)) => {}
            (Edit::Remove, Some(place)) => drop(list.remove(place)),
            (Edit::Remove, None) => {
                return Err(Refusal::unprocessable("rule not found: it must match exactly"));
            }
        }
    }
    if list.len() > MOST_RULES {
        return Err(Refusal::unprocessable(format!("at most {MOST_RULES} rules are allowed per firewall")));
    }
    Ok(())
}

fn protocol(rule: &RuleRequest) -> Result<String, Refusal> {
    let protocol = rule.protocol.clone().unwrap_or_default().to_ascii_lowercase();
    if matches!(protocol.as_str(), "tcp" | "udp" | "icmp") {
        Ok(protocol)
    } else {
        Err(Refusal::unprocessable(format!("protocol {protocol:?} is invalid: it must be tcp, udp or icmp")))
    }
}

/// All ports are always shown as `0`.
fn ports(rule: &RuleRequest) -> Result<String, Refusal> {
    let ports = rule.ports.clone().unwrap_or_default();
    let is_icmp = rule.protocol.as_deref().is_some_and(|protocol| protocol.eq_ignore_ascii_case("icmp"));
    if is_icmp || matches!(ports.as_str(), "" | "0" | "all") {
        return Ok("0".to_owned());
    }
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let valid = match ports.split_once('-') {
        None => port(&ports).is_some(),
        Some((first, last)) => port(first).zip(port(last)).is_some_and(|(first, last)| first <= last),
    };
    if valid { Ok(ports) } else { Err(Refusal::unprocessable(format!("ports {ports:?} is invalid"))) }
}

fn target(state: &State, target: Option<RuleTarget>) -> Result<RuleTarget, Refusal> {
    let mut target = target.unwrap_or_default();
    let invalid = || Refusal::unprocessable("invalid address");
    if target == RuleTarget::default() || !target.addresses.iter().all(|address| is_address(address)) {
        return Err(invalid());
    }
    if target.addresses.len() > MOST_ADDRESSES {
        return Err(Refusal::unprocessable(format!(
            "at most {MOST_ADDRESSES} addresses are allowed per rule"
        )));
    }
    for name in &mut target.tags {
        let known =
            tags::find(state, name).map_err(|_| Refusal::unprocessable(format!("tag {name:?} not found")))?;
        known.name.clone_into(name);
    }
    Ok(target)
}

fn is_address(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else {
        return text.parse::<IpAddr>().is_ok();
    };
    let longest = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    prefix.parse::<u8>().is_ok_and(|prefix| prefix <= longest)
}
