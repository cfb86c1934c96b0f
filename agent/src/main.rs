//! Entry point of `tidegate-agent`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use tidegate_agent::cli;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let mut out = io::stdout().lock();
    let outcome = cli::run(arguments, &mut out).and_then(|code| Ok(out.flush().map(|()| code)?));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Where even this cannot be written, the exit code is all there is to say it.
            writeln!(io::stderr(), "error: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}
