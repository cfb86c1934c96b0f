//! `tidegate rollback`: an earlier release again, from what its droplets still have.

use std::{path::PathBuf, str::FromStr};

use tidegate_proto::v1::{ReturningBackup, RollbackRequest};

use super::{
    agreed::{self, Agreed},
    backup::keys,
    context::Context,
    planned,
    reach::{Reach, Which},
    releases,
    rollout::{self, Meant, Wanted},
};
use crate::{
    agents::Target,
    failure::{Failure, Outcome},
    names::Name,
    release::times::timestamp,
};

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Release to go back to, such as `r41`; by default the one that served before
    #[arg(value_name = "RELEASE")]
    release: Option<Number>,
    #[command(flatten)]
    which: Which,
    /// Show what would be done, and why; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Bring back the databases too, as they were backed up before the first release that is gone back over
    #[arg(long)]
    restore_database: bool,
    /// File with the secret key of a recipient (`AGE-SECRET-KEY-1...`), for a backup that the droplet cannot open any more
    #[arg(long, value_name = "FILE", requires = "restore_database")]
    identity: Option<PathBuf>,
    /// Do not ask before data is replaced
    #[arg(short, long, requires = "restore_database")]
    yes: bool,
    #[command(flatten)]
    agreed: Agreed,
}

/// `r41` or `41`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number(u64);

impl FromStr for Number {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix('r').unwrap_or(text).parse().ok().filter(|number| *number > 0);
        number.map(Self).ok_or("a release is a number such as r41; `tidegate releases` lists them")
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    let request = RollbackRequest {
        app: name.to_string(),
        release: args.release.map_or(0, |release| release.0),
        interrupt: args.agreed.interrupt().into(),
        restore_database: args.restore_database,
        ..RollbackRequest::default()
    };
    if args.dry_run {
        return dry_run(context, &reach, &targets, &request).await;
    }
    let request = if args.restore_database {
        with_data(context, (&reach, &targets), (args, &name), request).await?
    } else {
        request
    };
    let shorts: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
    let to =
        args.release.map_or_else(|| "the release before".to_owned(), |release| format!("r{}", release.0));
    context.printer.note(format!("{name} back to {to} -> {}", shorts.join(", ")));
    let meant = Meant { app: &name, rollout: app.rollout, targets: &targets };
    let ended = rollout::carry(context, &reach, meant, &Wanted::Rollback(&request)).await?;
    for (target, ended) in targets.iter().zip(&ended) {
        if let Some(told) = told(&reach, (&name, target), ended.release).await? {
            context.printer.note(told);
        }
    }
    Ok(Outcome::Done)
}

/// The request with what opens the backups that come back, once that was agreed to.
async fn with_data(
    context: &Context,
    (reach, targets): (&Reach, &[Target]),
    (args, name): (&Args, &Name),
    request: RollbackRequest,
) -> anyhow::Result<RollbackRequest> {
    let [target] = targets else {
        let names: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
        let what = "the data of one droplet comes back at a time";
        return Err(Failure::input(what).hint(format!("say which: --droplet {}", names.join(" or "))).into());
    };
    let (agent, _) = reach.checked(target).await?;
    let mut client = agent.client();
    let plan = agent.call(client.plan_rollback(request.clone())).await?;
    if !args.yes {
        agreed::by_name(context, &lost(&plan.returning), name)?;
    }
    let mut keys = Vec::new();
    if let Some(identity) = &args.identity {
        for one in &plan.returning {
            let whose = keys::Whose { app: name.as_str(), id: &one.backup, from: None };
            keys.extend(keys::of(reach, targets, (whose, identity)).await?);
        }
    }
    Ok(RollbackRequest { keys, ..request })
}

/// What comes back, and what is lost by that.
fn lost(returning: &[ReturningBackup]) -> String {
    let mut text = String::new();
    for one in returning {
        let at = one.taken_at.as_ref().and_then(timestamp).unwrap_or_default();
        text.push_str(&format!(
            "{} goes back to backup {} of {at}. What was written since is lost from what serves; it is kept beside it for 7 days.\n",
            one.service, one.backup
        ));
    }
    text
}

/// Where it has led: the numbers differ between droplets.
async fn told(
    reach: &Reach,
    (app, target): (&Name, &Target),
    release: u64,
) -> anyhow::Result<Option<String>> {
    let rows = releases::of(reach, (app, target), 0).await?;
    let this = rows.iter().find(|row| row.release == release);
    let Some(former) = this.and_then(|this| rows.iter().find(|row| row.release == this.returns_to)) else {
        return Ok(None);
    };
    let revision = former.git_revision.get(..7).map(|short| format!(" ({short})")).unwrap_or_default();
    Ok(Some(format!("{} serves what r{} was{revision}.", target.short, former.release)))
}

async fn dry_run(
    context: &Context,
    reach: &Reach,
    targets: &[Target],
    request: &RollbackRequest,
) -> anyhow::Result<Outcome> {
    let mut plans = Vec::new();
    for target in targets {
        let (agent, _) = reach.checked(target).await?;
        let mut client = agent.client();
        plans.push(planned::view(target, agent.call(client.plan_rollback(request.clone())).await?));
    }
    context.printer.result(&plans, planned::text(&plans, "tidegate rollback"));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_said_with_its_time() {
        let one = ReturningBackup {
            service: "db".to_owned(),
            backup: "20261123T030000Z-4f2a91c0".to_owned(),
            taken_at: Some(prost_types::Timestamp { seconds: 1_795_000_000, nanos: 0 }),
        };
        let told = lost(&[one]);
        assert!(
            told.starts_with(
                "db goes back to backup 20261123T030000Z-4f2a91c0 of 2026-11-18T11:06:40Z. What"
            ),
            "{told}"
        );
    }

    #[test]
    fn a_release_is_a_number_with_or_without_its_letter() {
        assert_eq!("r41".parse(), Ok(Number(41)));
        assert_eq!("41".parse(), Ok(Number(41)));
        for wrong in ["", "r", "r0", "latest", "-1"] {
            assert!(wrong.parse::<Number>().is_err(), "{wrong}");
        }
    }
}
