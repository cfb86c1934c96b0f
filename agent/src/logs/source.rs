//! One container's log, and which containers there are.
//!
//! Owns the requests to Docker and what is asked of them: Docker counts times in seconds, so the exact bounds are kept
//! here. Must not merge.

use std::collections::{BTreeSet, HashMap};

use bollard::{
    Docker,
    models::ContainerSummary,
    query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use tidegate_compose::labels;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::{
    Follow, Lines, LogLine, LogQuery, LogsError,
    line::{Assembler, LONGEST, Piece},
};
use crate::docker_stream::{Channel, DockerStreams, Framing, read_header};

/// A container whose log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) service: String,
}

/// The containers that the query is about, stopped ones too.
pub(super) async fn containers(docker: &Docker, query: &LogQuery) -> Result<Vec<Source>, LogsError> {
    let filters = HashMap::from([("label".to_owned(), vec![format!("{}={}", labels::PROJECT, query.app)])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let all = docker
        .list_containers(Some(options))
        .await
        .map_err(|source| LogsError::Docker { app: query.app.clone(), source })?;
    let all: Vec<Source> = all.into_iter().filter_map(source).collect();
    if all.is_empty() {
        return Err(LogsError::NoApp { app: query.app.clone() });
    }
    let services: BTreeSet<&str> = all.iter().map(|source| source.service.as_str()).collect();
    if let Some(unknown) = query.services.iter().find(|service| !services.contains(service.as_str())) {
        return Err(LogsError::NoService {
            app: query.app.clone(),
            service: unknown.clone(),
            services: services.into_iter().map(str::to_owned).collect(),
        });
    }
    let wanted = |source: &Source| query.services.is_empty() || query.services.contains(&source.service);
    Ok(all.into_iter().filter(wanted).collect())
}

fn source(container: ContainerSummary) -> Option<Source> {
    let mut of_compose = container.labels?;
    if of_compose.get(labels::ONE_OFF).is_some_and(|one_off| one_off == "True") {
        return None;
    }
    let names = container.names.unwrap_or_default();
    Some(Source {
        id: container.id?,
        name: names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default(),
        service: of_compose.remove(labels::SERVICE)?,
    })
}

/// Opens one log.
pub(super) async fn open(
    docker: &Docker,
    streams: &DockerStreams,
    source: Source,
    query: &LogQuery,
) -> Result<Lines, LogsError> {
    let inspected = docker
        .inspect_container(&source.id, None::<InspectContainerOptions>)
        .await
        .map_err(|error| LogsError::Docker { app: query.app.clone(), source: error })?;
    let terminal = inspected.config.and_then(|config| config.tty).unwrap_or(false);
    let framing = if terminal { Framing::Raw } else { Framing::Frames };
    let stream = streams
        .read(&path(&source.id, query))
        .await
        .map_err(|error| LogsError::Stream { container: source.name.clone(), source: error })?;
    let (since, until) = (query.since, query.until);
    let within =
        move |at: Timestamp| since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until);
    let lines = pieces(stream, framing, source).filter(move |line| {
        let wanted = line.as_ref().map_or(true, |line| within(line.at));
        async move { wanted }
    });
    Ok(lines.boxed())
}

fn path(id: &str, query: &LogQuery) -> String {
    let follow = query.follow == Follow::Yes;
    let mut path = format!("/containers/{id}/logs?stdout=true&stderr=true&timestamps=true&follow={follow}");
    let bounds = [
        ("since", query.since.map(|since| since.as_second().to_string())),
        ("until", query.until.map(|until| until.as_second().saturating_add(1).to_string())),
        ("tail", query.tail.map(|tail| tail.to_string())),
    ];
    for (name, value) in bounds {
        if let Some(value) = value {
            path.extend(["&", name, "=", &value]);
        }
    }
    path
}

struct Reader<R> {
    from: BufReader<R>,
    framing: Framing,
    source: Source,
    stdout: Assembler,
    stderr: Assembler,
    /// What is left of the frame being read, and its channel.
    left: (u64, Channel),
    ended: bool,
}

fn pieces<R>(
    from: R,
    framing: Framing,
    source: Source,
) -> impl futures::Stream<Item = Result<LogLine, LogsError>>
where
    R: AsyncRead + Send + Unpin,
{
    let reader = Reader {
        from: BufReader::new(from),
        framing,
        source,
        stdout: Assembler::default(),
        stderr: Assembler::default(),
        left: (0, Channel::Stdout),
        ended: false,
    };
    stream::unfold(reader, |mut reader| async move {
        if reader.ended {
            let (channel, piece) = reader.rest()?;
            return Some((Ok(reader.line(channel, piece)), reader));
        }
        match reader.next().await {
            Ok(Some((channel, piece))) => Some((Ok(reader.line(channel, piece)), reader)),
            Ok(None) => {
                reader.ended = true;
                let (channel, piece) = reader.rest()?;
                Some((Ok(reader.line(channel, piece)), reader))
            }
            Err(error) => {
                reader.ended = true;
                (reader.stdout, reader.stderr) = (Assembler::default(), Assembler::default());
                let error = LogsError::Broken { container: reader.source.name.clone(), source: error };
                Some((Err(error), reader))
            }
        }
    })
}

impl<R: AsyncRead + Unpin> Reader<R> {
    async fn next(&mut self) -> std::io::Result<Option<(Channel, Piece)>> {
        match self.framing {
            Framing::Raw => self.next_raw().await,
            Framing::Frames => self.next_framed().await,
        }
    }

    async fn next_raw(&mut self) -> std::io::Result<Option<(Channel, Piece)>> {
        loop {
            let mut text = Vec::new();
            let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
            if (&mut self.from).take(limit).read_until(b'\n', &mut text).await? == 0 {
                return Ok(None);
            }
            if let Some(piece) = self.stdout.stamped(&text) {
                return Ok(Some((Channel::Stdout, piece)));
            }
        }
    }

    async fn next_framed(&mut self) -> std::io::Result<Option<(Channel, Piece)>> {
        loop {
            let (left, channel) = self.left;
            let (length, channel, is_first) = if left > 0 {
                (left, channel, false)
            } else {
                let Some(header) = read_header(&mut self.from).await? else {
                    return Ok(None);
                };
                (u64::from(header.length), header.channel, true)
            };
            let now = length.min(u64::try_from(LONGEST).unwrap_or(u64::MAX));
            let mut text = Vec::with_capacity(usize::try_from(now).unwrap_or(0));
            (&mut self.from).take(now).read_to_end(&mut text).await?;
            self.left = (length.saturating_sub(now), channel);
            let assembler = match channel {
                Channel::Stdout => &mut self.stdout,
                Channel::Stderr => &mut self.stderr,
            };
            let piece = if is_first { assembler.stamped(&text) } else { assembler.more(&text) };
            if let Some(piece) = piece {
                return Ok(Some((channel, piece)));
            }
        }
    }

    /// Lines that have no line feed yet and will get none.
    fn rest(&mut self) -> Option<(Channel, Piece)> {
        [(Channel::Stdout, &mut self.stdout), (Channel::Stderr, &mut self.stderr)]
            .into_iter()
            .find_map(|(channel, assembler)| Some((channel, assembler.finish()?)))
            .filter(|(_, piece)| !piece.text.is_empty())
    }

    fn line(&self, channel: Channel, piece: Piece) -> LogLine {
        LogLine {
            service: self.source.service.clone(),
            container: self.source.name.clone(),
            at: piece.at,
            channel,
            text: piece.text,
        }
    }
}
