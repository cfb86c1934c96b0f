//! VPCs: a switch in this process. Every machine of a VPC has a cable: two datagram sockets in its directory, one frame a
//! datagram. The switch learns which hardware address is at which cable, and floods what it does not know. It lives as
//! long as the daemon; machines whose daemon is away lose frames and nothing else, and a new daemon plugs the cables in
//! again under the same names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::UnixDatagram,
    sync::mpsc::{self, error::TrySendError},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::command::{HUB_SOCKET, VPC_SOCKET};
use crate::files::remove_if_there;

/// More than any frame without offloads.
const MAX_FRAME: usize = 65_536;
/// Frames waiting for one machine; more are dropped, as a switch does.
const QUEUE: usize = 512;
/// How long one machine may take to accept a frame.
const SEND: Duration = Duration::from_millis(500);

type Mac = [u8; 6];

/// Who gets a frame. Pure.
#[derive(Debug, Default)]
struct Switch {
    vpcs: BTreeMap<String, Segment>,
}

#[derive(Debug, Default)]
struct Segment {
    ports: BTreeSet<u64>,
    table: BTreeMap<Mac, u64>,
}

/// Addresses a segment remembers; a guest that invents more makes the switch flood, no worse.
const MAX_ADDRESSES: usize = 4096;

impl Switch {
    fn plug(&mut self, vpc: &str, port: u64) {
        self.vpcs.entry(vpc.to_owned()).or_default().ports.insert(port);
    }

    fn unplug(&mut self, port: u64) {
        self.vpcs.retain(|_, segment| {
            segment.ports.remove(&port);
            segment.table.retain(|_, at| *at != port);
            !segment.ports.is_empty()
        });
    }

    fn forward(&mut self, vpc: &str, from: u64, frame: &[u8]) -> Vec<u64> {
        let Some((to, rest)) = frame.split_first_chunk::<6>() else {
            return Vec::new();
        };
        let Some(source) = rest.first_chunk::<6>() else {
            return Vec::new();
        };
        let Some(segment) = self.vpcs.get_mut(vpc) else {
            return Vec::new();
        };
        if !is_group(*source) && (segment.table.len() < MAX_ADDRESSES || segment.table.contains_key(source)) {
            segment.table.insert(*source, from);
        }
        match segment.table.get(to) {
            Some(at) if !is_group(*to) => {
                if *at == from {
                    Vec::new()
                } else {
                    vec![*at]
                }
            }
            _ => segment.ports.iter().copied().filter(|port| *port != from).collect(),
        }
    }
}

/// Broadcast and multicast.
fn is_group(mac: Mac) -> bool {
    let [first, ..] = mac;
    first & 1 == 1
}

/// The switch of all VPCs.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    switch: Switch,
    cables: BTreeMap<u64, Cable>,
}

struct Cable {
    queue: mpsc::Sender<Arc<[u8]>>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("cables", &self.lock().cables.len()).finish()
    }
}

impl Hub {
    /// Plugs a machine into its VPC; again is nothing.
    ///
    /// # Errors
    /// When its socket cannot be made.
    pub fn plug(&self, vpc: &str, droplet_id: u64, dir: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.cables.contains_key(&droplet_id) {
            return Ok(());
        }
        let own = dir.join(HUB_SOCKET);
        remove_if_there(&own)?;
        let socket = Arc::new(UnixDatagram::bind(&own)?);
        let (queue, frames) = mpsc::channel(QUEUE);
        let receiver = self.clone().receive(vpc.to_owned(), droplet_id, Arc::clone(&socket));
        let sender = send(socket, dir.join(VPC_SOCKET), frames);
        let tasks =
            [AbortOnDropHandle::new(tokio::spawn(receiver)), AbortOnDropHandle::new(tokio::spawn(sender))];
        inner.switch.plug(vpc, droplet_id);
        inner.cables.insert(droplet_id, Cable { queue, _tasks: tasks });
        Ok(())
    }

    /// Takes a machine's cable out.
    pub fn unplug(&self, droplet_id: u64) {
        let mut inner = self.lock();
        inner.switch.unplug(droplet_id);
        inner.cables.remove(&droplet_id);
    }

    async fn receive(self, vpc: String, from: u64, socket: Arc<UnixDatagram>) {
        let mut buffer = vec![0_u8; MAX_FRAME];
        loop {
            match socket.recv(&mut buffer).await {
                Ok(length) => {
                    if let Some(frame) = buffer.get(..length) {
                        self.deliver(&vpc, from, frame);
                    }
                }
                Err(error) => {
                    debug!(droplet = from, %error, "a frame could not be read");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn deliver(&self, vpc: &str, from: u64, frame: &[u8]) {
        let mut inner = self.lock();
        let targets = inner.switch.forward(vpc, from, frame);
        if targets.is_empty() {
            return;
        }
        let frame: Arc<[u8]> = frame.into();
        for cable in targets.iter().filter_map(|target| inner.cables.get(target)) {
            match cable.queue.try_send(Arc::clone(&frame)) {
                // A full queue drops the frame, as any switch does.
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(socket: Arc<UnixDatagram>, to: PathBuf, mut frames: mpsc::Receiver<Arc<[u8]>>) {
    while let Some(frame) = frames.recv().await {
        // A machine that is off or hangs loses its frames.
        match tokio::time::timeout(SEND, socket.send_to(&frame, &to)).await {
            Ok(Ok(_)) | Err(_) => {}
            Ok(Err(error)) => debug!(%error, "a frame could not be delivered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = [4, 1, 0, 0, 0, 1];
    const B: Mac = [4, 1, 0, 0, 0, 2];
    const ALL: Mac = [255; 6];

    fn frame(to: Mac, from: Mac) -> Vec<u8> {
        [&to[..], &from[..], &[8, 0, 42]].concat()
    }

    #[test]
    fn unknown_addresses_are_flooded_and_known_ones_are_not() {
        let mut switch = Switch::default();
        for port in [1, 2, 3] {
            switch.plug("vpc", port);
        }
        switch.plug("other", 4);
        assert_eq!(switch.forward("vpc", 1, &frame(ALL, A)), [2, 3]);
        assert_eq!(switch.forward("vpc", 2, &frame(A, B)), [1]);
        assert_eq!(switch.forward("vpc", 1, &frame(B, A)), [2]);
        switch.unplug(2);
        assert_eq!(switch.forward("vpc", 1, &frame(B, A)), [3]);
        assert!(switch.forward("other", 4, &frame(A, B)).is_empty());
        assert!(switch.forward("vpc", 1, &[1, 2, 3]).is_empty());
    }

    #[tokio::test]
    async fn frames_go_from_cable_to_cable_also_after_a_new_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let mut ends = Vec::new();
        for id in ["1", "2"] {
            let at = dir.path().join(id);
            fs_err::create_dir(&at).unwrap();
            ends.push(UnixDatagram::bind(at.join(VPC_SOCKET)).unwrap());
        }
        for _daemon in 0..2 {
            let hub = Hub::default();
            hub.plug("vpc", 1, &dir.path().join("1")).unwrap();
            hub.plug("vpc", 2, &dir.path().join("2")).unwrap();
            ends[0].send_to(&frame(ALL, A), dir.path().join("1").join(HUB_SOCKET)).await.unwrap();
            let mut buffer = [0; 64];
            let got = tokio::time::timeout(Duration::from_secs(5), ends[1].recv(&mut buffer))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(&buffer[..got], frame(ALL, A));
            hub.unplug(1);
            hub.unplug(2);
        }
    }
}
