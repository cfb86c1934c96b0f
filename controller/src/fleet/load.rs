//! From a file to a [`Fleet`]: parse, lay the environment over the base, read the sections, check what refers to what.
//! Every environment of the file is checked, so that an error in staging is not found in production's night.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::de::{DeTable, DeValue};

use super::{
    addresses::{Network, Source},
    alert,
    bucket::{self, Bucket},
    merge::merge,
    model::{Firewall, Fleet, Located, Role},
    problem::{FleetError, masked, render},
    reader::{Notes, Table},
    sections::{self, AGENT_PORT},
};
use crate::{
    names::{Name, Scope},
    suggest::nearest,
};

/// The file's name where none is given.
pub const FILE_NAME: &str = "tidegate.toml";

const KNOWN: &[&str] = &[
    "fleet",
    "region",
    "droplet",
    "firewall",
    "bucket",
    "addresses",
    "alert",
    "app",
    "agent",
    "ssh",
    "environment",
];

/// Keys that other versions know.
const LATER: &[&str] = &[
    "loadbalancer",
    "database",
    "domain",
    "volume",
    "certificate",
    "project",
    "backup",
    "platform",
    "schedule",
    "policy",
    "monitoring",
    "reserved_ip",
    "registry",
    "secrets",
    "state",
];

/// Reads a fleet file for one environment.
///
/// # Errors
/// When there is none, it cannot be read, or anything in it is wrong: all of it at once.
pub fn load(path: &Path, environment: &Name) -> Result<Fleet, FleetError> {
    let text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(FleetError::Missing(path.to_owned()));
        }
        Err(error) => return Err(FleetError::Read(error)),
    };
    let directory = path.parent().map(Path::to_owned).unwrap_or_default();
    parse(&text, &path.display().to_string(), &directory, environment)
}

/// The same from a text.
pub(super) fn parse(
    text: &str,
    file: &str,
    directory: &Path,
    environment: &Name,
) -> Result<Fleet, FleetError> {
    let notes = Notes::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        notes.add(error.span().unwrap_or(0..0), error.message().to_owned(), None);
    }
    let broken = !notes.problems.borrow().is_empty();
    let fleet = if broken { None } else { environments(&notes, root.get_ref(), directory, environment) };
    let (problems, withheld) = (notes.problems.into_inner(), notes.withheld.into_inner());
    match fleet {
        Some(fleet) if problems.is_empty() => Ok(fleet),
        _ => Err(FleetError::Wrong(render(file, &masked(text, &withheld), problems))),
    }
}

fn environments(notes: &Notes<'_>, root: &DeTable<'_>, directory: &Path, wanted: &Name) -> Option<Fleet> {
    let mut base = root.clone();
    let overrides = base.remove("environment");
    let whole = Table::new(notes, root, 0..0, "");
    let named = whole.named("environment");
    let mut found = None;
    let mut names: Vec<String> = named.iter().map(|(name, ..)| name.clone()).collect();
    if !names.iter().any(|name| name == "production") {
        names.push("production".to_owned());
    }
    for name in &names {
        let mut table = base.clone();
        let over = overrides.as_ref().and_then(|o| o.get_ref().as_table()).and_then(|t| t.get(name.as_str()));
        if let Some(DeValue::Table(over)) = over.map(toml::Spanned::get_ref) {
            merge(&mut table, over);
        }
        let span = named.iter().find(|(own, ..)| own == name).map_or(0..0, |(_, span, _)| span.clone());
        let Ok(environment) = name.parse::<Name>() else {
            notes.add(span, format!("`{name}` cannot name an environment"), None);
            continue;
        };
        let fleet = sections_of(&Table::new(notes, &table, 0..0, ""), &environment, directory);
        if environment == *wanted {
            found = fleet;
        }
    }
    if !names.iter().any(|name| name == wanted.as_str()) {
        let hint = nearest(wanted.as_str(), names.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"));
        notes.add(0..0, format!("the file has no [environment.{wanted}]; it has {}", names.join(", ")), hint);
    }
    found
}

fn sections_of(root: &Table<'_, '_, '_>, environment: &Name, directory: &Path) -> Option<Fleet> {
    root.only(KNOWN, LATER);
    if !root.keys().iter().any(|key| key == "fleet") {
        root.missing("fleet", "fleet = \"shop\"");
    }
    let fleet = root.parsed::<Name>("fleet");
    let region = root.required("region", "region = \"fra1\"");
    let groups = groups(root);
    let firewalls = by_name(root, "firewall", |table| Some(sections::firewall(table, &groups)));
    let roles = by_name(root, "droplet", sections::role);
    let buckets = by_name(root, "bucket", bucket::bucket);
    let apps = by_name(root, "app", |table| Some(sections::app(table)));
    if roles.is_empty() && root.table("droplet", "[droplet]").is_none() {
        root.missing("droplet", "[droplet.web]");
    }
    let (agent, within) =
        root.table("agent", "[agent]").map_or((None, None), |table| sections::agent(&table));
    let ssh = root.table("ssh", "[ssh]").map_or_else(Default::default, |table| sections::ssh(&table));
    let alert = root.table("alert", "[alert]").map(|table| alert::alert(&table));
    references(root, &roles, &firewalls);
    same_place(root, &buckets);
    Some(Fleet {
        scope: Scope { fleet: fleet?, environment: environment.clone() },
        directory: if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory.to_owned() },
        region: region?,
        roles,
        firewalls,
        buckets,
        alert,
        apps,
        agent,
        ssh,
        enrol_within: within.unwrap_or(Duration::from_mins(30)),
    })
}

fn by_name<T>(
    root: &Table<'_, '_, '_>,
    kind: &str,
    mut read: impl FnMut(&Table<'_, '_, '_>) -> Option<T>,
) -> BTreeMap<Name, T> {
    let mut all = BTreeMap::new();
    for (name, span, table) in root.named(kind) {
        let value = read(&table);
        match name.parse::<Name>() {
            Ok(name) => all.extend(value.map(|value| (name, value))),
            Err(error) => root.notes().add(span, error.to_string(), None),
        }
    }
    all
}

fn groups(root: &Table<'_, '_, '_>) -> BTreeMap<String, Vec<Network>> {
    let Some(table) = root.table("addresses", "[addresses]") else { return BTreeMap::new() };
    let networks =
        |key: &String| table.parsed_list::<Network>(key).into_iter().map(|(network, _)| network).collect();
    table.keys().iter().map(|key| (key.clone(), networks(key))).collect()
}

/// What names another section has to name one that is there. Names are taken from the file, not from what could be
/// read, so that an error inside a section is told once.
fn references(root: &Table<'_, '_, '_>, roles: &BTreeMap<Name, Role>, firewalls: &BTreeMap<Name, Firewall>) {
    let known = |kind: &str| root.named(kind).into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    let (role_names, firewall_names) = (known("droplet"), known("firewall"));
    for (name, span, table) in root.named("droplet") {
        for (firewall, at) in table.strings("firewall") {
            dangling(root, ("firewall", &firewall), &firewall_names, at);
        }
        let role = name.parse::<Name>().ok().and_then(|name| roles.get(&name));
        if let Some(role) = role.filter(|role| !agent_gets_in(firewalls, role)) {
            let hint = "add { ports = \"7443\", from = [\"admins\"] } to one of its firewalls";
            let message = if role.firewalls.is_empty() {
                format!("droplet `{name}` has no firewall, so all its ports would be open to everyone")
            } else {
                format!(
                    "no firewall of droplet `{name}` lets port 7443 in, so its agent could not be reached"
                )
            };
            root.notes().add(span, message, Some(hint.to_owned()));
        }
    }
    for (name, span, table) in root.named("app") {
        let on = table.strings("droplets");
        if on.is_empty() && role_names.len() > 1 {
            root.notes().add(span, format!("app `{name}` does not say on which `droplets` it runs"), None);
        }
        for (role, at) in on {
            dangling(root, ("droplet", &role), &role_names, at);
        }
    }
}

/// Two names for one place would store a backup there twice.
fn same_place(root: &Table<'_, '_, '_>, buckets: &BTreeMap<Name, Bucket>) {
    let place = |bucket: &Bucket| (bucket.endpoint.to_string(), bucket.bucket.clone(), bucket.prefix.clone());
    let mut seen = BTreeMap::new();
    for (name, span, _) in root.named("bucket") {
        let Some(bucket) = name.parse::<Name>().ok().and_then(|name| buckets.get(&name)) else { continue };
        if let Some(other) = seen.insert(place(bucket), name.clone()) {
            let hint = "remove one of them, or give them a `prefix` each".to_owned();
            let message = format!("bucket `{name}` is the same place as bucket `{other}`");
            root.notes().add(span, message, Some(hint));
        }
    }
}

fn dangling(
    root: &Table<'_, '_, '_>,
    (kind, name): (&str, &str),
    known: &[String],
    at: std::ops::Range<usize>,
) {
    if known.iter().any(|own| own == name) {
        return;
    }
    let hint = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    root.notes().add(at, format!("there is no [{kind}.{name}]"), hint);
}

fn agent_gets_in(firewalls: &BTreeMap<Name, Firewall>, role: &Role) -> bool {
    // A firewall that is not there is told as such already.
    if role.firewalls.iter().any(|name| !firewalls.contains_key(name)) {
        return true;
    }
    let named = role.firewalls.iter().filter_map(|name| firewalls.get(name));
    let rules = named.flat_map(|firewall| &firewall.inbound);
    rules
        .filter(|rule| rule.protocol == super::model::Protocol::Tcp && !rule.from.iter().all(is_empty_group))
        .any(|rule| {
            rule.ports.is_empty()
                || rule.ports.iter().any(|ports| (ports.first..=ports.last).contains(&AGENT_PORT))
        })
}

fn is_empty_group(source: &Source) -> bool {
    source.cidrs().is_empty()
}

impl Fleet {
    /// The roles an app runs on: those it names, or the only one there is.
    pub fn roles_of(&self, app: &super::model::App) -> Vec<Name> {
        if app.droplets.is_empty() { self.roles.keys().cloned().collect() } else { app.droplets.clone() }
    }

    /// `tidegate.toml:2:10` of a value, for errors found later.
    pub fn at<T>(&self, located: &Located<T>) -> String {
        format!("{FILE_NAME}:{}", located.place)
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
