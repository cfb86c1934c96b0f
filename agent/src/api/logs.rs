//! `Logs`.
//!
//! Owns the conversion. Must not read logs.

use futures::StreamExt;
use tidegate_proto::v1::{LogEntry, LogsRequest, StreamKind};
use tonic::Status;

use super::{Context, convert, errors, stream::Answers};
use crate::logs::{Channel, Follow, LogLine, LogQuery, Logs};

pub(super) async fn read(context: &Context, request: LogsRequest) -> Result<Answers<LogEntry>, Status> {
    let query = LogQuery {
        app: request.app,
        services: request.services,
        follow: if request.follow { Follow::Yes } else { Follow::No },
        since: convert::optional_time("since", request.since)?,
        until: convert::optional_time("until", request.until)?,
        tail: request.tail,
    };
    let (docker, streams) = context.docker().await?;
    let logs = Logs::new(docker, streams, context.clock.clone());
    let lines = logs.read(query).await.map_err(|error| errors::logs(&error))?;
    Ok(lines.map(|line| line.map(entry).map_err(|error| errors::logs(&error))).boxed())
}

fn entry(line: LogLine) -> LogEntry {
    let stream = match line.channel {
        Channel::Stdout => StreamKind::Stdout,
        Channel::Stderr => StreamKind::Stderr,
    };
    LogEntry {
        service: line.service,
        container: line.container,
        at: Some(convert::timestamp(line.at)),
        stream: stream.into(),
        line: line.text,
    }
}
