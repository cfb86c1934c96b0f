//! One HTTP client for all calls: token, deadlines, bounded bodies, a counter, and the rules of repetition. Reads and
//! deletes are repeated on 429, 5xx and broken connections; a POST only when it certainly had no effect (not connected,
//! or 429), because the API knows no idempotency key.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    endpoint::Endpoint,
    error::{ApiError, CloudError},
    retry::{Backoff, asked_wait},
};
use crate::{clock::Clock, waits::Waits};

/// The largest answer that is read.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The API token; printed by nothing.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

impl Token {
    /// From the text the user gave.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim().to_owned()))
    }
}

/// The end of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It was there.
    Now,
    /// It was gone already.
    Before,
}

/// A client for one account.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    token: Token,
    clock: Clock,
    waits: Waits,
    calls: AtomicU64,
    budget: Duration,
}

struct Answer {
    body: Vec<u8>,
    call: String,
}

impl Client {
    /// A client for an endpoint.
    ///
    /// # Errors
    /// When the TLS set-up of this machine cannot be used.
    pub fn new(endpoint: Endpoint, token: Token, clock: Clock, waits: Waits) -> Result<Self, CloudError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_mins(1))
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!endpoint.is_loopback());
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(CloudError::Setup)?;
        let calls = AtomicU64::new(0);
        Ok(Self { http, endpoint, token, clock, waits, calls, budget: Duration::from_secs(75) })
    }

    /// Requests sent so far, repeated ones included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Where this client talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Reads.
    ///
    /// # Errors
    /// When the call does not succeed within its budget.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, CloudError> {
        let answer = self.send(Method::GET, path, query, None).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|source| CloudError::Malformed { call: answer.call, source })
    }

    /// Creates; sent once only, unless it certainly had no effect.
    ///
    /// # Errors
    /// `Ambiguous` when it may have taken effect; otherwise as the API says.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, CloudError> {
        let answer = self.send(Method::POST, path, &[], Some(to_json(path, body)?)).await?;
        serde_json::from_slice(&answer.body).map_err(|source| {
            let call = answer.call;
            let inner = CloudError::Malformed { call: call.clone(), source };
            CloudError::Ambiguous { call, source: Box::new(inner) }
        })
    }

    /// Has something done that is answered without a body; harmless when it is done already, but sent once only.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn order<B: Serialize>(&self, path: &str, body: &B) -> Result<(), CloudError> {
        self.send(Method::POST, path, &[], Some(to_json(path, body)?)).await.map(drop)
    }

    /// Takes away what a body names; what is not there is taken away.
    ///
    /// # Errors
    /// When the call does not succeed within its budget.
    pub async fn take_away<B: Serialize>(&self, path: &str, body: &B) -> Result<(), CloudError> {
        match self.send(Method::DELETE, path, &[], Some(to_json(path, body)?)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Replaces; repeating it is harmless.
    ///
    /// # Errors
    /// When the call does not succeed within its budget.
    pub async fn put<B: Serialize>(&self, path: &str, body: &B) -> Result<(), CloudError> {
        self.send(Method::PUT, path, &[], Some(to_json(path, body)?)).await.map(drop)
    }

    /// Deletes; what is not there is deleted.
    ///
    /// # Errors
    /// When the call does not succeed within its budget.
    pub async fn delete(&self, path: &str) -> Result<Deleted, CloudError> {
        match self.send(Method::DELETE, path, &[], None).await {
            Ok(_) => Ok(Deleted::Now),
            Err(error) if error.is_not_found() => Ok(Deleted::Before),
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> Result<Answer, CloudError> {
        let mut backoff = Backoff::new(self.budget);
        loop {
            let (error, asked) = match self.send_once(&method, path, query, body.as_ref()).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = if may_repeat(&method, &error) { backoff.next(asked, rand::random()) } else { None };
            match wait {
                Some(wait) => {
                    tracing::debug!(%method, path, ?wait, %error, "repeating");
                    self.waits.sleep(wait).await;
                }
                None => return Err(judge(&method, path, error)),
            }
        }
    }

    async fn send_once(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Answer, (CloudError, Option<Duration>)> {
        let call = format!("{method} {path}");
        self.calls.fetch_add(1, Ordering::Relaxed);
        let _waiting = self.waits.begin();
        let mut request = self
            .http
            .request(method.clone(), self.endpoint.join(path))
            .bearer_auth(self.token.0.expose_secret())
            .query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|source| {
            let error = if source.is_connect() {
                CloudError::Unreachable { endpoint: self.endpoint.clone(), source }
            } else {
                CloudError::NoAnswer { call: call.clone(), source }
            };
            (error, None)
        })?;
        let status = response.status();
        let asked = self.asked(&response);
        let request_id = header(&response, "x-request-id").map(str::to_owned);
        let body = read_body(response, &call).await.map_err(|error| (error, None))?;
        tracing::debug!(%call, status = status.as_u16(), "answered");
        if status.is_success() {
            Ok(Answer { body, call })
        } else {
            Err((api_error(call, status, &body, request_id).into(), asked))
        }
    }

    fn asked(&self, response: &Response) -> Option<Duration> {
        (response.status() == StatusCode::TOO_MANY_REQUESTS)
            .then(|| {
                let now = self.clock.now().as_second();
                asked_wait(header(response, "retry-after"), header(response, "ratelimit-reset"), now)
            })
            .flatten()
    }
}

fn to_json<B: Serialize>(path: &str, body: &B) -> Result<Value, CloudError> {
    serde_json::to_value(body).map_err(|source| CloudError::Malformed { call: path.to_owned(), source })
}

/// Reads and deletes may always be repeated; a POST only after an answer or failure that rules an effect out.
fn may_repeat(method: &Method, error: &CloudError) -> bool {
    let transient = match error {
        CloudError::Api(error) => error.status == 429 || error.status >= 500,
        CloudError::NoAnswer { .. } => true,
        // Nothing listens: repeating helps little, and the user waits.
        CloudError::Unreachable { .. } => return false,
        _ => false,
    };
    transient && (*method != Method::POST || error.status() == Some(429))
}

/// A POST that was not answered, or answered with a server's error, may have taken effect.
fn judge(method: &Method, path: &str, error: CloudError) -> CloudError {
    let unknown = match &error {
        CloudError::NoAnswer { .. } | CloudError::TooLarge { .. } => true,
        CloudError::Api(error) => error.status >= 500,
        _ => false,
    };
    if *method == Method::POST && unknown {
        CloudError::Ambiguous { call: format!("{method} {path}"), source: Box::new(error) }
    } else {
        error
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

async fn read_body(mut response: Response, call: &str) -> Result<Vec<u8>, CloudError> {
    let mut body = Vec::new();
    let no_answer = |source| CloudError::NoAnswer { call: call.to_owned(), source };
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(CloudError::TooLarge { call: call.to_owned(), limit: BODY_LIMIT });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Bodies of errors are usually the API's JSON, sometimes an edge's HTML or plain text.
fn api_error(call: String, status: StatusCode, body: &[u8], request_id: Option<String>) -> ApiError {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let message = text("message")
        .or_else(|| text("error"))
        .or_else(|| value.get("messages").and_then(|m| m.get(0)).and_then(Value::as_str).map(str::to_owned));
    ApiError {
        call,
        status: status.as_u16(),
        id: text("id").unwrap_or_default(),
        message: message.unwrap_or_else(|| {
            status.canonical_reason().unwrap_or("an answer that is not the API's").to_owned()
        }),
        request_id: text("request_id").or(request_id),
    }
}
