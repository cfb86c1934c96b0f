//! `tidegate sandbox`: runs the program of that name, which is beside this one or on PATH. It is a program of its own:
//! the controller knows nothing of it but its name.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// start, stop, status or reset, and its options
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "start|stop|status|reset"
    )]
    words: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let name = format!("tidegate-sandbox{}", std::env::consts::EXE_SUFFIX);
    let program = find(context, &name).ok_or_else(|| {
        Failure::failed("the program tidegate-sandbox is neither beside tidegate nor on PATH")
            .hint("build it with `cargo build --release -p tidegate-sandbox`; it runs on Linux")
    })?;
    let mut command = Command::new(&program);
    command.args(&args.words);
    if context.global.json && !args.words.iter().any(|word| word == "--json") {
        command.arg("--json");
    }
    let status = command
        .status()
        .map_err(|error| Failure::failed(format!("{} cannot be run", program.display())).because(error))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(Outcome::Command(code))
}

fn find(context: &Context, name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(Path::to_owned));
    let path = context.environ.get("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(path);
    beside.into_iter().chain(on_path).map(|directory| directory.join(name)).find(|program| program.is_file())
}
