//! `tidegate run`: a command in a new container of a service, which is gone afterwards. Ends with the command's exit code.

use tidegate_proto::v1::ExecStart;

use super::{
    carrier::carrier,
    context::Context,
    exec::{How, service_and_command},
    reach::{Reach, Which},
};
use crate::{
    failure::Outcome,
    session::{self, Where},
};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate run web -- python -m shop.report")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// SERVICE and the command; without one the service's own
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "SERVICE [-- COMMAND]"
    )]
    words: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let (start, input) = args.how.start();
    let (service, command) = service_and_command(&args.words).unwrap_or_default();
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let agent = carrier(&reach, (&name, &app), args.which.selection(), service).await?;
    let start = ExecStart { app: name.to_string(), service: service.to_owned(), command, ..start };
    let code = session::run(&agent, Where::OneOff, start, input, &context.printer).await?;
    Ok(Outcome::Command(code))
}
