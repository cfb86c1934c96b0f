//! `tidegate up`: finish what an earlier run began, plan, make, enrol; return when every agent answers.

mod calls;
mod enrolment;
mod interrupts;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use tidegate_proto::enrolment::{EnrolmentFile, EnrolmentToken};

use self::{calls::calls, interrupts::Interrupts};
use super::{
    context::Context,
    prepare::{Prepared, make_plan, not_initialised, read},
};
use crate::{
    apply::{
        Intent, Timing, Work,
        up::{Params, Way, carry_out, unfinished},
    },
    authority::{Authority, User, UserKeys, domain},
    clock::human,
    cloud_init::CloudInit,
    failure::{Failure, Outcome},
    names::IntentId,
    plan::{Action, Plan, Resource},
    release::alerts::{self, AlertsError},
    state::DropletRecord,
};

/// Arguments of `up`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show the API calls and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before droplets are deleted
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let mut prepared = read(context)?;
    // What cannot be told is known before anything is made.
    alerts::request(&prepared.fleet, &context.environ, "").map_err(unset)?;
    if args.dry_run {
        return dry_run(context, &prepared).await;
    }
    let scope = prepared.fleet.scope.clone();
    let _lock = prepared.state.lock(&scope)?;
    let user = User::local(&context.environ)?;
    let keys = UserKeys::load(&prepared.state, &scope, &user, context.clock.now()).map_err(keys_missing)?;
    let authority =
        Authority::load(&prepared.state, &scope).context("this machine cannot sign certificates")?;
    let interrupts = Interrupts::listen(&context.printer);
    if let Some((params, begun)) = unfinished(&prepared.state).await? {
        context.printer.note("an earlier `up` did not end; finishing it first");
        let way = (Way::Resume, begun, interrupts.cancel.clone());
        interrupts.around(apply(context, &mut prepared, (&keys, &authority), &params, way)).await?;
    }
    let plan = make_plan(context, &prepared).await?;
    for note in &plan.notes {
        context.printer.note(format!("note: {note}"));
    }
    if plan.destroys() && !args.yes {
        confirm(context, &plan)?;
    }
    if !plan.is_empty() {
        let params = intend(context, &mut prepared, plan)?;
        let way = (Way::Start, BTreeSet::new(), interrupts.cancel.clone());
        interrupts.around(apply(context, &mut prepared, (&keys, &authority), &params, way)).await?;
    }
    let up = interrupts.around_waiting(enrolment::all(context, &prepared, &keys, &authority)).await?;
    let overhead = context.clock.elapsed().saturating_sub(context.waits.total());
    let text = format!(
        "Up in {} (own overhead {}); {} API calls. Undo with `tidegate down`.",
        human(context.clock.elapsed()),
        human(overhead),
        prepared.client.calls()
    );
    let value = serde_json::json!({
        "droplets": up, "seconds": context.clock.elapsed().as_secs_f64(),
        "overhead_seconds": overhead.as_secs_f64(), "api_calls": prepared.client.calls(),
    });
    context.printer.result(&value, text);
    Ok(Outcome::Done)
}

async fn dry_run(context: &Context, prepared: &Prepared) -> anyhow::Result<Outcome> {
    let plan = make_plan(context, prepared).await?;
    let calls = calls(&plan, &prepared.fleet);
    let mut text = plan.to_string();
    for call in &calls {
        text.push_str("\n\n");
        text.push_str(&call.to_string());
    }
    let value = serde_json::json!({ "plan": plan, "calls": calls });
    context.printer.result(&value, text);
    Ok(Outcome::Done)
}

fn confirm(context: &Context, plan: &Plan) -> anyhow::Result<()> {
    let gone: Vec<&str> = plan
        .changes
        .iter()
        .filter(|change| matches!(change.action, Action::Delete | Action::Replace))
        .map(|change| change.name.as_str())
        .collect();
    let names = gone.join(", ");
    if context.printer.can_ask() {
        let answer = context.printer.ask(&format!("This deletes {names}. Type `yes` to go on"))?;
        if answer.trim() == "yes" {
            return Ok(());
        }
        return Err(Failure::failed("nothing was changed: not confirmed").into());
    }
    Err(Failure::input(format!("this would delete {names}"))
        .hint("look at `tidegate plan`, then give --yes")
        .into())
}

/// Draws the intents and writes them down before anything is asked of the API.
fn intend(context: &Context, prepared: &mut Prepared, plan: Plan) -> anyhow::Result<Params> {
    let within = prepared.fleet.enrol_within;
    let ends = context.clock.now().checked_add(within).context("the clock is off")?;
    // Tokens count whole seconds.
    let token_expires_at = jiff::Timestamp::from_second(ends.as_second()).context("the clock is off")?;
    let mut intents = BTreeMap::new();
    for change in &plan.changes {
        let made = matches!(change.action, Action::Create | Action::Replace);
        if made && matches!(change.resource, Resource::Droplet { .. }) {
            let id = IntentId::from_random(rand::random());
            let record = DropletRecord::wanted(id.clone(), token_expires_at);
            prepared.inventory.droplets.insert(change.name.clone(), record);
            intents.insert(change.name.clone(), Intent { id, token_expires_at });
        }
    }
    prepared.inventory.save(&prepared.state)?;
    Ok(Params { plan, intents, ssh_key: prepared.ssh_key.clone() })
}

async fn apply(
    context: &Context,
    prepared: &mut Prepared,
    (keys, authority): (&UserKeys, &Authority),
    params: &Params,
    (way, begun, cancel): (Way, BTreeSet<String>, tidegate_saga::Cancel),
) -> anyhow::Result<()> {
    let scope = prepared.fleet.scope.clone();
    let mut enrolment_files = BTreeMap::new();
    for intent in params.intents.values() {
        let id = intent.id.as_str().parse().context("an intent in the journal is damaged")?;
        let token = EnrolmentToken::derive(
            &authority.enrolment_secret,
            &domain(&scope)?,
            &id,
            intent.token_expires_at,
        )?;
        enrolment_files.insert(intent.id.clone(), EnrolmentFile { token, intent: id }.to_json()?);
    }
    let agent = prepared.fleet.agent.clone();
    if agent.is_none() && !params.intents.is_empty() {
        return Err(Failure::input("tidegate.toml does not say where droplets get the agent")
            .hint("add [agent] with `url` and `sha256`; the sandbox serves one: `tidegate sandbox status`")
            .into());
    }
    let cloud_init = agent.map(|agent| CloudInit {
        scope: scope.clone(),
        agent,
        root_pem: keys.root_pem.clone(),
        authorized_keys: prepared.fleet.ssh.authorized_keys.clone(),
    });
    let work = Work {
        client: prepared.client.clone(),
        scope,
        region: params.plan.region.clone(),
        cloud_init,
        enrolment_files,
        printer: context.printer.clone(),
        waits: context.waits.clone(),
        timing: Timing::new(&context.environ),
        begun,
    };
    let interrupted = cancel.clone();
    let done = carry_out((&work, &prepared.state, &mut prepared.inventory), params, way, cancel).await;
    // Undone or not, what is recorded now is true; only then the journal may go.
    prepared.inventory.save(&prepared.state)?;
    let ended = !matches!(&done, Err(error) if error.is_unfinished());
    if ended {
        crate::apply::up::forget(&prepared.state)?;
    }
    match done {
        Err(error) if interrupted.reason().is_some() && ended => {
            Err(Failure::interrupted("`up` was interrupted and taken back").because(error).into())
        }
        other => Ok(other?),
    }
}

fn unset(error: AlertsError) -> Failure {
    Failure::input("the droplets cannot be told whom to alert").because(error)
}

/// Errors of this step are told with what it means for the user.
fn keys_missing(error: crate::authority::AuthorityError) -> anyhow::Error {
    match error {
        crate::authority::AuthorityError::State(state) => not_initialised(state),
        other => other.into(),
    }
}
