//! Requests to receivers, and to the ping's address: made once, their answers bounded, redirects not followed.

use std::{error::Error as _, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{Certificate, Client, RequestBuilder, Response, redirect::Policy};

use super::{Redactor, Roots, SendError};
use crate::{alerts::settings::SecretUrl, trust::AGENT_VERSION};

/// Of a connection alone; the whole try has a deadline of its own.
const CONNECT: Duration = Duration::from_secs(10);
/// What of an answer is read: its first line says what is wrong.
const LONGEST_ANSWER: usize = 4096;
/// However long a receiver asks to be left alone.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A request with a message.
pub(super) struct Post<'a> {
    pub(super) url: &'a SecretUrl,
    pub(super) body: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) redactor: &'a Redactor,
}

/// Settings of the environment (proxies) say nothing here: what is asked is what was set.
pub(super) fn client(roots: &Roots) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .connect_timeout(CONNECT)
        .redirect(Policy::none())
        .no_proxy()
        // A connection that is kept costs memory, and the next message is hours away.
        .pool_max_idle_per_host(0)
        .user_agent(format!("tidegate-agent/{AGENT_VERSION}"));
    match roots {
        Roots::System => builder.build(),
        Roots::Only(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem)?).build(),
    }
}

pub(super) async fn post(client: &Client, post: Post<'_>, now: Timestamp) -> Result<(), SendError> {
    let headers: HeaderMap = post.headers.into_iter().collect();
    let request = client
        .post(post.url.expose())
        .header(header::CONTENT_TYPE, "application/json")
        .headers(headers)
        .body(post.body);
    ask(request, post.redactor, now).await
}

pub(super) async fn get(client: &Client, url: &SecretUrl, now: Timestamp) -> Result<(), SendError> {
    ask(client.get(url.expose()), &Redactor::of_url(url), now).await
}

async fn ask(request: RequestBuilder, redactor: &Redactor, now: Timestamp) -> Result<(), SendError> {
    let answer = request.send().await.map_err(|error| unsent(&error, redactor))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let retry_after = retry_after(answer.headers(), now);
    let said = redactor.first_line(&first_bytes(answer).await);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    Err(SendError::Refused { status, said, retry_after })
}

/// Its own text may hold the address.
fn unsent(error: &reqwest::Error, redactor: &Redactor) -> SendError {
    SendError::Unreachable(redactor.first_line(&reason(error)))
}

/// The innermost reason.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the connection broke".to_owned(), ToString::to_string)
}

async fn first_bytes(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    // An answer that breaks off has said enough: its status.
    while let Ok(Some(piece)) = answer.chunk().await {
        bytes.extend_from_slice(&piece);
        if bytes.len() >= LONGEST_ANSWER {
            bytes.truncate(LONGEST_ANSWER);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// In seconds, or until a time.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let until = DateTimeParser::new().parse_timestamp(text).ok()?;
        until.duration_since(now).try_into().ok()?
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_may_ask_to_be_left_alone_for_an_hour() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let told = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(text))]);
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!((told("120"), told("0"), told("999999")), (Some(120), Some(0), Some(3600)));
        assert_eq!(told("Mon, 23 Nov 2026 12:05:00 GMT"), Some(300));
        assert_eq!(told("Mon, 23 Nov 2026 11:05:00 GMT"), None);
        assert_eq!((told("soon"), told("-1")), (None, None));
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
