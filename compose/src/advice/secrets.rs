//! Secrets that stand in the file.

use super::{Look, Rule};
use crate::model::Service;

const PLAIN: Rule = Rule {
    name: "plain-secret",
    why: "whoever can read the repository, now or later, can read it, and it cannot be changed without a release",
};

/// Words of a name that holds a secret.
const WORDS: &[&str] = &[
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PWD",
    "SECRET",
    "SECRETS",
    "TOKEN",
];
/// Endings of a name that is only about a secret: where it is, what it is called, how it is made.
const ABOUT: &[&str] = &[
    "AGE",
    "ALGORITHM",
    "COUNT",
    "DIR",
    "ENABLED",
    "EXPIRY",
    "FILE",
    "HOST",
    "ID",
    "LENGTH",
    "LIFETIME",
    "NAME",
    "PATH",
    "POLICY",
    "PREFIX",
    "PUBLIC",
    "TTL",
    "TYPE",
    "URL",
];

pub(super) fn rules(look: &mut Look<'_>) {
    for (name, service) in &look.loaded.project.services {
        for (variable, value) in declared(service) {
            let path = format!("services.{name}.environment.{variable}");
            if !look.loaded.is_literal(&path) || from_caller(look, variable, value) {
                continue;
            }
            let message = if holds_secret(variable) && could_be_secret(value) {
                format!("{variable} of {name} is written out in the file")
            } else if has_password(value) {
                format!("{variable} of {name} has a password written out in its address")
            } else {
                continue;
            };
            let cure = format!(
                "write `{variable}: ${{{variable}:?}}` and set it outside the repository, or use `secrets:`; and change it, since it was readable"
            );
            look.say(&PLAIN, &path, (message, cure));
            hide(look);
        }
    }
}

/// The environment as the Compose file gives it, without what came from env files.
fn declared(service: &Service) -> impl Iterator<Item = (&String, &String)> {
    let environment =
        service.declared.0.as_ref().map_or(&service.environment, |declared| &declared.environment);
    environment.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
}

/// A bare name takes its value from whoever runs the command.
fn from_caller(look: &Look<'_>, variable: &str, value: &str) -> bool {
    look.loaded.project.environment.get(variable).is_some_and(|own| own == value)
}

fn holds_secret(variable: &str) -> bool {
    let upper = variable.to_uppercase();
    let words: Vec<&str> = upper.split(['_', '-', '.']).filter(|word| !word.is_empty()).collect();
    let Some(last) = words.last().copied() else { return false };
    if upper == "PWD" || ABOUT.contains(&last) || words.contains(&"PUBLIC") {
        return false;
    }
    let glued = ["PASSWORD", "PASSWD", "SECRET", "TOKEN"].iter().any(|end| last.ends_with(end));
    glued || last == "KEY" || words.iter().any(|word| WORDS.contains(word))
}

/// Switches, paths and nothing at all are no secrets.
fn could_be_secret(value: &str) -> bool {
    const SWITCHES: &[&str] = &["", "0", "1", "true", "false", "yes", "no", "on", "off", "none"];
    !SWITCHES.contains(&value.to_lowercase().as_str()) && !value.starts_with(['/', '.'])
}

/// `scheme://user:password@host`
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
}

/// The line is not shown beyond the variable's name: it holds the secret.
fn hide(look: &mut Look<'_>) {
    let Some(advice) = look.found.last_mut() else { return };
    let variable = advice.path.rsplit('.').next().unwrap_or_default().to_owned();
    if let Some(place) = &mut advice.place {
        let end = place.text.find(&variable).map(|start| start + variable.len());
        let shown = end.and_then(|end| place.text.get(..end)).map(|text| format!("{text}: (hidden)"));
        place.text = shown.unwrap_or_default();
    }
}
