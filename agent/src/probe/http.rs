//! One GET request on a connection of its own. Redirects are answers like others, and are not followed.

use std::net::SocketAddr;

use http::{Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::{Dial, ProbeError};

/// How much of a body is read, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// How much of an answer's head is read, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How much of a body an error tells, in bytes.
const TOLD: usize = 4096;

/// A request and what its answer has to be like.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The path, with its query.
    pub path: &'a str,
    /// The `Host` of the request.
    pub host: &'a str,
    /// The lowest and the highest status that is good.
    pub status: (u16, u16),
    /// A text that the first 64 KiB of the body have to contain.
    pub contains: Option<&'a str>,
}

/// Asks. The caller sets the deadline.
///
/// # Errors
/// When there is no answer, or it is not as it should be.
pub async fn get(dial: &dyn Dial, address: SocketAddr, question: Question<'_>) -> Result<(), ProbeError> {
    let stream = dial.dial(address).await.map_err(ProbeError::Connect)?;
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with this function, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(question.path)
        .header(header::HOST, question.host)
        .header(header::USER_AGENT, concat!("tidegate-agent/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(broken)?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status().as_u16();
    let is_good = (question.status.0..=question.status.1).contains(&status);
    if is_good && question.contains.is_none() {
        return Ok(());
    }
    let body = beginning(answer.into_body()).await;
    if !is_good {
        return Err(ProbeError::Status { status, body: line(&body) });
    }
    match question.contains.filter(|wanted| !String::from_utf8_lossy(&body).contains(wanted)) {
        None => Ok(()),
        Some(wanted) => Err(ProbeError::Lacks { status, wanted: wanted.to_owned(), body: line(&body) }),
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProbeError {
    ProbeError::Http(error.into())
}

/// The body up to the bound, or up to where it breaks off: the status has been told already.
async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < MAX_BODY
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(data) = frame.into_data() {
            let room = MAX_BODY.saturating_sub(read.len());
            read.extend(data.into_iter().take(room));
        }
    }
    read
}

/// The beginning of a body in one line.
fn line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..TOLD).unwrap_or(body));
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
