//! A receiver of webhooks that does as it is told, and checks signatures by itself.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tidegate_proto::v1::SignedWebhook;
use tokio::{net::TcpListener, task::JoinHandle};

/// Bytes, not text: another implementation than the agent's has to come to the same.
const KEY: &[u8] = b"a key of the test's own";

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Does {
    /// 200.
    Take,
    /// A status, seconds for `Retry-After`, and a text.
    Answer(u16, Option<u32>, String),
    /// Nothing.
    Hang,
}

/// A request that it got.
#[derive(Clone, Debug)]
pub struct Got {
    pub at: Instant,
    pub method: String,
    pub id: String,
    pub is_signed: bool,
    pub body: Value,
    pub was_taken: bool,
}

#[derive(Clone)]
struct State {
    does: Arc<Mutex<Does>>,
    got: Arc<Mutex<Vec<Got>>>,
}

pub struct Webhook {
    pub address: SocketAddr,
    state: State,
    task: Option<JoinHandle<()>>,
}

impl Webhook {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { does: Arc::new(Mutex::new(Does::Take)), got: Arc::default() };
        let task = Some(tokio::spawn(serve(listener, state.clone())));
        Self { address, state, task }
    }

    /// Nobody listens any more.
    pub async fn goes_away(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        task.await.unwrap_err();
    }

    /// Somebody does again.
    pub async fn comes_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.task = Some(tokio::spawn(serve(listener, self.state.clone())));
    }

    pub fn does(&self, does: Does) {
        *self.state.does.lock().unwrap() = does;
    }

    pub fn url(&self) -> String {
        format!("http://{}/services/hunter2-hunter2", self.address)
    }

    /// As a fleet file would describe it.
    pub fn settings(&self) -> SignedWebhook {
        SignedWebhook { url: self.url(), secret: format!("whsec_{}", STANDARD.encode(KEY)) }
    }

    /// All requests.
    pub fn got(&self) -> Vec<Got> {
        self.state.got.lock().unwrap().clone()
    }

    /// What it took.
    pub fn taken(&self) -> Vec<Got> {
        self.got().into_iter().filter(|got| got.was_taken).collect()
    }

    /// The findings of this check in a part (`firing`, `resolved`) of all messages that it took.
    pub fn items(&self, part: &str, id: &str) -> Vec<Value> {
        let all =
            self.taken().into_iter().flat_map(|got| got.body[part].as_array().cloned().unwrap_or_default());
        all.filter(|item| item["id"] == id).collect()
    }

    /// Waits until it took so many.
    pub async fn until(&self, count: usize) -> Vec<Got> {
        self.until_got(|| self.taken().len() >= count).await;
        self.taken()
    }

    /// Waits until it got so many requests, whatever it did with them.
    pub async fn until_asked(&self, count: usize) {
        self.until_got(|| self.got().len() >= count).await;
    }

    async fn until_got(&self, is: impl Fn() -> bool) {
        for _ in 0..800 {
            if is() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it did not come: {:#?}", self.got());
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn serve(listener: TcpListener, state: State) {
    // Connections end with the task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let state = state.clone();
        let service = service_fn(move |request| answer(request, state.clone()));
        connections.spawn(async move {
            http1::Builder::new().serve_connection(TokioIo::new(connection), service).await.ok();
        });
    }
}

async fn answer(request: Request<Incoming>, state: State) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = request.method().to_string();
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let does = state.does.lock().unwrap().clone();
    let id = header("webhook-id");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(KEY).unwrap();
    for part in [id.as_bytes(), b".", header("webhook-timestamp").as_bytes(), b".", &body] {
        mac.update(part);
    }
    let signature = header("webhook-signature");
    let is_signed = signature.strip_prefix("v1,").and_then(|code| STANDARD.decode(code).ok());
    let is_signed = is_signed.is_some_and(|code| mac.verify_slice(&code).is_ok());
    let was_taken = matches!(does, Does::Take);
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    state.got.lock().unwrap().push(Got { at: Instant::now(), method, id, is_signed, body, was_taken });
    Ok(match does {
        Does::Take => Response::new(Full::default()),
        Does::Answer(status, retry_after, text) => {
            let mut response = Response::builder().status(status);
            if (300..400).contains(&status) {
                response = response.header("location", "/elsewhere");
            }
            if let Some(seconds) = retry_after {
                response = response.header("retry-after", seconds);
            }
            response.body(Full::from(text)).unwrap()
        }
        Does::Hang => std::future::pending().await,
    })
}
