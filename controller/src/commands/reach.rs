//! What every command that talks to agents begins with: fleet file, inventory, the user's certificate, the agents meant.

use jiff::Timestamp;
use tidegate_proto::{audit::Head, certificates::SpkiDigest, tls::Expiry, v1::InfoResponse};

use super::{context::Context, prepare::not_initialised};
use crate::{
    agents::{self, Agent, AgentError, AuditError, Caller, RENEW_BEFORE, Selection, Target, advance, renew},
    authority::{Authority, AuthorityError, User, UserKeys},
    failure::Failure,
    fleet::{App, Fleet},
    names::Name,
    output::Printer,
    state::{DropletRecord, Inventory, StateDir, StateError},
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
    printer: Printer,
}

impl Reach {
    /// Reads all of it; nobody is called yet.
    pub fn open(context: &Context) -> anyhow::Result<Self> {
        let fleet = context.fleet()?;
        let state = context.state(&fleet.scope)?;
        let inventory = Inventory::load(&state)?;
        let user = User::local(&context.environ)?;
        let keys = UserKeys::load(&state, &fleet.scope, &user, context.clock.now()).map_err(no_keys)?;
        let caller = Caller { keys, clock: context.clock.clone() };
        Ok(Self { fleet, state, inventory, caller, printer: context.printer.clone() })
    }

    /// The app that is meant.
    pub fn app(&self, named: Option<&Name>) -> anyhow::Result<(Name, App)> {
        let apps = &self.fleet.apps;
        let known = || apps.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let found = match named {
            Some(name) => apps.get_key_value(name).ok_or_else(|| {
                let nearest = suggest::nearest(name.as_str(), apps.keys().map(Name::as_str));
                let hint = nearest
                    .map_or_else(|| format!("there is {}", known()), |n| format!("did you mean `{n}`?"));
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

    /// Connects to one, and renews its certificate when that is near its end and this machine can sign.
    pub async fn connect(&self, target: &Target) -> Result<Agent, AgentError> {
        match self.caller.connect(&target.short, target.droplet, target.address).await {
            Ok(agent) => {
                let soon = self.caller.clock.now().checked_add(RENEW_BEFORE).unwrap_or(Timestamp::MAX);
                if agent.certificate().is_some_and(|own| own.not_after < soon) {
                    self.renew(target, &agent).await;
                }
                Ok(agent)
            }
            Err(error) => self.revive(target).await.ok_or(error),
        }
    }

    /// Connects, asks what the machine is, and refuses an agent of another version or with a log that was tampered with.
    pub async fn checked(&self, target: &Target) -> anyhow::Result<(Agent, InfoResponse)> {
        let agent = self.connect(target).await?;
        let info = agent.info().await?;
        self.check_version(target, &info.agent_version)?;
        self.check_audit(&agent, target, &info).await?;
        Ok((agent, info))
    }

    /// An agent whose certificate ran out is taken for `Renew` alone, if its key is the recorded one.
    async fn revive(&self, target: &Target) -> Option<Agent> {
        let record = self.inventory.droplets.get(&target.name)?;
        if record.certificate_not_after? >= self.caller.clock.now() {
            return None;
        }
        let key = <[u8; 32]>::try_from(hex::decode(&record.agent_key).ok()?).ok()?;
        let expiry = Expiry::RenewExpired { recorded: SpkiDigest::from_bytes(key) };
        let agent =
            self.caller.connect_as(&target.short, target.droplet, target.address, expiry).await.ok()?;
        self.renew(target, &agent).await;
        self.caller.connect(&target.short, target.droplet, target.address).await.ok()
    }

    async fn renew(&self, target: &Target, agent: &Agent) {
        let Ok(authority) = Authority::load(&self.state, &self.fleet.scope) else { return };
        let told = match renew(agent, &authority, target.droplet, self.caller.clock.now()).await {
            Ok((key, ends)) => {
                let recorded = self.change(target, |record| {
                    record.agent_key = hex::encode(key.as_bytes());
                    record.certificate_not_after = ends.or(record.certificate_not_after);
                });
                match recorded {
                    Ok(()) => "was renewed".to_owned(),
                    Err(error) => format!("was renewed, but that cannot be recorded: {error:#}"),
                }
            }
            Err(error) => format!("could not be renewed: {error}"),
        };
        self.printer.note(format!("note: the certificate of {} {told}", target.short));
    }

    /// Same major and minor version, or the wire may not mean the same.
    fn check_version(&self, target: &Target, agent: &str) -> anyhow::Result<()> {
        let own = env!("CARGO_PKG_VERSION");
        let line = |version: &str| {
            version.split('.').take(2).map(|part| part.parse::<u64>().ok()).collect::<Vec<_>>()
        };
        if line(own) == line(agent) {
            return Ok(());
        }
        let source = self.fleet.agent.as_ref();
        let url = source.map_or("URL", |agent| agent.url.as_str());
        let sha256 = source.map_or("SHA256", |agent| agent.sha256.as_str());
        let hint = if line(own) > line(agent) {
            format!(
                "update the agent: let [agent] in tidegate.toml name version {own}, then \
                 `tidegate exec --host --droplet {} -- tidegate-install {url} {sha256}`",
                target.short
            )
        } else {
            format!("update tidegate on this machine to version {agent}")
        };
        let what = format!("{} runs agent {agent}, this is tidegate {own}", target.short);
        Err(Failure::failed(what).hint(hint).into())
    }

    /// What was seen of the agent's audit log has to be there still; what is new is remembered.
    async fn check_audit(&self, agent: &Agent, target: &Target, info: &InfoResponse) -> anyhow::Result<()> {
        let seen = self.seen_head(target);
        if info.audit_head_number == seen.number && info.audit_head_hash == seen.hash {
            return Ok(());
        }
        let advanced = match advance(agent, seen, seen).await {
            // Who may not read the log cannot check it.
            Err(AuditError::Agent(AgentError::Call(call)))
                if call.code() == tonic::Code::PermissionDenied =>
            {
                return Ok(());
            }
            Err(AuditError::Agent(error)) => return Err(error.into()),
            Err(error) => return Err(tampered(error).into()),
            Ok(advanced) => advanced,
        };
        self.remember(target, advanced.head)
    }

    /// The last entry seen of an agent's log.
    pub fn seen_head(&self, target: &Target) -> Head {
        let record = self.inventory.droplets.get(&target.name);
        let hash = record.and_then(|record| hex::decode(&record.audit_head_hash).ok()?.try_into().ok());
        record.zip(hash).map_or(Head::EMPTY, |(record, hash)| Head { number: record.audit_head_number, hash })
    }

    /// Writes down the end of an agent's audit log.
    pub fn remember(&self, target: &Target, head: Head) -> anyhow::Result<()> {
        Ok(self.change(target, |record| {
            if record.audit_head_number <= head.number {
                record.audit_head_number = head.number;
                record.audit_head_hash = hex::encode(head.hash);
            }
        })?)
    }

    /// Under the lock and on a fresh copy: another command may have written meanwhile. Who finds it locked leaves it:
    /// what is remembered here is seen again by the next command.
    fn change(&self, target: &Target, change: impl FnOnce(&mut DropletRecord)) -> Result<(), StateError> {
        let Ok(_lock) = self.state.lock(&self.fleet.scope) else { return Ok(()) };
        let mut inventory = Inventory::load(&self.state)?;
        if let Some(record) = inventory.droplets.get_mut(&target.name) {
            change(record);
            inventory.save(&self.state)?;
        }
        Ok(())
    }
}

/// A log that cannot be believed.
pub(super) fn tampered(error: AuditError) -> Failure {
    Failure::in_doubt("an agent's audit log cannot be trusted")
        .because(error)
        .hint("somebody with root on the droplet changed it, or its disk went back in time; keep the disk for a look")
}

fn no_keys(error: AuthorityError) -> anyhow::Error {
    match error {
        AuthorityError::State(error) => not_initialised(error),
        other => other.into(),
    }
}
