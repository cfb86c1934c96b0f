//! The way in.

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{
    CHUNK, Limits, QUEUE, SealError, Sealed, Sealing, Target,
    carry::{AllFailed, Lanes},
    press::{Pressed, press},
};

/// Reads `source` to its end and stores it, compressed and encrypted, at all targets at once. A destination that fails does
/// not stop the others.
///
/// # Errors
/// When the source failed, or every destination did: then nothing is left there, as far as they let us. Dropped before its
/// end, it leaves nothing either.
pub async fn seal(
    source: impl AsyncRead + Unpin + Send,
    sealing: &Sealing,
    targets: Vec<Target>,
) -> Result<Sealed, SealError> {
    if targets.is_empty() {
        return Err(SealError::NoTarget);
    }
    let encryptor = sealing.recipients.encryptor(&sealing.key).map_err(SealError::Encrypt)?;
    let (plain, to_press) = mpsc::channel(QUEUE);
    let (pressed, mut stored) = mpsc::channel(QUEUE);
    let level = sealing.level;
    let thread = spawn_blocking(move || press(to_press, pressed, encryptor, level));
    let mut lanes = Lanes::begin(targets, sealing.limits);

    let carried = async {
        loop {
            let chunk = tokio::select! {
                chunk = stored.recv() => chunk,
                // Also while the source is silent.
                AllFailed = lanes.all_failed() => return Err(Broken::Destinations),
            };
            let Some(chunk) = chunk else { return Ok(()) };
            lanes.take(&chunk).await.map_err(|AllFailed| Broken::Destinations)?;
        }
    };
    // The first that fails drops the other, which lets the thread end.
    let went = tokio::try_join!(feed(source, plain, sealing.limits), carried);
    drop(stored);
    let pressed = match went {
        Ok(_) => joined(thread).await,
        Err(Broken::Source(error)) => Err(error),
        Err(Broken::Destinations) => return Err(SealError::NoDestination(lanes.end().await)),
    };
    let Pressed { plain, stored, header } = match pressed {
        Ok(pressed) => pressed,
        Err(error) => {
            lanes.end().await;
            return Err(error);
        }
    };
    let outcomes = lanes.finish().await;
    if outcomes.iter().any(|outcome| outcome.stored.is_ok()) {
        Ok(Sealed { plain, stored, header, outcomes })
    } else {
        Err(SealError::NoDestination(outcomes))
    }
}

/// Which end broke.
enum Broken {
    Source(SealError),
    Destinations,
}

async fn joined(thread: JoinHandle<std::io::Result<Pressed>>) -> Result<Pressed, SealError> {
    thread.await.map_err(|_| SealError::Broken)?.map_err(SealError::Press)
}

/// Sends the source on in whole chunks.
async fn feed(
    mut source: impl AsyncRead + Unpin + Send,
    to_press: mpsc::Sender<Bytes>,
    limits: Limits,
) -> Result<(), Broken> {
    let mut chunk = BytesMut::with_capacity(CHUNK);
    loop {
        let read = timeout(limits.silence, source.read_buf(&mut chunk)).await;
        let read = read.map_err(|_| Broken::Source(SealError::Silent { after: limits.silence }))?;
        let read = read.map_err(|error| Broken::Source(SealError::Source(error)))?;
        if (read == 0 || chunk.len() >= CHUNK) && !chunk.is_empty() {
            let whole = std::mem::replace(&mut chunk, BytesMut::with_capacity(CHUNK)).freeze();
            // The thread has ended early, and says why when it is asked.
            if to_press.send(whole).await.is_err() {
                return Ok(());
            }
        }
        if read == 0 {
            return Ok(());
        }
    }
}
