//! What is stored is changed, cut, swapped, or opened with another key.

use super::*;
use crate::backup::{
    ByteCount,
    seal::{FileKey, Header},
};

/// Told on failure, so that a run can be repeated.
fn seed() -> u64 {
    let seed = rand::random();
    println!("seed {seed}");
    seed
}

#[tokio::test]
async fn every_flipped_byte_is_noticed() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new();
    let (part, stored) = world.stored(&data(seed, 150_000)).await;
    let header = part.header.bytes.to_usize();
    // All of the header, both ends, and some of the rest.
    let mut places: Vec<usize> = (0..header + 64).chain(stored.len() - 64..stored.len()).collect();
    places.extend((0..250).map(|_| random.random_range(0..stored.len())));
    for place in places {
        let mut damaged = stored.clone();
        damaged[place] ^= 1 << random.random_range(0..8);
        let error = world.open(&part, &damaged).await.unwrap_err();
        assert!(matches!(error, OpenError::Altered { .. }), "seed {seed}, byte {place}: {error}");
    }
}

#[tokio::test]
async fn every_cut_tail_is_noticed() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new();
    let (part, stored) = world.stored(&data(seed, 300_000)).await;
    let mut lengths =
        vec![0, 1, 100, part.header.bytes.to_usize(), 65_536, stored.len() - 1, stored.len() - 17];
    lengths.extend((0..60).map(|_| random.random_range(0..stored.len())));
    for length in lengths {
        let error = world.open(&part, &stored[..length]).await.unwrap_err();
        let OpenError::Truncated { found, expected, .. } = error else {
            panic!("seed {seed}, {length} bytes: {error}")
        };
        assert_eq!((found, expected), (length.try_into().unwrap(), part.stored.bytes.get()));
    }
}

#[tokio::test]
async fn something_added_is_noticed() {
    let world = World::new();
    let (part, stored) = world.stored(b"rows").await;
    for added in [&b"x"[..], &stored] {
        let error = world.open(&part, &[&stored, added].concat()).await.unwrap_err();
        assert!(matches!(error, OpenError::Altered { what: "more than was stored", .. }), "{error}");
    }
}

#[tokio::test]
async fn swapped_parts_are_noticed() {
    let world = World::new();
    let (one, stored_one) = world.stored(&data(1, 9000)).await;
    let (two, stored_two) = world.stored(&data(2, 9000)).await;
    assert!(matches!(world.open(&one, &stored_two).await, Err(OpenError::Altered { .. })));
    assert!(matches!(world.open(&two, &stored_one).await, Err(OpenError::Altered { .. })));
}

#[tokio::test]
async fn a_wrong_key_is_called_that() {
    let world = World::new();
    let (part, stored) = world.stored(b"rows").await;
    let others = OpenKey::OneTime(OneTimeKey::generate());
    let error = open_with(&part, others, &stored, Fault::Never).await.unwrap_err();
    assert!(matches!(error, OpenError::WrongKey { .. }), "{error}");
    let file_key = OpenKey::File(FileKey::new(&[1; 16]).unwrap());
    let error = open_with(&part, file_key, &stored, Fault::Never).await.unwrap_err();
    assert!(matches!(error, OpenError::WrongKey { .. }), "{error}");
}

#[tokio::test]
async fn a_file_key_that_was_unwrapped_elsewhere_opens_the_part() {
    let world = World::new();
    let (part, stored) = world.stored(b"rows").await;
    let header = Header::of(&stored[..part.header.bytes.to_usize()]).unwrap();
    let key = header.unwrap_with(&world.user).unwrap();
    let opened = open_with(&part, OpenKey::File(key), &stored, Fault::Never).await;
    assert_eq!(opened.unwrap(), b"rows");
}

/// Whoever can write a destination can seal to the public keys; what they seal has to fit the manifest.
#[tokio::test]
async fn data_that_grows_when_it_is_opened_is_bounded() {
    let world = World::new();
    let (mut part, stored) = world.stored(&vec![0; 5_000_000]).await;
    assert!(stored.len() < 10_000);
    for claimed in [0, 1, 4_999_999] {
        part.plain.bytes = ByteCount::new(claimed);
        let error = world.open(&part, &stored).await.unwrap_err();
        assert!(matches!(error, OpenError::Altered { what: "more data than there was", .. }), "{error}");
    }
    part.plain.bytes = ByteCount::new(5_000_001);
    assert!(matches!(world.open(&part, &stored).await, Err(OpenError::Altered { .. })));
    part.header.bytes = ByteCount::new(u64::MAX);
    assert!(matches!(world.open(&part, &stored).await, Err(OpenError::Altered { .. })));
}

#[tokio::test]
async fn a_digest_that_does_not_fit_comes_before_the_end() {
    let world = World::new();
    let (mut part, stored) = world.stored(&data(3, 100_000)).await;
    let whole = part.clone();
    part.plain.sha256 = Measure::of(b"another").sha256;
    let error = world.open(&part, &stored).await.unwrap_err();
    assert!(matches!(error, OpenError::Altered { what: "the SHA-256 of the data", .. }), "{error}");
    let mut part = whole;
    part.stored.sha256 = Measure::of(b"another").sha256;
    let error = world.open(&part, &stored).await.unwrap_err();
    assert!(matches!(error, OpenError::Altered { what: "the SHA-256 of what is stored", .. }), "{error}");
}

#[tokio::test]
async fn a_destination_that_breaks_off_is_not_called_damage() {
    let world = World::new();
    let (part, stored) = world.stored(&data(3, 1_000_000)).await;
    for bytes in [0, 10, stored.len() / 2, stored.len() - 1] {
        let error = open_with(&part, world.key(), &stored, Fault::ReadBreaks(bytes)).await.unwrap_err();
        assert!(matches!(error, OpenError::Read { .. }), "{bytes}: {error}");
    }
}

#[tokio::test]
async fn who_stops_listening_stops_the_reading() {
    let world = World::new();
    let (part, stored) = world.stored(&data(3, 10_000_000)).await;
    let memory = Memory::new("memory", Fault::Never);
    memory.put(&name(), &stored);
    let pieces = memory.read(&name()).await.unwrap();
    let mut opened = open(part, world.key(), pieces, Limits::default());
    opened.read_exact(&mut [0; 10]).await.unwrap();
    drop(opened);
    // The runtime of this test would wait for ever for a thread that does not end.
}
