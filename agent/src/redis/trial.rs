//! Reading an RDB file into a server of its own, to see whether it can be read and what is in it.
//!
//! The server is started as a replica of nobody, reachable over a unix socket alone, and writes nothing. A replica keeps keys
//! whose time has passed until it is told otherwise, so what it counts is what the file holds.

use std::time::Duration;

use tokio::io;

use super::{QUESTION, info::Facts, rdb::Keyspace};
use crate::{
    docker::{Docker, PipeCommand},
    programs::{self, ENDING},
    redis::RedisError,
    scratch::Idle,
};

/// Between looks at a server that reads.
const LOOK: Duration = Duration::from_millis(300);
/// Where its socket is.
const PLACE: &str = "/tmp/tidegate-load";

/// What is read, where, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The image's own entry point: some load modules.
    pub entrypoint: &'a [String],
    /// The directory of the file in the container.
    pub directory: &'a str,
    /// Its name there.
    pub file: &'a str,
    /// How long it may take.
    pub deadline: Duration,
}

/// Reads the file, and says how many keys came of it.
///
/// # Errors
/// When the server cannot read it, or takes longer than the deadline.
pub async fn load((docker, idle): (&Docker, &Idle), load: Load<'_>) -> Result<Keyspace, RedisError> {
    let prepared = format!("mkdir -p -m 1777 {PLACE}; command -v valkey-server || command -v redis-server");
    let server = idle.script(&prepared, (&[], QUESTION)).await?;
    // Nobody may be able to change what is looked at, nor be kept from reading it.
    let owner = idle.script("stat -c %u:%g -- \"$1/$2\"", (&[load.directory, load.file], QUESTION)).await?;
    let mut pipe = docker
        .pipe(idle.name(), &command(load, (server.trim(), owner.trim())))
        .await
        .map_err(RedisError::Docker)?;
    let mut output = pipe.take_output();
    let mut thrown_away = io::sink();
    let ended = async { io::copy(&mut output, &mut thrown_away).await.map(drop) };
    let loaded = tokio::select! {
        ended = ended => ended.map(|()| None).map_err(|error| RedisError::Program(programs::ProgramError::Stream(error)))?,
        loaded = answers(idle, load.deadline) => Some(loaded?),
    };
    if let Some(keys) = loaded {
        // Dropped with its pipe it is killed: it has nothing to write.
        return Ok(keys);
    }
    let end = pipe.end(ENDING).await.map_err(RedisError::Docker)?;
    tracing::debug!(exit_code = end.exit_code, "a server could not read an RDB file");
    Err(RedisError::NotLoaded { log: end.complaints.join("\n") })
}

/// What it answers once it has read everything.
async fn answers(idle: &Idle, deadline: Duration) -> Result<Keyspace, RedisError> {
    let socket = format!("{PLACE}/socket");
    let ask = "for each in redis-cli valkey-cli; do \"$each\" --version >/dev/null 2>&1 || continue; \
               \"$each\" -s \"$1\" INFO 2>/dev/null || true; break; done";
    let asked = async {
        loop {
            let answer = idle.script(ask, (&[&socket], QUESTION)).await?;
            if let Ok(facts) = Facts::parse(&answer)
                && !facts.is_loading
            {
                return Ok(facts.keys);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(deadline, asked).await.map_err(|_| RedisError::Deadline(deadline))?
}

fn command(load: Load<'_>, (server, owner): (&str, &str)) -> PipeCommand {
    let socket = format!("{PLACE}/socket");
    // Entry points look after the directory that they are started in: it is not to be one that holds anybody's data.
    let script = format!("cd {PLACE}; exec \"$@\" 1>&2");
    let arguments = [
        server,
        "--port",
        "0",
        "--unixsocket",
        &socket,
        "--dir",
        load.directory,
        "--dbfilename",
        load.file,
        "--save",
        "",
        "--appendonly",
        "no",
        "--daemonize",
        "no",
        "--replicaof",
        "127.0.0.1",
        "1",
    ];
    let fixed = ["sh", "-euc", &script, "sh"].map(str::to_owned);
    // As root they would become somebody else, who may not read the file.
    let entrypoint = load.entrypoint.iter().filter(|_| !owner.starts_with("0:")).cloned();
    let arguments = arguments.map(str::to_owned);
    let mut command = PipeCommand::new(fixed.into_iter().chain(entrypoint).chain(arguments));
    command.user = Some(owner.to_owned());
    command.environment = vec!["LC_ALL=C".to_owned()];
    command
}
