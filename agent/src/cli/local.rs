//! The connection of a local command to the running agent.

use std::{path::Path, time::Duration};

use anyhow::Context;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tidegate_proto::{limits::MAX_MESSAGE_BYTES, status::RichError, v1::agent_client::AgentClient};
use tokio::net::UnixStream;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

pub(super) type Client = AgentClient<Channel>;

/// A local agent that does not begin to answer in this time does not answer. A stream that has begun has no end of its own.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Runs a local command.
pub(super) fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command)
}

/// Connects to the agent's socket.
pub(super) async fn connect(socket: &Path) -> anyhow::Result<Client> {
    let path = socket.to_owned();
    let connector = tower::service_fn(move |_: http::Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://agent.local").timeout(TIMEOUT);
    let channel = endpoint.connect_with_connector(connector).await.with_context(|| {
        let path = socket.display();
        format!("the agent does not answer on {path}: is it running (`systemctl status tidegate-agent`), and are you root?")
    })?;
    Ok(AgentClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES))
}

/// A refusal of the agent, with its cause and what to do.
pub(super) fn explain(status: &Status) -> anyhow::Error {
    let error = RichError::from_status(status);
    let mut text = error.what;
    for line in &error.details {
        text.extend(["\n    ", line]);
    }
    for (label, part) in [("at", error.place), ("cause", error.cause), ("hint", error.hint)] {
        if !part.is_empty() {
            text.extend(["\n  ", label, ": ", &part]);
        }
    }
    anyhow::anyhow!(text)
}

/// A moment as it is shown, to the second.
pub(super) fn time(at: Option<&prost_types::Timestamp>) -> Option<String> {
    Some(Timestamp::from_second(at?.seconds).ok()?.to_string())
}
