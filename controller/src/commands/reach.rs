//! What every command that talks to agents begins with: fleet file, inventory, the user's certificate, the agents meant.

use super::{context::Context, prepare::not_initialised};
use crate::{
    agents::{self, Agent, AgentError, Caller, Selection, Target},
    authority::{AuthorityError, User, UserKeys},
    failure::Failure,
    fleet::{App, Fleet},
    names::Name,
    state::{Inventory, StateDir},
    suggest,
};

/// Which app and which droplet a command means.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// App of the fleet file; not needed when there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<Name>,
    /// Droplet, such as `web-1`; by default all that the command is for
    #[arg(long, value_name = "DROPLET")]
    pub droplet: Option<String>,
}

impl Which {
    /// The droplet as a selection.
    pub fn selection(&self) -> Selection<'_> {
        self.droplet.as_deref().map_or(Selection::All, Selection::Named)
    }
}

/// Fleet, state and keys.
pub(super) struct Reach {
    pub fleet: Fleet,
    pub state: StateDir,
    pub inventory: Inventory,
    pub caller: Caller,
}

impl Reach {
    /// Reads all of it; nobody is called yet.
    pub fn open(context: &Context) -> anyhow::Result<Self> {
        let fleet = context.fleet()?;
        let state = context.state(&fleet.scope)?;
        let inventory = Inventory::load(&state)?;
        let user = User::local(&context.environ)?;
        let keys = UserKeys::load(&state, &fleet.scope, &user, context.clock.now()).map_err(no_keys)?;
        Ok(Self { fleet, state, inventory, caller: Caller { keys, clock: context.clock.clone() } })
    }

    /// The app that is meant.
    pub fn app(&self, named: Option<&Name>) -> anyhow::Result<(Name, App)> {
        let apps = &self.fleet.apps;
        let known = || apps.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let found = match named {
            Some(name) => apps.get_key_value(name).ok_or_else(|| {
                let nearest = suggest::nearest(name.as_str(), apps.keys().map(Name::as_str));
                let hint = nearest.map_or_else(
                    || format!("there is {}", known()),
                    |n| format!("did you mean `{n}`?"),
                );
                Failure::input(format!("the fleet file has no app `{name}`")).hint(hint)
            })?,
            None if apps.len() > 1 => {
                return Err(Failure::input("the fleet file has several apps")
                    .hint(format!("say which with --app: {}", known()))
                    .into());
            }
            None => apps.iter().next().ok_or_else(|| {
                Failure::input("the fleet file has no app")
                    .hint("add [app.NAME] with `compose` and `droplets`")
            })?,
        };
        Ok((found.0.clone(), found.1.clone()))
    }

    /// The agents an app runs on.
    pub fn targets(&self, app: (&Name, &App), selection: Selection<'_>) -> anyhow::Result<Vec<Target>> {
        Ok(agents::of_app(&self.fleet, &self.inventory, app, selection)?)
    }

    /// Connects to one.
    pub async fn connect(&self, target: &Target) -> Result<Agent, AgentError> {
        self.caller.connect(&target.short, target.droplet, target.address).await
    }
}

fn no_keys(error: AuthorityError) -> anyhow::Error {
    match error {
        AuthorityError::State(error) => not_initialised(error),
        other => other.into(),
    }
}
