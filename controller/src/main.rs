//! `tidegate`: reads the process's surroundings once, runs the command line, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;
use tidegate::{cli::Cli, environ::Environ};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[expect(clippy::disallowed_methods, reason = "main reads the environment, once")]
    let environ = Environ::new(std::env::vars());
    let filter = environ.get("TIDEGATE_LOG").unwrap_or("off");
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr).init();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let code = runtime.block_on(cli.run(environ));
    // A read of standard input that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}
