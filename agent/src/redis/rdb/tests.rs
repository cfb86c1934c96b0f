//! Files that real servers sent (`samples/`): Redis 8.0 and Valkey 8.1 from Debian, with every kind of value that they make, two
//! databases of 22 and 70 keys, and a library of functions. Each ends with the mark of `redis-cli --rdb -`.

use proptest::prelude::*;
use tokio::io::AsyncReadExt as _;

use super::*;

const REDIS: &[u8] = include_bytes!("samples/redis-8.rdb");
/// The same with how often each key was used.
const LRU: &[u8] = include_bytes!("samples/redis-8-lru.rdb");
const VALKEY: &[u8] = include_bytes!("samples/valkey-8.rdb");

/// What comes out, and the count of it; read in pieces of this size.
async fn passed(file: &[u8], piece: usize) -> (io::Result<Vec<u8>>, Option<Counted>) {
    let source = tokio_util::io::StreamReader::new(futures::stream::iter(
        file.chunks(piece).map(|piece| io::Result::Ok(bytes::Bytes::copy_from_slice(piece))),
    ));
    let (mut rdb, tally) = Rdb::of(source);
    let mut out = Vec::new();
    let read = rdb.read_to_end(&mut out).await;
    (read.map(|_| out), tally.counted())
}

fn counts() -> Counted {
    Counted::Keys(Keyspace::from([(0, 22), (7, 70)]))
}

#[tokio::test]
async fn the_keys_of_real_files_are_counted_and_the_mark_is_taken_away() {
    for file in [REDIS, LRU, VALKEY] {
        for piece in [1, 7, 4096] {
            let (out, counted) = passed(file, piece).await;
            assert_eq!(out.unwrap(), file[..file.len() - MARK]);
            assert_eq!(counted, Some(counts()));
        }
        let unmarked = &file[..file.len() - MARK];
        let (out, counted) = passed(unmarked, 100).await;
        assert_eq!((out.unwrap().as_slice(), counted), (unmarked, Some(counts())));
    }
}

#[tokio::test]
async fn a_server_that_reckons_no_checksum_is_believed() {
    let mut file = REDIS[..REDIS.len() - MARK].to_vec();
    let end = file.len() - CHECKSUM;
    file[end..].fill(0);
    assert_eq!(passed(&file, 64).await.0.unwrap(), file);
}

#[tokio::test]
async fn what_is_unknown_ends_the_count_and_not_the_file() {
    // One key of a kind that nobody has yet.
    let mut file = b"REDIS0099\xfe\x00\x63\x01a\x01b\xff".to_vec();
    let crc = crc::extend(0, &file);
    file.extend(crc.to_le_bytes());
    let (out, counted) = passed(&file, 5).await;
    assert_eq!(out.unwrap(), file);
    assert_eq!(counted, Some(Counted::Unknown("kind of value", 0x63)));
}

#[tokio::test]
async fn what_is_no_file_is_told() {
    for (sent, error) in [
        (&b""[..], "no RDB file"),
        (b"NOAUTH Authentication required.\n", "no RDB file"),
        (b"REDIS0012\xfa", "ends before its end"),
        (&REDIS[..500], "ends before its end"),
    ] {
        let (out, _) = passed(sent, 64).await;
        assert!(out.as_ref().unwrap_err().to_string().contains(error), "{sent:?}: {out:?}");
    }
}

proptest! {
    #[test]
    fn no_cut_and_no_change_passes(at in 0..REDIS.len() - MARK, bit in 0_u8..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (cut, counted) = runtime.block_on(passed(&REDIS[..at], 512));
        prop_assert!(cut.is_err() && counted.is_none());
        let mut changed = REDIS.to_vec();
        changed[at] ^= 1 << bit;
        let (out, _) = runtime.block_on(passed(&changed, 512));
        prop_assert!(out.is_err(), "byte {at}");
    }

    #[test]
    fn nothing_makes_the_count_fall(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut census = Census::default();
        for piece in bytes.chunks(13) {
            census.go_on(bytes::Bytes::copy_from_slice(piece));
        }
    }
}
