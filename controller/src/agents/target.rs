//! Which agents a command means: all of the environment, those an app runs on, or the one that was named.

use std::net::Ipv4Addr;

use tidegate_proto::names::DropletId;

use crate::{
    fleet::{App, Fleet},
    names::Name,
    state::Inventory,
    suggest,
};

/// One enrolled agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The droplet's name in the cloud, `shop-production-web-1`.
    pub name: String,
    /// The same without fleet and environment, `web-1`: how people name it.
    pub short: String,
    /// The droplet's id, part of the agent's identity.
    pub droplet: DropletId,
    /// Where the agent answers.
    pub address: Ipv4Addr,
    /// Where it answers the agents of other droplets; none in inventories of older versions.
    pub private_address: Option<Ipv4Addr>,
}

/// How the user narrowed the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// Not at all.
    All,
    /// One droplet, by its short or its full name.
    Named(&'a str),
}

/// No agent to talk to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// `up` did not run, or not from this state directory.
    #[error("this machine knows no enrolled droplet of {0}")]
    NoneEnrolled(String),
    /// The droplets of the app's roles are not there.
    #[error("app {app} runs on {roles}, and no droplet of that is enrolled")]
    NoneOfApp {
        /// The app.
        app: Name,
        /// Its roles.
        roles: String,
    },
    /// No droplet has the name that was given.
    #[error("there is no droplet `{name}` here; there is {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All that there are.
        known: String,
        /// The nearest one.
        nearest: Option<String>,
    },
}

impl TargetError {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::NoneEnrolled(_) | Self::NoneOfApp { .. } => {
                "`tidegate up` makes and enrols droplets; state of another machine is found with --state-dir"
                    .to_owned()
            }
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::Unknown { .. } => "`tidegate info` lists droplets".to_owned(),
        }
    }
}

/// All agents of the environment, narrowed.
///
/// # Errors
/// When there is none, or none of that name.
pub fn of_environment(
    fleet: &Fleet,
    inventory: &Inventory,
    selection: Selection<'_>,
) -> Result<Vec<Target>, TargetError> {
    let targets = enrolled(fleet, inventory);
    if targets.is_empty() {
        return Err(TargetError::NoneEnrolled(fleet.scope.to_string()));
    }
    narrow(targets, selection)
}

/// The agents that an app runs on, narrowed.
///
/// # Errors
/// When there is none, or none of that name.
pub fn of_app(
    fleet: &Fleet,
    inventory: &Inventory,
    app: (&Name, &App),
    selection: Selection<'_>,
) -> Result<Vec<Target>, TargetError> {
    let (name, app) = app;
    let all = of_environment(fleet, inventory, Selection::All)?;
    let roles = fleet.roles_of(app);
    let is_of = |target: &Target| {
        let role = target.short.rsplit_once('-').map(|(role, _)| role);
        roles.iter().any(|wanted| role == Some(wanted.as_str()))
    };
    let targets: Vec<Target> = all.into_iter().filter(is_of).collect();
    if targets.is_empty() {
        let roles: Vec<&str> = roles.iter().map(Name::as_str).collect();
        return Err(TargetError::NoneOfApp { app: name.clone(), roles: roles.join(", ") });
    }
    narrow(targets, selection)
}

fn enrolled(fleet: &Fleet, inventory: &Inventory) -> Vec<Target> {
    let prefix = format!("{}-", fleet.scope.base());
    let known = inventory.droplets.iter().filter(|(_, record)| record.enrolled);
    let mut targets: Vec<Target> = known
        .filter_map(|(name, record)| {
            Some(Target {
                name: name.clone(),
                short: name.strip_prefix(&prefix)?.to_owned(),
                droplet: DropletId::new(record.id?).ok()?,
                address: record.address?,
                private_address: record.private_address,
            })
        })
        .collect();
    // web-2 before web-10.
    targets.sort_by(|a, b| (a.short.len(), &a.short).cmp(&(b.short.len(), &b.short)));
    targets
}

fn narrow(targets: Vec<Target>, selection: Selection<'_>) -> Result<Vec<Target>, TargetError> {
    let Selection::Named(name) = selection else {
        return Ok(targets);
    };
    let shorts: Vec<String> = targets.iter().map(|target| target.short.clone()).collect();
    let chosen: Vec<Target> =
        targets.into_iter().filter(|target| target.short == name || target.name == name).collect();
    if chosen.is_empty() {
        let nearest = suggest::nearest(name, shorts.iter().map(String::as_str)).map(str::to_owned);
        return Err(TargetError::Unknown { name: name.to_owned(), known: shorts.join(", "), nearest });
    }
    Ok(chosen)
}
