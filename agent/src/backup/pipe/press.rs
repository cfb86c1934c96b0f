//! What the blocking thread does on the way in: measure, compress, encrypt, measure.

use std::io::{self, Write as _};

use bytes::Bytes;
use tokio::sync::mpsc;
use zstd::stream::write::Encoder;

use super::{Level, bridge::Outlet};
use crate::backup::{Measure, digest::Meter};

/// What was pressed.
pub(super) struct Pressed {
    pub(super) plain: Measure,
    pub(super) stored: Measure,
    pub(super) header: Measure,
}

/// Presses all that comes. It cannot tell an end from a source that failed: who sends the chunks can.
pub(super) fn press(
    mut source: mpsc::Receiver<Bytes>,
    stored: mpsc::Sender<Bytes>,
    encryptor: age::Encryptor,
    level: Level,
) -> io::Result<Pressed> {
    let outlet = Outlet::new(stored);
    let sealing = encryptor.wrap_output(outlet.clone())?;
    let header = outlet.measure();
    let mut encoder = Encoder::new(sealing, level.0)?;
    encoder.include_checksum(true)?;
    let mut plain = Meter::default();
    while let Some(chunk) = source.blocking_recv() {
        plain.update(&chunk);
        encoder.write_all(&chunk)?;
    }
    encoder.finish()?.finish()?;
    outlet.end()?;
    Ok(Pressed { plain: plain.measure(), stored: outlet.measure(), header })
}
