//! A real S3 server, and a cable to it that can be cut.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use secrecy::SecretString;
use tidegate_agent::backup::{
    ByteCount, ObjectName,
    destination::{Bucket, BucketSettings, ConditionalPut, Patience},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub const BUCKET: &str = "backups";
pub const REGION: &str = "us-east-1";
const VARIABLE: &str = "TIDEGATE_S3_SERVER";

/// Moto's server. It ends with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub http: reqwest::Client,
}

impl Server {
    /// None where its program is not named; that is said.
    pub async fn start() -> Option<Self> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            println!("skipped: {VARIABLE} does not name moto's S3 server; `script/setup s3` installs it");
            return None;
        };
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let server = Self { child, address, http };
        // Python on a machine that is busy with other things.
        for _ in 0..600 {
            if TcpStream::connect(address).await.is_ok() {
                server.request("PUT", &format!("/{BUCKET}"), "").await;
                return Some(server);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("moto does not answer on {address}");
    }

    /// A request as nobody in particular; moto asks for no name unless told to.
    pub async fn request(&self, method: &str, path: &str, body: &str) -> String {
        self.request_of("s3", method, path, body).await
    }

    pub async fn request_of(&self, service: &str, method: &str, path: &str, body: &str) -> String {
        let url = format!("http://{}{path}", self.address);
        let credential = format!("Credential=x/20261122/{REGION}/{service}/aws4_request");
        let answer = self
            .http
            .request(method.parse().unwrap(), url)
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=x"),
            )
            .header(
                "content-type",
                if service == "iam" { "application/x-www-form-urlencoded" } else { "text/plain" },
            )
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        text
    }

    /// As a droplet would be given it.
    pub fn settings(&self) -> BucketSettings {
        settings(self.address)
    }

    /// Has the bucket keep versions, and take locks.
    pub async fn takes_locks(&self) {
        let versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.request("PUT", &format!("/{BUCKET}?versioning"), versioned).await;
        let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
        self.request("PUT", &format!("/{BUCKET}?object-lock"), lock).await;
    }

    /// From now on keys have to be known; the id and the secret of one that may do nothing.
    pub async fn asks_for_keys(&self) -> (String, String) {
        let iam = |body: &'static str| self.request_of("iam", "POST", "/", body);
        iam("Action=CreateUser&UserName=droplet&Version=2010-05-08").await;
        let key = iam("Action=CreateAccessKey&UserName=droplet&Version=2010-05-08").await;
        let within = |tag: &str| {
            let (_, rest) = key.split_once(&format!("<{tag}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        self.request("POST", "/moto-api/reset-auth", "0").await;
        (within("AccessKeyId"), within("SecretAccessKey"))
    }

    /// And from now on not any more.
    pub async fn asks_nobody(&self) {
        self.request("POST", "/moto-api/reset-auth", "100000000").await;
    }

    pub fn bucket(&self) -> Bucket {
        Bucket::new(self.settings()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub fn settings(address: SocketAddr) -> BucketSettings {
    BucketSettings {
        endpoint: format!("http://{address}"),
        region: REGION.to_owned(),
        bucket: BUCKET.to_owned(),
        prefix: Some(name("tidegate/droplets")),
        access_key_id: "AKIDNOBODY".to_owned(),
        secret_access_key: SecretString::from("hunter2"),
        part_size: ByteCount::mebibytes(5),
        conditional_put: ConditionalPut::Supported,
        lock: None,
        patience: Patience {
            connect: Duration::from_secs(5),
            write: Duration::from_secs(30),
            silence: Duration::from_secs(30),
            retries: 2,
            budget: Duration::from_secs(5),
        },
    }
}

pub fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

/// A way to a server that passes on so many bytes of what is sent there.
pub struct Cable {
    pub address: SocketAddr,
    server: SocketAddr,
    left: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Cable {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let task = tokio::spawn(serve(listener, server, Arc::clone(&left)));
        Self { address, server, left, task }
    }

    /// Puts a cut one together again, at the same address. What was under way when it was cut stays cut.
    pub async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.left.store(u64::MAX, Ordering::SeqCst);
        self.task = tokio::spawn(serve(listener, self.server, Arc::clone(&self.left)));
    }

    /// Passes on so many more bytes, then nothing, and stays connected.
    pub fn stop_after(&self, bytes: u64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// Ends it: nobody answers any more.
    pub fn cut(&self) {
        self.task.abort();
        self.left.store(0, Ordering::SeqCst);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, left: Arc<AtomicU64>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        tokio::spawn(pass(client, server, Arc::clone(&left)));
    }
}

async fn pass(client: TcpStream, server: SocketAddr, left: Arc<AtomicU64>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from_client.read(&mut buffer).await
        && read > 0
    {
        let size = u64::try_from(read).unwrap();
        let before =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(size)));
        if before.unwrap() < size {
            // Held, neither passed on nor refused.
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        if to_server.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    back.abort();
}
