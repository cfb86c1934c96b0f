//! A sandbox in this process and a client that judges every answer.

use std::{
    future::{Pending, pending},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use reqwest::{Method, header::HeaderMap};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_sandbox::{
    account::{
        Account, AccountOptions,
        settings::{Lags, Settings},
        tokens::Grant,
    },
    api,
    clock::{Clock, ManualClock, SystemClock},
    none::NoMachines,
};
use tidegate_tests::openapi::{LoadError, OpenApi};
use tokio::{net::TcpListener, time::sleep};

/// How long a test waits for something that should happen soon.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(20);

/// DigitalOcean's document, if the environment names it; says so once if not.
pub(crate) fn openapi() -> Option<&'static OpenApi> {
    static DOCUMENT: OnceLock<Option<OpenApi>> = OnceLock::new();
    let load = || match OpenApi::load_from_env() {
        Ok(document) => Some(document),
        Err(error @ LoadError::NotNamed) => {
            println!("{error}: answers are not judged");
            None
        }
        Err(error) => panic!("{error}"),
    };
    DOCUMENT.get_or_init(load).as_ref()
}

/// Settings without lags, and with limits that no test meets by waiting.
pub(crate) fn quick() -> Settings {
    Settings { lags: Lags::none(), burst_limit: 10_000, hourly_limit: 10_000, ..Settings::default() }
}

/// A running sandbox.
pub(crate) struct Sandbox {
    pub(crate) account: Arc<Account>,
    pub(crate) driver: Arc<NoMachines>,
    pub(crate) address: SocketAddr,
    http: reqwest::Client,
    _dir: Option<TempDir>,
}

impl Sandbox {
    /// A new account without lags.
    pub(crate) async fn start() -> Self {
        Self::start_with(quick()).await
    }

    pub(crate) async fn start_with(settings: Settings) -> Self {
        Self::start_at(settings, Arc::new(SystemClock)).await
    }

    /// A new account whose time only moves when the test moves it.
    pub(crate) async fn start_frozen(settings: Settings) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new("2026-11-21T12:00:00Z".parse().unwrap()));
        (Self::start_at(settings, clock.clone()).await, clock)
    }

    async fn start_at(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let driver = Arc::new(NoMachines::new());
        let sandbox = Self::open(dir.path(), driver, settings, clock).await;
        Self { _dir: Some(dir), ..sandbox }
    }

    /// Opens the account in a directory and serves it.
    pub(crate) async fn open(
        dir: &Path,
        driver: Arc<NoMachines>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let rng = StdRng::seed_from_u64(11);
        let mut options = AccountOptions::new(dir.to_owned(), driver.clone(), clock, rng);
        options.settings = Some(settings);
        let account = Account::open(options).await.unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let never: Pending<()> = pending();
        tokio::spawn(api::serve(Arc::clone(&account), listener, never));
        Self { account, driver, address, http: http_client(), _dir: None }
    }

    /// A client with the full token.
    pub(crate) fn client(&self) -> Client {
        self.client_with(&Grant::Full)
    }

    /// A client with a token that the account has.
    pub(crate) fn client_with(&self, grant: &Grant) -> Client {
        let token = self.account.token(grant).unwrap().secret.expose_secret().to_owned();
        self.client_presenting(Some(token))
    }

    /// A client with this token.
    pub(crate) fn client_presenting(&self, token: Option<String>) -> Client {
        Client { base: format!("http://{}", self.address), token, http: self.http.clone() }
    }

    /// A client with a new token of exactly these scopes.
    pub(crate) fn client_scoped(&self, scopes: &[&str]) -> Client {
        let grant = Grant::Scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        let token = self.account.add_token(grant).unwrap();
        self.client_presenting(Some(token.secret.expose_secret().to_owned()))
    }
}

fn http_client() -> reqwest::Client {
    reqwest::Client::builder().timeout(PATIENCE).build().unwrap()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// The body of an answer with this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The text of an error with this status and id.
    pub(crate) fn error(self, status: u16, id: &str) -> String {
        let body = self.expect(status);
        assert_eq!(body["id"], id, "{body}");
        body["message"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A client of the API.
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) token: Option<String>,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, token: Option<String>) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { base: format!("http://{address}"), token, http }
    }

    /// Sends a request and judges its answer.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let reply = self.try_send(method, path, body).await.unwrap();
        if let Some(openapi) = openapi().filter(|_| path.starts_with("/v2/")) {
            judge(openapi, method, path, &reply);
        }
        reply
    }

    /// Sends a request; the connection may be cut, the answer may be anything.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Reply> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Ok(Reply { status, headers, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None).await
    }

    /// Makes a droplet and waits until it is active and shows its address.
    pub(crate) async fn active_droplet(&self, name: &str, tags: &[&str]) -> Value {
        let id = self.droplet(name, tags).await;
        self.wait(&format!("/v2/droplets/{id}"), |body| {
            let droplet = &body["droplet"];
            droplet["status"] == "active"
                && droplet["locked"] == false
                && droplet["networks"]["v4"] != json!([])
        })
        .await["droplet"]
            .clone()
    }

    /// Asks for a droplet and tells its id.
    pub(crate) async fn droplet(&self, name: &str, tags: &[&str]) -> u64 {
        let request = json!({"name": name, "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "tags": tags});
        self.post("/v2/droplets", request).await.expect(202)["droplet"]["id"].as_u64().unwrap()
    }

    /// Waits until a path answers 200 with a body that fits.
    pub(crate) async fn wait(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            let reply = self.get(path).await;
            if reply.status == 200 && fits(&reply.body) {
                return reply.body;
            }
            last = Some(reply);
            sleep(PAUSE).await;
        }
        panic!("{path} never became what was expected: {last:?}");
    }

    /// Waits until an action has ended and tells how.
    pub(crate) async fn wait_action(&self, id: &Value) -> String {
        let body =
            self.wait(&format!("/v2/actions/{id}"), |body| body["action"]["status"] != "in-progress").await;
        body["action"]["status"].as_str().unwrap().to_owned()
    }

    /// Waits until a droplet answers 404.
    pub(crate) async fn wait_gone(&self, id: u64) {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if self.get(&format!("/v2/droplets/{id}")).await.status == 404 {
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("droplet {id} is still there");
    }
}

fn judge(openapi: &OpenApi, method: &str, path: &str, reply: &Reply) {
    let bare = path.split('?').next().unwrap();
    let body = (!reply.body.is_null()).then_some(&reply.body);
    openapi.check_response(method, bare, reply.status, body).unwrap();
    for header in openapi.headers(method, bare, reply.status).unwrap() {
        // The document lists it for all, the real API sends it only when a burst was stopped.
        if header != "retry-after" {
            assert!(reply.headers.contains_key(&header), "{method} {path}: {} lacks {header}", reply.status);
        }
    }
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"), "{method} {path}");
}
