//! A command's stream as outputs.
//!
//! Owns cutting it into pieces of bounded size. Must not know sessions.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
};

use crate::{
    docker_stream::{Channel, Framing, Header, read_header},
    exec::{CHUNK, Output, pump},
};

/// Reads the stream to its end and passes on what it carries.
pub(super) async fn read_outputs(
    mut from: impl AsyncRead + Unpin,
    framing: Framing,
    to: mpsc::Sender<Output>,
) -> io::Result<()> {
    match framing {
        Framing::Raw => {
            pump(from, to, Output::Stdout).await;
            Ok(())
        }
        Framing::Frames => {
            while let Some(header) = read_header(&mut from).await? {
                read_payload(&mut from, header, &to).await?;
            }
            Ok(())
        }
    }
}

async fn read_payload(
    from: &mut (impl AsyncRead + Unpin),
    header: Header,
    to: &mpsc::Sender<Output>,
) -> io::Result<()> {
    let mut payload = from.take(u64::from(header.length));
    loop {
        let mut chunk = Vec::with_capacity(usize::try_from(payload.limit()).unwrap_or(CHUNK).min(CHUNK));
        if chunk.capacity() == 0 || payload.read_buf(&mut chunk).await? == 0 {
            return Ok(());
        }
        let output = match header.channel {
            Channel::Stdout => Output::Stdout(chunk),
            Channel::Stderr => Output::Stderr(chunk),
        };
        if to.send(output).await.is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::docker_stream::frame;

    fn read(bytes: &[u8], framing: Framing) -> (io::Result<()>, Vec<u8>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (sender, mut received) = mpsc::channel(1);
            let collect = tokio::spawn(async move {
                let (mut out, mut err) = (Vec::new(), Vec::new());
                while let Some(output) = received.recv().await {
                    match output {
                        Output::Stdout(bytes) => out.extend(bytes),
                        Output::Stderr(bytes) => err.extend(bytes),
                        other => panic!("{other:?}"),
                    }
                }
                (out, err)
            });
            let outcome = read_outputs(bytes, framing, sender).await;
            let (out, err) = collect.await.unwrap();
            (outcome, out, err)
        })
    }

    proptest! {
        #[test]
        fn frames_of_any_size_come_out_as_they_went_in(
            pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40_000)), 0..6)
        ) {
            let (mut bytes, mut out, mut err) = (Vec::new(), Vec::new(), Vec::new());
            for (is_error, piece) in &pieces {
                bytes.extend(frame(if *is_error { 2 } else { 1 }, piece));
                if *is_error { err.extend(piece) } else { out.extend(piece) }
            }
            let (outcome, read_out, read_err) = read(&bytes, Framing::Frames);
            prop_assert!(outcome.is_ok());
            prop_assert_eq!((read_out, read_err), (out, err));
        }
    }

    #[test]
    fn a_terminal_may_start_with_any_byte() {
        let (outcome, out, _) = read(b"\x01\x00\x02raw", Framing::Raw);
        assert!(outcome.is_ok());
        assert_eq!(out, b"\x01\x00\x02raw");
    }

    #[test]
    fn something_else_than_a_frame_is_an_error() {
        assert!(read(b"HTTP/1.1 500", Framing::Frames).0.is_err());
    }

    #[test]
    fn a_stream_cut_within_a_frame_ends_with_what_came() {
        let mut bytes = frame(1, b"whole");
        bytes.truncate(bytes.len() - 2);
        let (outcome, out, _) = read(&bytes, Framing::Frames);
        assert!(outcome.is_ok());
        assert_eq!(out, b"who");
    }
}
