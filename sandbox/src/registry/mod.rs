//! The registry that droplets pull images from: Debian's `docker-registry`, run by the sandbox on 127.0.0.1, its storage in
//! the cache. [`push`] puts images there. It outlives a daemon that is killed, and is taken up or replaced by the next.
//!
//! On disk, in `registry/` of the state directory: `config.yml`, `registry.log`, and `process.json`: `{"port", "process"}`.

pub mod push;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use axum::body::Body;
use http::Request;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, time::Instant};

use crate::{
    files::{last_lines, private_dir, replace_file},
    http_client::{self, HttpError},
    process::{Detached, ProcessId},
};

const PROGRAM: &str = "docker-registry";
const RUN_FILE: &str = "process.json";
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(5);

/// Why there is no registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Files or processes.
    #[error("the registry cannot be run")]
    Io(#[from] io::Error),
    /// Someone else listens there.
    #[error(
        "port {0} of 127.0.0.1 is taken by another program; stop that one, or give the registry another port with --registry-port"
    )]
    PortTaken(u16),
    /// It does not answer.
    #[error("docker-registry did not answer within {} s: {said} (`script/setup-sandbox` installs it)", START.as_secs())]
    Silent {
        /// The end of its log.
        said: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct RunFile {
    port: u16,
    process: ProcessId,
}

/// A registry that runs.
#[derive(Clone, Debug)]
pub struct Registry {
    port: u16,
    process: ProcessId,
}

impl Registry {
    /// Starts it, or takes up the one that an earlier daemon left. Port 0 is the port it had last, or any free one.
    ///
    /// # Errors
    /// When its port is taken or it does not answer.
    pub async fn start(dir: &Path, storage: &Path, port: u16) -> Result<Self, RegistryError> {
        private_dir(dir)?;
        let last = read(dir)?;
        if let Some(RunFile { port: had, process }) = &last
            && process.is_alive()?
        {
            if (port == 0 || port == *had) && answers(*had).await {
                return Ok(Self { port: *had, process: process.clone() });
            }
            process.end(STOP).await?;
        }
        let port = free_port(port, last.map(|run| run.port))?;
        fs_err::create_dir_all(storage)?;
        let config = dir.join("config.yml");
        fs_err::write(&config, configuration(storage, port))?;
        let log = dir.join("registry.log");
        let args = ["serve".to_owned(), config.display().to_string()];
        let process = Detached { program: Path::new(PROGRAM), args: &args, dir, log: log.clone() }.spawn();
        let silent = || RegistryError::Silent {
            said: last_lines(&fs_err::read_to_string(&log).unwrap_or_default(), 3),
        };
        let process = process.map_err(|_| silent())?;
        let run = RunFile { port, process: process.clone() };
        replace_file(dir, RUN_FILE, &serde_json::to_vec(&run).map_err(io::Error::other)?)?;
        let deadline = Instant::now() + START;
        while !answers(port).await {
            if !process.is_alive()? || Instant::now() > deadline {
                process.end(STOP).await?;
                return Err(silent());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        Ok(Self { port, process })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&self) -> io::Result<()> {
        self.process.end(STOP).await
    }
}

/// Ends the registry that a daemon left which is gone.
///
/// # Errors
/// When it does not end.
pub async fn stop_left_over(dir: &Path) -> io::Result<()> {
    match read(dir)? {
        Some(run) => run.process.end(STOP).await,
        None => Ok(()),
    }
}

fn read(dir: &Path) -> io::Result<Option<RunFile>> {
    match fs_err::read(dir.join(RUN_FILE)) {
        // One that cannot be read is as good as none: the port says whether somebody is there.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn free_port(wanted: u16, last: Option<u16>) -> Result<u16, RegistryError> {
    let bind =
        |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|socket| socket.local_addr());
    if wanted != 0 {
        return match bind(wanted) {
            Ok(_) => Ok(wanted),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(RegistryError::PortTaken(wanted)),
            Err(error) => Err(error.into()),
        };
    }
    // Machines that run dial the port that was last.
    if let Some(address) = last.and_then(|port| bind(port).ok()) {
        return Ok(address.port());
    }
    Ok(bind(0)?.port())
}

fn configuration(storage: &Path, port: u16) -> String {
    // JSON is YAML, and needs no rules of ours for quoting.
    serde_json::json!({
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": true}},
        "storage": {"filesystem": {"rootdirectory": storage}, "delete": {"enabled": true}},
        "http": {"addr": format!("127.0.0.1:{port}")},
    })
    .to_string()
}

async fn answers(port: u16) -> bool {
    let get = async {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(HttpError::Connect)?;
        let request = Request::get("/v2/").body(Body::empty()).map_err(HttpError::Request)?;
        http_client::send(stream, request, ANSWER).await
    };
    get.await.is_ok_and(|answer| answer.status().is_success())
}
