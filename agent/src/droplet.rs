//! Which droplet this is.
//!
//! Owns asking the two that know: the metadata service, and the machine's serial number (DMI), which on a droplet is its
//! id. Must not decide what follows from the answer.

use std::{io, path::PathBuf, time::Duration};

use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tidegate_proto::names::DropletId;
use tokio::{net::TcpStream, time::timeout};
use tracing::{debug, warn};

use crate::config::DropletConfig;

/// One try; the service is on the same host and answers at once when the network is up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Between tries: the network may still be coming up.
const WAITS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
const LONGEST_ANSWER: usize = 256;

/// What the two say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DropletFacts {
    /// The metadata service's word; `None` when it did not answer.
    pub metadata: Option<DropletId>,
    /// The serial number; `None` when there is none that could be an id.
    pub serial: Option<DropletId>,
}

impl DropletFacts {
    /// This droplet's id. The metadata service is believed first: a virtual machine that was resumed from another one's
    /// memory still shows that one's serial number.
    pub fn id(&self) -> Option<DropletId> {
        self.metadata.or(self.serial)
    }
}

/// Asks both.
pub async fn ask(config: &DropletConfig) -> DropletFacts {
    let serial = read_serial(config.dmi_serial.clone()).await;
    let metadata = ask_metadata(&config.metadata).await;
    debug!(?metadata, ?serial, "which droplet this is");
    DropletFacts { metadata, serial }
}

async fn read_serial(path: PathBuf) -> Option<DropletId> {
    let text = fs_err::tokio::read_to_string(path).await.ok()?;
    text.trim().parse().ok()
}

async fn ask_metadata(address: &str) -> Option<DropletId> {
    for wait in WAITS {
        tokio::time::sleep(wait).await;
        match timeout(ANSWER_TIMEOUT, get(address)).await {
            Ok(Ok(text)) => {
                if let Ok(id) = text.trim().parse() {
                    return Some(id);
                }
                warn!("the metadata service gave something else than a droplet's id");
            }
            Ok(Err(error)) => debug!(%error, "the metadata service did not answer"),
            Err(_) => debug!("the metadata service did not answer in time"),
        }
    }
    None
}

async fn get(address: &str) -> io::Result<String> {
    let connection = TcpStream::connect(address).await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await;
    let (mut sender, driver) = handshake.map_err(io::Error::other)?;
    let driver = tokio::spawn(driver);
    let request = Request::get("/metadata/v1/id")
        .header(http::header::HOST, address)
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    if !response.status().is_success() {
        return Err(io::Error::other(format!("it answered {}", response.status())));
    }
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
    driver.abort();
    let body = body.map_err(io::Error::other)?.to_bytes();
    String::from_utf8(body.to_vec()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn metadata(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut request = [0; 512];
                let length = peer.read(&mut request).await.unwrap();
                assert!(request.get(..length).unwrap().starts_with(b"GET /metadata/v1/id HTTP/1.1\r\n"));
                peer.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    fn config(serial: &str, metadata: String) -> (tempfile::TempDir, DropletConfig) {
        let directory = tempfile::tempdir().unwrap();
        let dmi_serial = directory.path().join("product_serial");
        fs_err::write(&dmi_serial, serial).unwrap();
        (directory, DropletConfig { dmi_serial, metadata })
    }

    #[tokio::test]
    async fn the_metadata_service_is_believed_first() {
        let address = metadata("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1003").await;
        let (_directory, config) = config("1009\n", address);
        let facts = ask(&config).await;
        assert_eq!(facts.id().map(DropletId::get), Some(1003));
        assert_eq!(facts.serial.map(DropletId::get), Some(1009));
    }

    #[tokio::test(start_paused = true)]
    async fn without_it_the_serial_number_tells() {
        let refused = metadata("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n1003").await;
        let (_directory, config) = config("1009\n", refused);
        assert_eq!(ask(&config).await.id().map(DropletId::get), Some(1009));
    }

    #[tokio::test]
    async fn another_machines_serial_number_is_no_id() {
        let (_directory, config) = config("VMware-56 4d\n", String::new());
        assert_eq!(read_serial(config.dmi_serial).await, None);
    }
}
