//! Questions that `object_store` has no call for: it signs them, the answers are looked through where they are understood.
//!
//! Owns their deadlines, repeats and bounds. Must not know what an answer means.

use std::{error::Error as _, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, StatusCode};
use md5::{Digest as _, Md5};
use object_store::{
    path::Path,
    signer::{SignedUrlOptions, Signer as _},
};

use super::requests::{FIRST_WAIT, LONGEST_WAIT, Requests};
use crate::backup::{ObjectName, destination::DestinationError};

/// How long a signed question can be used.
const SIGNED_FOR: Duration = Duration::from_mins(1);
/// Answers are some hundred bytes, but for a page of a thousand uploads with long names.
const LONGEST_ANSWER: usize = 2 * 1024 * 1024;

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    /// The object; the root is the bucket as a whole.
    pub(super) path: &'a Path,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<String>,
}

impl<'a> Question<'a> {
    pub(super) fn of(method: Method, path: &'a Path, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { method, path, query, body: None }
    }
}

/// What was answered, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

/// An answer that may be another one later.
enum Failed {
    Sent(DestinationError),
    Busy(Answer),
}

impl Requests {
    /// Asks, again where that may help. An error is that there was no answer.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Answer, DestinationError> {
        let waits = ExponentialBuilder::new()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .with_jitter()
            .with_max_times(self.patience.retries)
            .with_total_delay(Some(self.patience.budget));
        let once = || self.ask_once(&question);
        match once.retry(waits).await {
            Ok(answer) | Err(Failed::Busy(answer)) => Ok(answer),
            Err(Failed::Sent(error)) => Err(error),
        }
    }

    async fn ask_once(&self, question: &Question<'_>) -> Result<Answer, Failed> {
        let options = SignedUrlOptions::default().with_query(question.query.iter().copied());
        let method = question.method.clone();
        let signed = self.reads.signed_url_opts(method.clone(), question.path, SIGNED_FOR, &options);
        let url = signed.await.map_err(|error| Failed::Sent(self.told(None, &error)))?;
        let mut request = self.plain.request(method, url.as_str());
        if let Some(body) = &question.body {
            // S3 wants it wherever a lock is changed.
            let digest = STANDARD.encode(Md5::digest(body.as_bytes()));
            request = request.header("content-md5", digest).body(body.clone());
        }
        let answer = request.send().await.map_err(|error| Failed::Sent(self.unsent(&error)))?;
        let answer = self.read(answer).await.map_err(Failed::Sent)?;
        let is_busy = answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS;
        if is_busy && answer.status != StatusCode::NOT_IMPLEMENTED {
            return Err(Failed::Busy(answer));
        }
        Ok(answer)
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Answer, DestinationError> {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unsent(&error))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > LONGEST_ANSWER {
                let said = "an answer that is too long".to_owned();
                return Err(DestinationError::Refused { at: self.title.clone(), said });
            }
        }
        Ok(Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// Its own text holds the address with its signature.
    fn unsent(&self, error: &reqwest::Error) -> DestinationError {
        let at = self.title.clone();
        if error.is_timeout() {
            return DestinationError::Timeout { at, after: self.patience.silence };
        }
        let mut cause = error.source();
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        let reason = cause.map_or_else(|| "the connection broke".to_owned(), ToString::to_string);
        DestinationError::Unreachable { at, reason: reason.chars().take(200).collect() }
    }

    /// What an answer means that is none of the expected ones.
    pub(super) fn refused(&self, name: Option<&ObjectName>, answer: &Answer) -> DestinationError {
        let text = format!("status code: {}: {}", answer.status, answer.text);
        self.told(name, &object_store::Error::Generic { store: "S3", source: text.into() })
    }
}
