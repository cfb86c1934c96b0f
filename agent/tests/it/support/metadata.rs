//! A droplet's metadata service, as far as the agent asks it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers with an id that can be changed.
pub struct Metadata {
    pub address: String,
    id: Arc<AtomicU64>,
}

impl Metadata {
    pub async fn start(id: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let id = Arc::new(AtomicU64::new(id));
        let answered = id.clone();
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                let mut request = [0; 1024];
                if peer.read(&mut request).await.is_ok() {
                    let id = answered.load(Ordering::SeqCst).to_string();
                    let length = id.len();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{id}"
                    );
                    peer.write_all(answer.as_bytes()).await.ok();
                }
            }
        });
        Self { address, id }
    }

    /// From now on this is another droplet.
    pub fn become_droplet(&self, id: u64) {
        self.id.store(id, Ordering::SeqCst);
    }
}
