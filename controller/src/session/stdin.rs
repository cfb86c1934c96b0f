//! Standard input as a stream of requests. Reading it blocks, on every system in its own way, so a thread does it; the
//! thread ends with the input, with the command, or with the process.

use std::io::Read as _;

use tidegate_proto::v1::{ExecRequest, StdinClosed, exec_request::Request as Sent};
use tokio::sync::mpsc;

/// Far below the contract's limit, so that typing and small files go out at once.
const CHUNK: usize = 16 * 1024;

/// Sends what comes in until there is no more.
pub(super) fn forward(sender: mpsc::Sender<ExecRequest>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        let mut stdin = std::io::stdin().lock();
        loop {
            let request = match stdin.read(&mut buffer) {
                Ok(length @ 1..) => Sent::Stdin(buffer.get(..length).unwrap_or_default().to_vec()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => Sent::StdinClosed(StdinClosed {}),
            };
            let last = matches!(request, Sent::StdinClosed(_));
            if sender.blocking_send(ExecRequest { request: Some(request) }).is_err() || last {
                return;
            }
        }
    });
}
