//! Faults on demand: rules that are given over `/sandbox/faults`, matched against requests below `/v2`, and drawn with a
//! chance that comes from the account's seed. Kept in memory only.

use std::time::Duration;

use http::Method;
use rand::{RngExt, rngs::StdRng};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::droplets::{Fate, Mishap};

/// A rule: which requests, how often, what happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Method; without one, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path: `*` stands for one segment, a last `**` for any rest.
    pub path: String,
    /// So many matching requests are left alone first.
    #[serde(default)]
    pub skip: u32,
    /// The rule ends after so many faults; without a number, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Chance of each matching request, from 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// What happens.
    pub effect: Effect,
}

fn always() -> f64 {
    1.0
}

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// It is answered later.
    Latency {
        /// How much later.
        millis: u64,
    },
    /// It is answered with this status, and nothing is done.
    Status {
        /// The status. 429, 500 and 503 have their usual bodies, 502, 504, 520 and 524 an HTML page.
        status: u16,
        /// Seconds in `retry-after`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// Another body than the usual one: a text is sent as it is, anything else as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// The connection is cut, and nothing is done.
    ResetBefore,
    /// It is done, and the connection is cut instead of an answer.
    ResetAfter,
    /// Silence for so long, then the connection is cut; nothing is done.
    HangBefore {
        /// How long.
        millis: u64,
    },
    /// It is done; then silence for so long, then the connection is cut.
    HangAfter {
        /// How long.
        millis: u64,
    },
    /// A droplet that is made answers 404 and is in no list for so long.
    Hide {
        /// How long.
        millis: u64,
    },
    /// The action that begins stays in progress for ever.
    Stuck,
    /// What was accepted is lost: a new droplet is never seen, an action ends in error.
    Vanish,
}

impl Effect {
    /// What it means for the rules of droplets.
    pub(super) fn mishap(&self) -> Mishap {
        match self {
            Self::Hide { millis } => {
                Mishap { hidden: Some(Duration::from_millis(*millis)), fate: Fate::Done }
            }
            Self::Stuck => Mishap { hidden: None, fate: Fate::Stuck },
            Self::Vanish => Mishap { hidden: None, fate: Fate::Vanishes },
            _ => Mishap::default(),
        }
    }
}

/// A rule at work.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Active {
    /// Its number, to remove it.
    pub(super) id: u64,
    /// The rule.
    #[serde(flatten)]
    pub(super) rule: Rule,
    /// Matching requests so far.
    pub(super) seen: u32,
    /// Faults so far.
    pub(super) hits: u32,
}

/// All rules, in the order they were given. The first that fires is the one that counts.
#[derive(Debug)]
pub(super) struct Faults {
    rules: Vec<Active>,
    last_id: u64,
    rng: StdRng,
}

impl Faults {
    pub(super) fn new(rng: StdRng) -> Self {
        Self { rules: Vec::new(), last_id: 0, rng }
    }

    /// Adds a rule and tells its number.
    pub(super) fn add(&mut self, rule: Rule) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.rules.push(Active { id: self.last_id, rule, seen: 0, hits: 0 });
        self.last_id
    }

    /// The rules at work, those that have ended included.
    pub(super) fn list(&self) -> &[Active] {
        &self.rules
    }

    /// Removes one rule, or all; tells how many that were.
    pub(super) fn remove(&mut self, id: Option<u64>) -> usize {
        let before = self.rules.len();
        self.rules.retain(|active| id.is_some_and(|id| active.id != id));
        before - self.rules.len()
    }

    /// What happens to a request, if anything.
    pub(super) fn draw(&mut self, method: &Method, path: &str) -> Option<Effect> {
        for active in &mut self.rules {
            let rule = &active.rule;
            let method_fits =
                rule.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()));
            if !method_fits || !fits(&rule.path, path) {
                continue;
            }
            active.seen = active.seen.saturating_add(1);
            let over = rule.count.is_some_and(|count| active.hits >= count);
            if active.seen <= rule.skip || over || !self.rng.random_bool(rule.probability.clamp(0.0, 1.0)) {
                continue;
            }
            active.hits = active.hits.saturating_add(1);
            return Some(rule.effect.clone());
        }
        None
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        if wanted == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if wanted == "*" || wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn rule(path: &str) -> Rule {
        serde_json::from_value(serde_json::json!({"path": path, "effect": {"kind": "reset_after"}})).unwrap()
    }

    fn faults(seed: u64) -> Faults {
        Faults::new(StdRng::seed_from_u64(seed))
    }

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("/v2/droplets", "/v2/droplets", true),
            ("/v2/droplets", "/v2/droplets/1", false),
            ("/v2/droplets/*", "/v2/droplets/1", true),
            ("/v2/droplets/*", "/v2/droplets/1/actions", false),
            ("/v2/**", "/v2/droplets/1/actions", true),
            ("/v2/*/1", "/v2/droplets/2", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn skip_then_count() {
        let mut faults = faults(1);
        faults.add(Rule { skip: 1, count: Some(2), method: Some("post".to_owned()), ..rule("/v2/droplets") });
        assert_eq!(faults.draw(&Method::GET, "/v2/droplets"), None);
        let drawn: Vec<bool> = (0..5).map(|_| faults.draw(&Method::POST, "/v2/droplets").is_some()).collect();
        assert_eq!(drawn, [false, true, true, false, false]);
        assert_eq!((faults.list()[0].seen, faults.list()[0].hits), (5, 2));
        assert_eq!(faults.remove(Some(1)), 1);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| {
            let mut faults = faults(seed);
            faults.add(Rule { probability: 0.5, ..rule("/v2/**") });
            (0..64).map(|_| faults.draw(&Method::GET, "/v2/x").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
        let hits = draw(5).into_iter().filter(|hit| *hit).count();
        assert!((16..48).contains(&hits), "{hits}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        for text in [
            r#"{"path":"/v2","effect":{"kind":"stuck"},"often":1}"#,
            r#"{"path":"/v2","effect":{"kind":"status","status":500,"colour":"red"}}"#,
            r#"{"path":"/v2","effect":{"kind":"meteor"}}"#,
        ] {
            serde_json::from_str::<Rule>(text).unwrap_err();
        }
    }
}
