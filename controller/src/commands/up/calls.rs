//! What `up --dry-run` shows: the calls that would change something, with bodies; the one-time token is not in them.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    fleet::Fleet,
    plan::{Action, Change, Plan, Resource},
};

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Call {
    method: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    body: Value,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if self.body.is_null() {
            return Ok(());
        }
        let body = serde_json::to_string_pretty(&self.body).map_err(|_| fmt::Error)?;
        write!(f, "\n{body}")
    }
}

/// The calls of a plan, in order.
pub(super) fn calls(plan: &Plan, fleet: &Fleet) -> Vec<Call> {
    plan.changes.iter().flat_map(|change| of(change, plan, fleet)).collect()
}

fn of(change: &Change, plan: &Plan, fleet: &Fleet) -> Vec<Call> {
    let post = |path: &str, body: Value| Call { method: "POST", path: path.to_owned(), body };
    let delete = |path: String| Call { method: "DELETE", path, body: Value::Null };
    let name = &change.name;
    match (&change.resource, change.action) {
        (Resource::SshKey { public_key }, _) => {
            vec![post("/v2/account/keys", json!({ "name": name, "public_key": public_key }))]
        }
        (Resource::Vpc, _) => {
            vec![post(
                "/v2/vpcs",
                json!({ "name": name, "description": fleet.scope.tag(), "region": plan.region }),
            )]
        }
        (Resource::Firewall { id: Some(id), .. }, Action::Delete) => {
            vec![delete(format!("/v2/firewalls/{id}"))]
        }
        (Resource::Firewall { id: Some(id), spec, .. }, _) => {
            vec![Call { method: "PUT", path: format!("/v2/firewalls/{id}"), body: json!(spec) }]
        }
        (Resource::Firewall { id: None, spec, .. }, _) => {
            let tags = spec.tags.iter().map(|tag| post("/v2/tags", json!({ "name": tag })));
            tags.chain([post("/v2/firewalls", json!(spec))]).collect()
        }
        (Resource::Droplet { id, spec }, action) => {
            let mut tags = spec.tags.clone();
            tags.push("tidegate-intent:<drawn when it is made>".to_owned());
            let body = json!({
                "name": name, "region": plan.region, "size": spec.size, "image": spec.image,
                "ssh_keys": ["<the fleet's>"], "tags": tags, "vpc_uuid": "<the fleet's>",
                "user_data": "<cloud-init: the agent, the root certificate, a one-time token>",
            });
            let gone = id.filter(|_| action != Action::Create).map(|id| delete(format!("/v2/droplets/{id}")));
            let made = (action != Action::Delete).then(|| post("/v2/droplets", body));
            gone.into_iter().chain(made).collect()
        }
    }
}
