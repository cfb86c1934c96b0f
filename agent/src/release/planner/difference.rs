//! Which fields of a service are other ones than in the release that serves. Names alone: values may be secrets.

use std::collections::BTreeSet;

use serde_json::Value;
use tidegate_compose::Project;

use super::fate::DEFINITION_CHANGED;
use crate::release::plan::ReleasePlan;

/// Fields that are no part of what is compared, see `tidegate_compose::hash`.
const NOT_HASHED: &[&str] = &["build", "pull_policy", "scale", "depends_on", "profiles"];
/// More than that many fields are not listed.
const LISTED: usize = 12;

/// Whether a reason could be told better by [`explain`].
pub fn wants_explanation(plan: &ReleasePlan) -> bool {
    plan.services.iter().any(|service| service.reason.starts_with(DEFINITION_CHANGED))
}

/// Adds to the reasons the fields that changed: `its definition changed: environment.VERSION, ports`.
pub fn explain(plan: &mut ReleasePlan, former: &Project, project: &Project) {
    let json =
        |project: &Project| serde_json::from_str::<Value>(&project.to_json().to_pretty()).unwrap_or_default();
    let (former, now) = (json(former), json(project));
    for service in &mut plan.services {
        let Some(rest) = service.reason.strip_prefix(DEFINITION_CHANGED) else { continue };
        let of = |project: &Value| {
            project.pointer("/services").and_then(|all| all.get(service.name.as_str())).cloned()
        };
        let (Some(before), Some(after)) = (of(&former), of(&now)) else { continue };
        let fields = changed(&before, &after);
        if fields.is_empty() {
            continue;
        }
        let more = fields.len().saturating_sub(LISTED);
        let mut text = fields.into_iter().take(LISTED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            text = format!("{text} and {more} more");
        }
        service.reason = format!("{DEFINITION_CHANGED}: {text}{rest}");
    }
}

/// Paths of the fields that differ; of mappings, the keys within.
fn changed(before: &Value, after: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    let all: BTreeSet<String> =
        [before, after].into_iter().flat_map(|side| -> Vec<String> { keys(side) }).collect();
    let mut fields = Vec::new();
    for key in all.iter().filter(|key| !NOT_HASHED.contains(&key.as_str())) {
        let (own, other) = (before.get(key), after.get(key));
        if own == other {
            continue;
        }
        match (own.and_then(Value::as_object), other.and_then(Value::as_object)) {
            (Some(a), Some(b)) => {
                let inner: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                let differing = inner.into_iter().filter(|inner| a.get(*inner) != b.get(*inner));
                fields.extend(differing.map(|inner| format!("{key}.{inner}")));
            }
            (None, Some(b)) if own.is_none() => fields.extend(b.keys().map(|inner| format!("{key}.{inner}"))),
            (Some(a), None) if other.is_none() => {
                fields.extend(a.keys().map(|inner| format!("{key}.{inner}")));
            }
            _ => fields.push(key.clone()),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_named_and_values_are_not() {
        let before =
            json!({ "image": "web:1", "environment": { "A": "1", "B": "secret" }, "scale": 1, "tty": true });
        let after = json!({ "image": "web:2", "environment": { "A": "1", "B": "other" }, "scale": 2, "labels": { "x": "1" } });
        assert_eq!(changed(&before, &after), ["environment.B", "image", "labels.x", "tty"]);
    }
}
