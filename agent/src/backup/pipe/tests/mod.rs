//! The pipe, whole and with every end broken.

mod damage;
mod ends;

use std::{pin::Pin, sync::Arc, task::Poll};

use age::x25519;
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use super::*;
use crate::backup::{
    Part,
    manifest::Content,
    memory::{Fault, Memory},
    seal::OpenKey,
};

struct World {
    sealing: Sealing,
    user: x25519::Identity,
}

impl World {
    fn new() -> Self {
        let user = x25519::Identity::generate();
        let recipients = Recipients::parse([user.to_public().to_string().as_str()]).unwrap();
        let sealing = Sealing {
            recipients,
            key: OneTimeKey::generate(),
            level: Level::default(),
            limits: Limits::default(),
        };
        Self { sealing, user }
    }

    fn key(&self) -> OpenKey {
        OpenKey::OneTime(self.sealing.key.clone())
    }

    async fn seal(&self, data: &[u8], targets: &[&Arc<Memory>]) -> Result<Sealed, SealError> {
        seal(data, &self.sealing, to(targets)).await
    }

    /// A part and what is stored of it.
    async fn stored(&self, data: &[u8]) -> (Part, Vec<u8>) {
        let memory = Memory::new("memory", Fault::Never);
        let sealed = self.seal(data, &[&memory]).await.unwrap();
        (part(&sealed), memory.get(&name()).unwrap())
    }

    async fn open(&self, part: &Part, stored: &[u8]) -> Result<Vec<u8>, OpenError> {
        open_with(part, self.key(), stored, Fault::Never).await
    }
}

async fn open_with(part: &Part, key: OpenKey, stored: &[u8], fault: Fault) -> Result<Vec<u8>, OpenError> {
    let memory = Memory::new("memory", fault);
    memory.put(&name(), stored);
    let pieces = memory.read(&name()).await.unwrap();
    let mut opened = open(part.clone(), key, pieces, Limits::default());
    let mut data = Vec::new();
    let read = opened.read_to_end(&mut data).await;
    assert!(u64::try_from(data.len()).unwrap() <= part.plain.bytes.get(), "more than there was");
    match read {
        Ok(_) => Ok(data),
        Err(error) => {
            assert!(OpenError::of(&error).is_some(), "{error}");
            assert!(opened.read_to_end(&mut Vec::new()).await.is_err(), "an end after an error");
            Err(*error.into_inner().unwrap().downcast().unwrap())
        }
    }
}

fn name() -> ObjectName {
    ObjectName::new("folder/part.zst.age").unwrap()
}

fn to(memories: &[&Arc<Memory>]) -> Vec<Target> {
    let target = |memory: &&Arc<Memory>| Target { destination: Arc::<Memory>::clone(memory), name: name() };
    memories.iter().map(target).collect()
}

fn part(sealed: &Sealed) -> Part {
    Part {
        name: "part.zst.age".parse().unwrap(),
        content: Content::PostgresGlobals,
        plain: sealed.plain,
        stored: sealed.stored,
        header: sealed.header,
        tables: Vec::new(),
    }
}

/// Half of it compresses, half does not.
fn data(seed: u64, length: usize) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut data = vec![b'-'; length];
    for block in data.chunks_mut(4096).step_by(2) {
        random.fill_bytes(block);
    }
    data
}

async fn goes_round(length: usize) {
    let world = World::new();
    let data = data(7, length);
    let (one, two) = (Memory::new("one", Fault::Never), Memory::new("two", Fault::Never));
    let sealed = world.seal(&data, &[&one, &two]).await.unwrap();
    assert_eq!(sealed.plain, Measure::of(&data), "{length}");
    let stored = one.get(&name()).unwrap();
    assert_eq!(sealed.stored, Measure::of(&stored), "{length}");
    assert_eq!(two.get(&name()).as_ref(), Some(&stored));
    let header = crate::backup::seal::Header::of(&stored).unwrap();
    assert_eq!(sealed.header, Measure::of(header.bytes()));
    assert!(world.open(&part(&sealed), &stored).await.unwrap() == data, "{length}");
}

#[tokio::test]
async fn data_of_awkward_sizes_goes_round() {
    // Around age's chunks, ours, and none.
    for around in [1, 64 * 1024, CHUNK, 2 * CHUNK] {
        for length in [around - 1, around, around + 1] {
            goes_round(length).await;
        }
    }
}

#[tokio::test]
async fn twenty_megabytes_go_round() {
    goes_round(20_000_000).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn data_of_any_size_goes_round(length in 0_usize..900_000) {
        tokio::runtime::Runtime::new().unwrap().block_on(goes_round(length));
    }
}

/// A source that gives a few bytes at a time, then something else than an end.
struct Breaking {
    left: usize,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Error,
    Silence,
}

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.left == 0 {
            return match self.then {
                Then::Error => Poll::Ready(Err(std::io::Error::other("pg_dump ended with status 1"))),
                Then::Silence => Poll::Pending,
            };
        }
        let amount = self.left.min(10_000).min(buffer.remaining());
        // Does not repeat itself, so that something comes out.
        buffer.put_slice(&data(u64::try_from(self.left).unwrap(), amount));
        self.left -= amount;
        Poll::Ready(Ok(()))
    }
}

#[test]
fn levels_are_bounded() {
    assert_eq!(Level::new(0), Err(LevelError(0)));
    assert_eq!(Level::new(20), Err(LevelError(20)));
    assert_eq!(Level::new(3), Ok(Level::default()));
}
