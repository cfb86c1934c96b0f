//! What every request passes on its way in and out: body, journal, faults, token, rate limit; then the routes; then the
//! headers and the body of errors. Once begun, a request is worked on to its end, even if the client goes away.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Query,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::{
    Site,
    ask::{Ask, Request},
    error::ApiError,
    faults::Effect,
    journal::Entry,
    limits::{Kind, Standing, Verdict},
};
use crate::{account::tokens::Grant, domain::droplets::Mishap};

/// The content type of every answer.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_BODY: usize = 1024 * 1024;
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// Marks a response that must not be sent: the connection is cut instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut;

/// Lets a request through to the routes.
pub(super) async fn pass(site: Arc<Site>, routes: Router, request: axum::extract::Request) -> Response {
    let work = tokio::spawn(async move {
        let (parts, body) = request.into_parts();
        Passage::new(site, routes, parts).go(body).await
    });
    work.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// A request on its way.
struct Passage {
    site: Arc<Site>,
    routes: Router,
    request_id: String,
    path: String,
    parts: Parts,
    /// What its token grants, if it has a valid one.
    grant: Option<Grant>,
    /// How its token stands, if it counts.
    standing: Option<Standing>,
}

impl Passage {
    fn new(site: Arc<Site>, routes: Router, parts: Parts) -> Self {
        let token = bearer(&parts.headers).and_then(|token| site.account.find_token(token));
        let (place, grant) = token.unzip();
        let path = normal_path(&parts.uri);
        let standing = is_api(&path).then(|| site.count(place, &parts.method, &path));
        let request_id = site.account.new_uuid();
        Self { site, routes, request_id, path, parts, grant, standing }
    }

    async fn go(self, body: Body) -> Response {
        let body = read(body).await;
        if self.standing.is_none() {
            let response = self.authorised(body, Mishap::default()).await;
            return self.finish(response);
        }
        let fault = super::lock(&self.site.faults).draw(&self.parts.method, &self.path);
        let number = self.note(body.as_ref().ok(), fault.as_ref());
        let response = self.under_fault(body, fault).await;
        let response = self.finish(response);
        let was_cut = response.extensions().get::<Cut>().is_some();
        super::lock(&self.site.journal).answered(number, (!was_cut).then(|| response.status().as_u16()));
        response
    }

    fn note(&self, body: Option<&Bytes>, fault: Option<&Effect>) -> u64 {
        let length = body.map_or(0, Bytes::len);
        let body = body.filter(|body| !body.is_empty()).map_or(Value::Null, |body| {
            let as_text = || Value::String(String::from_utf8_lossy(body).into_owned());
            serde_json::from_slice(body).unwrap_or_else(|_| as_text())
        });
        super::lock(&self.site.journal).add(Entry {
            number: 0,
            at: self.site.account.now(),
            method: self.parts.method.to_string(),
            length,
            path: self.path.clone(),
            query: self.parts.uri.query().unwrap_or_default().to_owned(),
            body,
            token: self.grant.as_ref().map(Grant::name),
            status: None,
            request_id: self.request_id.clone(),
            fault: fault.and_then(|fault| serde_json::to_value(fault).ok()),
        })
    }

    async fn under_fault(&self, body: Result<Bytes, ApiError>, fault: Option<Effect>) -> Response {
        match &fault {
            Some(Effect::Latency { millis }) => sleep(Duration::from_millis(*millis)).await,
            Some(Effect::Status { status, retry_after, body }) => {
                return canned(*status, *retry_after, body.as_ref());
            }
            Some(Effect::ResetBefore) => return cut(),
            Some(Effect::HangBefore { millis }) => {
                sleep(Duration::from_millis(*millis)).await;
                return cut();
            }
            _ => {}
        }
        let mishap = fault.as_ref().map(Effect::mishap).unwrap_or_default();
        let response = self.authorised(body, mishap).await;
        match fault {
            Some(Effect::ResetAfter) => cut(),
            Some(Effect::HangAfter { millis }) => {
                sleep(Duration::from_millis(millis)).await;
                cut()
            }
            _ => response,
        }
    }

    async fn authorised(&self, body: Result<Bytes, ApiError>, mishap: Mishap) -> Response {
        if self.standing.is_some_and(|standing| standing.verdict != Verdict::Pass) {
            return ApiError::too_many_requests().into_response();
        }
        let Some(grant) = self.grant.clone() else {
            return ApiError::unauthorized().into_response();
        };
        if !is_api(&self.path) && grant != Grant::Full {
            return ApiError::missing_scope().into_response();
        }
        match body {
            Ok(body) => self.route(body, grant, mishap).await,
            Err(error) => error.into_response(),
        }
    }

    async fn route(&self, body: Bytes, grant: Grant, mishap: Mishap) -> Response {
        let query: BTreeMap<String, String> =
            Query::try_from_uri(&self.parts.uri).map(|Query(query)| query).unwrap_or_default();
        let ask =
            Ask::new(Request { grant, origin: self.origin(), path: self.path.clone(), query, body, mishap });
        let mut request = axum::extract::Request::new(Body::empty());
        *request.method_mut() = self.parts.method.clone();
        match self.path.parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return ApiError::not_found().into_response(),
        }
        request.extensions_mut().insert(ask);
        let Ok(response) = self.routes.clone().oneshot(request).await;
        response
    }

    /// Scheme and host for links: as set, or as the client calls this server.
    fn origin(&self) -> String {
        if let Some(origin) = &self.site.account.state().settings.link_origin {
            return origin.clone();
        }
        let host = self.parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        format!("http://{}", host.unwrap_or("localhost"))
    }

    fn finish(&self, mut response: Response) -> Response {
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            *response.body_mut() = Body::from(error.body(&self.request_id).to_string());
            response.headers_mut().insert(header::CONTENT_TYPE, JSON);
            // The router told the length of the body that this one replaces.
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        let headers = response.headers_mut();
        if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
            headers.insert(header::CONTENT_TYPE, JSON);
        }
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(standing) = &self.standing {
            rate_headers(headers, standing);
        }
        response
    }
}

fn is_api(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

impl Site {
    fn count(&self, token: Option<usize>, method: &Method, path: &str) -> Standing {
        let is_key_list = path == "/v2/account/keys" && *method == Method::GET;
        let kind = if is_key_list { Kind::KeyList } else { Kind::Other };
        super::lock(&self.limits).count(token, kind, self.account.now(), &self.account.state().settings)
    }
}

/// The path without trailing slashes, which some clients send.
fn normal_path(uri: &Uri) -> String {
    let path = uri.path().trim_end_matches('/');
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    match timeout(BODY_DEADLINE, to_bytes(body, LONGEST_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large")),
        Err(_elapsed) => Err(ApiError::new(StatusCode::BAD_REQUEST, "The request body did not come in time")),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cut() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Cut);
    response
}

fn rate_headers(headers: &mut HeaderMap, standing: &Standing) {
    let mut set = |name: &'static str, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    set("ratelimit-limit", standing.limit.into());
    set("ratelimit-remaining", standing.remaining.into());
    set("ratelimit-reset", standing.reset.into());
    if let Verdict::TooFast(wait) = standing.verdict {
        // Rounded up: coming back at the second told must be late enough.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        set("retry-after", seconds.into());
    }
}

/// The answer of a fault.
fn canned(status: u16, retry_after: Option<u64>, body: Option<&Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match (status.as_u16(), body) {
        (_, Some(Value::String(text))) => (status, text.clone()).into_response(),
        (_, Some(body)) => (status, axum::Json(body)).into_response(),
        (502 | 504 | 520..=527, None) => html(status),
        (429, None) => ApiError::too_many_requests().into_response(),
        (503, None) => ApiError::new(status, "Service is currently unavailable.").into_response(),
        (_, None) => ApiError::new(status, "Server was unable to give you a response.").into_response(),
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert("ratelimit-remaining", HeaderValue::from_static("0"));
    }
    response
}

/// A page as the network's edge makes it: not JSON at all.
fn html(status: StatusCode) -> Response {
    let code = status.as_u16();
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>api.digitalocean.com | {code}: A timeout occurred</title></head>\n\
         <body><h1>Error {code}</h1><p>The web server reported an error.</p></body></html>\n"
    );
    (status, axum::response::Html(page)).into_response()
}
