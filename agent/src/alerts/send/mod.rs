//! The ways to a receiver: one try, with its deadline.
//!
//! Owns the transports and what their failures say: never an address of the web, a password or a key, whoever echoes them. Must
//! not repeat, nor know queues.

mod command;
mod mail;
mod redact;
mod request;
mod signature;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::StatusCode;
use tokio::time::timeout;

pub use self::{
    command::{ChildCommands, CommandFailed, Commands, HostCommands},
    mail::MailError,
    redact::Redactor,
    signature::sign,
};
use super::{
    message::{AlertMessage, slack},
    settings::{Receiver, ReceiverKind, SecretUrl, SmtpServer},
};
use crate::clock::Clock;

/// For a whole try, but for commands.
const DEADLINE: Duration = Duration::from_secs(20);
/// A command may have to ask somebody itself.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);
/// For a ping.
const PING_DEADLINE: Duration = Duration::from_secs(10);

/// Which authorities servers are believed by.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Those of the droplet (`SSL_CERT_FILE` names another file of them).
    #[default]
    System,
    /// Only these, in PEM: for tests.
    Only(Vec<u8>),
}

/// How long tries may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// To connect and be answered.
    pub send: Duration,
    /// For a command.
    pub command: Duration,
    /// For a ping.
    pub ping: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { send: DEADLINE, command: COMMAND_DEADLINE, ping: PING_DEADLINE }
    }
}

/// Why a try failed. All texts are without secrets.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nobody answers.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Deadline(Duration),
    /// No connection, or it broke.
    #[error("could not be asked: {0}")]
    Unreachable(String),
    /// It answered something else than yes.
    #[error("answered {status}{said}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// `: ` and the first line of the answer, or nothing.
        said: String,
        /// For how long it does not want to be asked again.
        retry_after: Option<Duration>,
    },
    /// The mail server, or the mail itself.
    #[error(transparent)]
    Mail(MailError),
    /// The command.
    #[error(transparent)]
    Command(CommandFailed),
    /// The client could not be made: no authorities are found, for example.
    #[error("requests cannot be made on this droplet: {0}")]
    Client(String),
}

impl SendError {
    /// For how long the receiver does not want to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// All transports. Cheap to clone.
#[derive(Clone)]
pub struct Transports {
    inner: Arc<Inner>,
}

struct Inner {
    roots: Roots,
    deadlines: Deadlines,
    commands: Arc<dyn Commands>,
    clock: Arc<dyn Clock>,
    /// Made when it is needed first: it reads the droplet's authorities.
    client: OnceLock<reqwest::Client>,
}

impl Transports {
    /// With these roots and deadlines; commands are run by `commands`.
    pub fn new(
        (roots, deadlines): (Roots, Deadlines),
        commands: Arc<dyn Commands>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let client = OnceLock::new();
        Self { inner: Arc::new(Inner { roots, deadlines, commands, clock, client }) }
    }

    /// Tries once to deliver a message.
    ///
    /// # Errors
    /// Why it was not taken, or that this is not known.
    pub async fn send(
        &self,
        receiver: &Receiver,
        smtp: Option<&SmtpServer>,
        message: &AlertMessage,
    ) -> Result<(), SendError> {
        let deadline = match &receiver.kind {
            ReceiverKind::Command(_) => self.inner.deadlines.command,
            _ => self.inner.deadlines.send,
        };
        // Boxed: the ways differ in size.
        let tried = timeout(deadline, Box::pin(self.try_once(receiver, smtp, message))).await;
        tried.map_err(|_| SendError::Deadline(deadline))?
    }

    async fn try_once(
        &self,
        receiver: &Receiver,
        smtp: Option<&SmtpServer>,
        message: &AlertMessage,
    ) -> Result<(), SendError> {
        let Inner { roots, commands, clock, deadlines, .. } = &*self.inner;
        let redactor = Redactor::new(receiver, smtp);
        match &receiver.kind {
            ReceiverKind::Email(to) => {
                let smtp = smtp.ok_or(SendError::Mail(MailError::NoServer))?;
                mail::send((smtp, roots, deadlines.send), to, message, &redactor)
                    .await
                    .map_err(SendError::Mail)
            }
            ReceiverKind::Slack(url) => {
                let body = slack(message).to_string();
                let post = request::Post { url, body, headers: Vec::new(), redactor: &redactor };
                request::post(self.client()?, post, clock.now()).await
            }
            ReceiverKind::Webhook { url, secret } => {
                let body = json(message)?;
                let now = clock.now();
                let headers = signature::headers((&message.id.to_string(), now), &body, secret);
                request::post(self.client()?, request::Post { url, body, headers, redactor: &redactor }, now)
                    .await
            }
            ReceiverKind::Command(argv) => {
                let body = json(message)?.into_bytes();
                let ran = commands.run(argv, body).await;
                ran.map_err(|failed| SendError::Command(failed.redacted(&redactor)))
            }
        }
    }

    /// Asks for the ping's address once.
    ///
    /// # Errors
    /// Why it was not answered as it should be.
    pub async fn ping(&self, url: &SecretUrl) -> Result<(), SendError> {
        let deadline = self.inner.deadlines.ping;
        let asked = async { request::get(self.client()?, url, self.inner.clock.now()).await };
        timeout(deadline, asked).await.map_err(|_| SendError::Deadline(deadline))?
    }

    fn client(&self) -> Result<&reqwest::Client, SendError> {
        let Inner { roots, client, .. } = &*self.inner;
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let made = request::client(roots).map_err(|error| SendError::Client(request::reason(&error)))?;
        Ok(client.get_or_init(|| made))
    }
}

impl std::fmt::Debug for Transports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transports").field("deadlines", &self.inner.deadlines).finish_non_exhaustive()
    }
}

fn json(message: &AlertMessage) -> Result<String, SendError> {
    serde_json::to_string(message).map_err(|error| SendError::Client(error.to_string()))
}
