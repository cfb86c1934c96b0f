//! A restore, a return to what served before, or its removal: shown, agreed to, followed.

use tidegate_proto::v1::{
    DropFormerRequest, RestoreBackupRequest, RestoreEvent, RestoreSummary, RevertRestoreRequest,
    restore_event::Event,
};
use tonic::{Response, Status, Streaming};

use super::{
    Args, scrub,
    view::{PlanView, RestoreView},
};
use crate::{
    agents::{Agent, AgentError, Target},
    commands::{
        agreed,
        attended::{attended, ended_badly},
        backup::{
            found::{Found, ask},
            keys,
        },
        context::Context,
        reach::Reach,
    },
    failure::{Failure, Outcome},
    names::Name,
    output::Step,
};

/// What tells how a restore ended.
const TELLS: &str = "`tidegate restore --list` tells how it ended";

/// How an agent says that it could not take a restore back.
const STUCK: &str = "RESTORE_STUCK";

/// What is asked of the agent.
enum Wanted {
    Restore(RestoreBackupRequest),
    Revert(RevertRestoreRequest),
}

impl Wanted {
    fn of(name: &Name, args: &Args) -> anyhow::Result<Self> {
        let text = |given: &Option<String>| given.clone().unwrap_or_default();
        let scrub = args.scrub.as_deref().map(scrub::read).transpose()?;
        Ok(match &args.revert {
            Some(id) => {
                Self::Revert(RevertRestoreRequest { app: name.to_string(), id: id.clone(), dry_run: true })
            }
            None => Self::Restore(RestoreBackupRequest {
                app: name.to_string(),
                service: text(&args.service),
                id: text(&args.backup),
                database: text(&args.database),
                into: text(&args.into),
                keys: Vec::new(),
                dry_run: true,
                from: args.from.as_ref().map(|from| from.origin(name)),
                scrub: scrub.unwrap_or_default(),
            }),
        })
    }

    async fn ask(&self, agent: &Agent) -> Result<Response<Streaming<RestoreEvent>>, Status> {
        match self {
            Self::Restore(request) => agent.client().restore_backup(request.clone()).await,
            Self::Revert(request) => agent.client().revert_restore(request.clone()).await,
        }
    }
}

pub(super) async fn run(context: &Context, reach: &Reach, args: &Args) -> anyhow::Result<Outcome> {
    let (name, app) = reach.app(args.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.selection())?;
    if let Some(id) = &args.drop_former {
        return drop_former(context, (reach, &targets), (args, &name, id)).await;
    }
    let mut wanted = Wanted::of(&name, args)?;
    let (target, plan) = planned(reach, &targets, &wanted).await?;
    if args.dry_run {
        context.printer.result(&plan, format!("{}Nothing was changed.\n", plan.text()));
        return Ok(Outcome::Done);
    }
    if !args.yes {
        agreed::by_name(context, &plan.text(), &name)?;
    }
    match &mut wanted {
        Wanted::Restore(request) => {
            request.dry_run = false;
            // What was shown and agreed to, and no later one.
            request.id.clone_from(&plan.backup);
            if let Some(from) = &plan.from {
                request.from = Some(from.clone().into());
            }
            if let Some(identity) = &args.identity {
                let whose = keys::Whose { app: name.as_str(), id: &plan.backup, from: request.from.clone() };
                let whose = (whose, identity.as_path());
                request.keys = keys::of(reach, std::slice::from_ref(target), whose).await?;
            }
        }
        Wanted::Revert(request) => request.dry_run = false,
    }
    reach.checked(target).await?;
    let what = format!("restore of {name}/{} on {}", plan.service, target.short);
    let carried = attended((&what, TELLS), Box::pin(carry(context, (reach, target), (&what, &wanted))));
    let done = carried.await?.map_err(|error| failed(&what, error))?;
    let view = RestoreView::new(&target.short, done);
    context.printer.result(&view, view.text());
    Ok(Outcome::Done)
}

/// The droplet that has what is meant, and what would happen there.
async fn planned<'a>(
    reach: &Reach,
    targets: &'a [Target],
    wanted: &Wanted,
) -> anyhow::Result<(&'a Target, PlanView)> {
    let mut found = Found::default();
    for target in targets {
        found.take(one(reach, target, wanted).await.map(|plan| (target, plan)))?;
    }
    let mut all = found.all()?;
    if all.len() > 1 {
        let names: Vec<&str> = all.iter().map(|(target, _)| target.short.as_str()).collect();
        let what = "several droplets have what could be restored, each of its own";
        return Err(Failure::input(what).hint(format!("say which: --droplet {}", names.join(" or "))).into());
    }
    all.pop()
        .ok_or_else(|| Failure::input("the app is on no droplet").hint("`tidegate up` makes them").into())
}

async fn one(reach: &Reach, target: &Target, wanted: &Wanted) -> Result<PlanView, AgentError> {
    let agent = reach.connect(target).await?;
    let mut events = wanted.ask(&agent).await.map_err(|status| agent.error(&status))?.into_inner();
    while let Some(event) = events.message().await.map_err(|status| agent.error(&status))? {
        if let Some(Event::Planned(plan)) = event.event {
            return Ok(PlanView::new(&target.short, plan));
        }
    }
    Err(AgentError::Contract { droplet: agent.name.clone(), what: "no plan".to_owned() })
}

async fn carry(
    context: &Context,
    (reach, target): (&Reach, &Target),
    (what, wanted): (&str, &Wanted),
) -> Result<RestoreSummary, AgentError> {
    let agent = reach.connect(target).await?;
    let step = context.printer.step(what.to_owned());
    match follow(&agent, wanted.ask(&agent).await, &step).await {
        Ok(done) => {
            step.done("");
            Ok(done)
        }
        Err(error) => {
            step.failed("");
            Err(error)
        }
    }
}

async fn follow(
    agent: &Agent,
    begun: Result<Response<Streaming<RestoreEvent>>, Status>,
    step: &Step,
) -> Result<RestoreSummary, AgentError> {
    let mut events = begun.map_err(|status| agent.error(&status))?.into_inner();
    while let Some(event) = events.message().await.map_err(|status| agent.error(&status))? {
        match event.event {
            Some(Event::Progress(line)) => step.tell(&line),
            Some(Event::Finished(done)) => return Ok(done),
            Some(Event::Planned(_)) | None => {}
        }
    }
    let what = "a restore without an end".to_owned();
    Err(AgentError::Contract { droplet: agent.name.clone(), what })
}

/// One that could not be undone needs a hand.
fn failed(what: &str, error: AgentError) -> anyhow::Error {
    if matches!(&error, AgentError::Call(call) if call.reason() == STUCK) {
        return Failure::in_doubt(format!("the {what} is stuck")).because(error).into();
    }
    ended_badly((what, TELLS), error)
}

async fn drop_former(
    context: &Context,
    (reach, targets): (&Reach, &[Target]),
    (args, name, id): (&Args, &Name, &str),
) -> anyhow::Result<Outcome> {
    if !args.yes {
        agreed::by_name(
            context,
            &format!("What served before the restore {id} is removed for good.\n"),
            name,
        )?;
    }
    let request = DropFormerRequest { app: name.to_string(), id: id.to_owned() };
    let mut found = Found::default();
    for target in targets {
        let asked = ask((reach, target), request.clone(), async |mut client, request| {
            client.drop_former(request).await
        });
        found.take(asked.await)?;
    }
    let dropped: Vec<String> = found.all()?.into_iter().flat_map(|answer| answer.dropped).collect();
    context.printer.result(&dropped, format!("Removed {}.\n", dropped.join(", ")));
    Ok(Outcome::Done)
}
