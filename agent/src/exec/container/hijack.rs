//! A raw stream to a command in a container: Docker's API turns the HTTP connection into one ("hijacking").
//!
//! Owns that one request and Docker's framing of output and error. Must not know sessions. bollard would do it too, but
//! its decoder takes a terminal's output for a frame when it starts with the bytes 0, 1 or 2, and then waits for ever.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::UnixStream,
    sync::mpsc,
    time::timeout,
};

use crate::exec::{CHUNK, Output};

/// How long Docker may take to start a command; under heavy load that is seconds.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_ERROR: usize = 64 * 1024;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum HijackError {
    /// Docker's socket does not answer.
    #[error("Docker does not answer on {}", .path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("the conversation with Docker broke off")]
    Http(#[source] hyper::Error),
    /// Docker took too long.
    #[error("Docker did not start the command within {} s", START_TIMEOUT.as_secs())]
    Timeout,
    /// Docker said no.
    #[error("Docker answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Docker's words.
        message: String,
    },
}

/// The stream, both ways.
pub(super) type Stream = TokioIo<Upgraded>;

/// Posts `body` to `path` of Docker's API and takes the connection over.
pub(super) async fn hijack(socket: &Path, path: &str, body: serde_json::Value) -> Result<Stream, HijackError> {
    timeout(START_TIMEOUT, request(socket, path, body)).await.unwrap_or(Err(HijackError::Timeout))
}

async fn request(socket: &Path, path: &str, body: serde_json::Value) -> Result<Stream, HijackError> {
    let connect = |source| HijackError::Connect { path: socket.to_owned(), source };
    let connection = UnixStream::connect(socket).await.map_err(connect)?;
    let (mut sender, driver) =
        hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(HijackError::Http)?;
    // Ends with the connection; a task of its own, since the stream outlives this call.
    tokio::spawn(driver.with_upgrades());
    let request = Request::post(path)
        .header(header::HOST, "docker")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "tcp")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| connect(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let response = sender.send_request(request).await.map_err(HijackError::Http)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return hyper::upgrade::on(response).await.map(TokioIo::new).map_err(HijackError::Http);
    }
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ERROR).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Err(HijackError::Refused { status, message: docker_message(&body) })
}

fn docker_message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    match serde_json::from_slice::<Message>(body) {
        Ok(Message { message }) => message,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    }
}

/// How output and error share the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// A terminal: everything is output.
    Raw,
    /// Pieces with a header of 8 bytes: which of the two, three zeros, length in big endian.
    Frames,
}

/// Reads the stream to its end and passes on what it carries.
pub(super) async fn read_outputs(
    mut from: impl AsyncRead + Unpin,
    framing: Framing,
    to: mpsc::Sender<Output>,
) -> io::Result<()> {
    match framing {
        Framing::Raw => {
            crate::exec::pump(from, to, Output::Stdout).await;
            Ok(())
        }
        Framing::Frames => {
            while let Some((wrap, length)) = read_header(&mut from).await? {
                read_payload(&mut from, wrap, length, &to).await?;
            }
            Ok(())
        }
    }
}

type Wrap = fn(Vec<u8>) -> Output;

async fn read_header(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(Wrap, u32)>> {
    let mut header = [0; 8];
    match from.read_exact(&mut header).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let [stream, _, _, _, length @ ..] = header;
    let wrap: Wrap = match stream {
        0 | 1 => Output::Stdout,
        2 => Output::Stderr,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not a frame of Docker's")),
    };
    Ok(Some((wrap, u32::from_be_bytes(length))))
}

async fn read_payload(
    from: &mut (impl AsyncRead + Unpin),
    wrap: Wrap,
    length: u32,
    to: &mpsc::Sender<Output>,
) -> io::Result<()> {
    let mut payload = from.take(u64::from(length));
    loop {
        let mut chunk = Vec::with_capacity(usize::try_from(payload.limit()).unwrap_or(CHUNK).min(CHUNK));
        if chunk.capacity() == 0 || payload.read_buf(&mut chunk).await? == 0 {
            return Ok(());
        }
        if to.send(wrap(chunk)).await.is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn read(bytes: &[u8], framing: Framing) -> (io::Result<()>, Vec<u8>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (sender, mut received) = mpsc::channel(1);
            let collect = tokio::spawn(async move {
                let (mut out, mut err) = (Vec::new(), Vec::new());
                while let Some(output) = received.recv().await {
                    match output {
                        Output::Stdout(bytes) => out.extend(bytes),
                        Output::Stderr(bytes) => err.extend(bytes),
                        other => panic!("{other:?}"),
                    }
                }
                (out, err)
            });
            let outcome = read_outputs(bytes, framing, sender).await;
            let (out, err) = collect.await.unwrap();
            (outcome, out, err)
        })
    }

    proptest! {
        #[test]
        fn frames_of_any_size_come_out_as_they_went_in(
            pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40_000)), 0..6)
        ) {
            let (mut bytes, mut out, mut err) = (Vec::new(), Vec::new(), Vec::new());
            for (is_error, piece) in &pieces {
                bytes.extend(frame(if *is_error { 2 } else { 1 }, piece));
                if *is_error { err.extend(piece) } else { out.extend(piece) }
            }
            let (outcome, read_out, read_err) = read(&bytes, Framing::Frames);
            prop_assert!(outcome.is_ok());
            prop_assert_eq!((read_out, read_err), (out, err));
        }
    }

    #[test]
    fn a_terminal_may_start_with_any_byte() {
        let (outcome, out, _) = read(b"\x01\x00\x02raw", Framing::Raw);
        assert!(outcome.is_ok());
        assert_eq!(out, b"\x01\x00\x02raw");
    }

    #[test]
    fn something_else_than_a_frame_is_an_error() {
        assert!(read(b"HTTP/1.1 500", Framing::Frames).0.is_err());
    }

    #[test]
    fn a_stream_cut_within_a_frame_ends_with_what_came() {
        let mut bytes = frame(1, b"whole");
        bytes.truncate(bytes.len() - 2);
        let (outcome, out, _) = read(&bytes, Framing::Frames);
        assert!(outcome.is_ok());
        assert_eq!(out, b"who");
    }
}
