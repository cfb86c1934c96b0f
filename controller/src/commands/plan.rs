//! `tidegate plan`

use super::{
    context::Context,
    prepare::{make_plan, read},
};
use crate::{
    environ::DotEnv,
    failure::Outcome,
    fleet::Fleet,
    release::{
        buckets,
        bundle::gather,
        git::Revision,
        placement::{decide, members},
    },
};

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End with 3 when there is something to do
    #[arg(long)]
    exit_code: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let prepared = read(context)?;
    check_places(context, &prepared.fleet)?;
    let plan = make_plan(context, &prepared).await?;
    let mut text = plan.to_string();
    if !plan.is_empty() {
        text.push_str("\n`tidegate up` makes it so.");
    }
    context.printer.result(&plan, text);
    let differs = args.exit_code && !plan.is_empty();
    Ok(if differs { Outcome::Differences } else { Outcome::Done })
}

/// Refuses apps whose services cannot be on as many droplets as the file gives them, or send backups to buckets that it does not
/// have. A project that cannot be read is
/// `deploy`'s to refuse: its files and variables may come later than the droplets.
fn check_places(context: &Context, fleet: &Fleet) -> anyhow::Result<()> {
    for (name, app) in &fleet.apps {
        let members = members(fleet, app);
        let dot_env = if app.env_files.is_empty() { DotEnv::Read } else { DotEnv::Replaced };
        let variables = context.environ(fleet)?.for_apps(dot_env);
        let Ok(bundle) = gather((name, app), &fleet.directory, &variables, &Revision::default()) else {
            continue;
        };
        buckets::named((&bundle.loaded, &bundle.extension), fleet)?;
        if members.len() < 2 {
            continue;
        }
        let shorts: Vec<&str> = members.iter().map(|member| member.short.as_str()).collect();
        decide((name, &bundle.loaded, &bundle.extension), &members, &shorts)?;
    }
    Ok(())
}
