//! A Redis or Valkey that runs in a container: what it is, what it holds, a snapshot of it, and putting one in its place.
//!
//! Owns the commands that are sent into the container, and the files that its data is in. Must not know backups, destinations or
//! releases. All programs are the container's: `redis-cli` or `valkey-cli`, the server, and a shell.

mod clues;
mod error;
mod files;
mod info;
pub mod rdb;
mod trial;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

pub use self::{
    clues::Clues,
    error::RedisError,
    files::{Files, Kept, Persistence},
    info::Facts,
    rdb::{Counted, Keyspace},
    trial::{Load, load},
};
use self::{
    info::tool_version,
    rdb::{Rdb, Tally},
};
use crate::{
    docker::{Docker, PipeCommand},
    programs::{self, Dump, Printed},
};

/// How long a question may take.
const QUESTION: Duration = Duration::from_mins(1);
/// The first version whose `--rdb -` writes to its output.
const FIRST_STREAMING: (u32, u32) = (6, 2);
/// Both programs are called the same in newer images; older ones have one of them.
const PROGRAMS: [&str; 2] = ["redis-cli", "valkey-cli"];

/// A Redis or Valkey in a running container that lets us in.
#[derive(Clone, Debug)]
pub struct Redis {
    docker: Docker,
    container: String,
    program: &'static str,
    /// What that prints of itself: `redis-cli 8.0.2`.
    tool: String,
    place: Vec<String>,
    password: Option<SecretString>,
}

impl Redis {
    /// Looks for the way in: first without a word, then with each clue.
    ///
    /// # Errors
    /// When the container does not run, has no program that could ask, or the server does not answer or refuses every login.
    pub async fn find(docker: &Docker, container: &str, clues: &Clues) -> Result<Self, RedisError> {
        let (program, tool) = program(docker, container).await?;
        let file = |path: &str| PipeCommand::new(["cat", "--", path]);
        let mut clues = clues.clone();
        if let Some(path) = clues.configuration.clone() {
            let read = programs::printed(docker, container, (&file(&path), QUESTION)).await?;
            clues = clues.configured(&read.text);
        }
        for path in std::mem::take(&mut clues.password_files) {
            let read = programs::printed(docker, container, (&file(&path), QUESTION)).await?;
            clues.passwords.push(read.text.trim_end_matches(['\r', '\n']).into());
        }
        let place = match (clues.port, clues.socket) {
            (Some(0), Some(socket)) => vec!["-s".to_owned(), socket],
            (Some(port), _) => vec!["-p".to_owned(), port.to_string()],
            (None, _) => Vec::new(),
        };
        let mut redis = Self {
            docker: docker.clone(),
            container: container.to_owned(),
            program,
            tool,
            place,
            password: None,
        };
        let mut told = String::new();
        for password in std::iter::once(None).chain(clues.passwords.into_iter().map(Some)) {
            redis.password = password;
            match redis.knock().await? {
                Knock::Open => return Ok(redis),
                Knock::Refused(words) => told = words,
            }
        }
        Err(RedisError::Login { told })
    }

    async fn knock(&self) -> Result<Knock, RedisError> {
        let Printed { text, end } = self.printed(&["PING"]).await?;
        let answer = text.trim();
        let refusals = ["NOAUTH", "WRONGPASS", "NOPERM", "ERR invalid password", "DENIED"];
        if answer == "PONG" {
            Ok(Knock::Open)
        } else if refusals.iter().any(|refusal| answer.starts_with(refusal)) {
            Ok(Knock::Refused(answer.to_owned()))
        } else {
            let told = if answer.is_empty() { end.complaints.join("; ") } else { answer.to_owned() };
            Err(RedisError::NotReady { told })
        }
    }

    /// What `redis-cli --version` prints.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// What the server tells of itself.
    ///
    /// # Errors
    /// When it does not answer, or may not.
    pub async fn facts(&self) -> Result<Facts, RedisError> {
        Facts::parse(&self.answer(&["INFO"]).await?)
    }

    /// One moment's data of all databases, as an RDB file, while the server goes on; and the count of its keys once it has
    /// passed. The server sends it as it would to a replica: it makes a child of itself for that, and waits five seconds
    /// beforehand unless `repl-diskless-sync-delay` says otherwise.
    ///
    /// # Errors
    /// When the container does not run, or its `redis-cli` cannot do that. What goes wrong later is an error of the stream.
    pub async fn snapshot(&self) -> Result<(Rdb<Dump>, Tally), RedisError> {
        if tool_version(&self.tool).is_none_or(|version| version < FIRST_STREAMING) {
            return Err(RedisError::OldTool { tool: self.tool.clone() });
        }
        let command = self.command(&["--rdb", "-"]);
        let dump = programs::dump(&self.docker, &self.container, ("redis-cli --rdb", &command)).await?;
        Ok(Rdb::of(dump))
    }

    /// Lets the server write all that it has to its RDB file, and answer nobody meanwhile.
    ///
    /// # Errors
    /// When it cannot, or takes longer than the deadline.
    pub async fn save(&self, deadline: Duration) -> Result<(), RedisError> {
        let printed =
            programs::printed(&self.docker, &self.container, (&self.command(&["SAVE"]), deadline)).await?;
        let told = printed.text.trim().to_owned();
        if told == "OK" { Ok(()) } else { Err(RedisError::Save { told }) }
    }

    /// The value of a setting; empty where the server does not know it.
    async fn setting(&self, name: &'static str) -> Result<String, RedisError> {
        let answer = self.answer(&["CONFIG", "GET", name]).await?;
        let mut lines = answer.lines();
        match lines.next().map(str::trim) {
            None | Some("") => Ok(String::new()),
            Some(told) if told == name => Ok(lines.next().unwrap_or_default().to_owned()),
            Some(_) => Err(RedisError::Answer { asked: name, answer }),
        }
    }

    async fn answer(&self, arguments: &[&str]) -> Result<String, RedisError> {
        let printed = self.printed(arguments).await?;
        if printed.text.trim().is_empty() && printed.end.exit_code != 0 {
            return Err(RedisError::NotReady { told: printed.end.complaints.join("; ") });
        }
        Ok(printed.text)
    }

    async fn printed(&self, arguments: &[&str]) -> Result<Printed, RedisError> {
        Ok(programs::printed(&self.docker, &self.container, (&self.command(arguments), QUESTION)).await?)
    }

    fn command(&self, arguments: &[&str]) -> PipeCommand {
        let fixed = [self.program, "--no-auth-warning"].map(str::to_owned);
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        let mut command =
            PipeCommand::new(fixed.into_iter().chain(self.place.iter().cloned()).chain(arguments));
        command.environment = vec!["LC_ALL=C".to_owned()];
        if let Some(password) = &self.password {
            // Not an argument: those everybody in the container can read.
            let names = ["REDISCLI_AUTH", "VALKEYCLI_AUTH"];
            command.environment.extend(names.map(|name| format!("{name}={}", password.expose_secret())));
        }
        command
    }
}

enum Knock {
    Open,
    Refused(String),
}

/// The program that asks, and what it prints of itself.
async fn program(docker: &Docker, container: &str) -> Result<(&'static str, String), RedisError> {
    for program in PROGRAMS {
        let command = PipeCommand::new([program, "--version"]);
        let printed = programs::printed(docker, container, (&command, QUESTION)).await?;
        if printed.end.exit_code == 0 {
            return Ok((program, printed.text.trim().to_owned()));
        }
    }
    Err(RedisError::NoProgram)
}
