//! How output and error share one stream.
//!
//! Owns the header that Docker puts before each piece: 8 bytes, which are the channel, three zeros, and the length in big
//! endian. Must not know what the pieces hold.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Whether there are headers at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A terminal: everything is output, without headers.
    Raw,
    /// Pieces with headers.
    Frames,
}

/// Where a piece was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What stands before a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where it was written to.
    pub channel: Channel,
    /// How many bytes follow.
    pub length: u32,
}

/// Reads the next header; `None` at the end, which may well lie within one, when Docker was stopped.
///
/// # Errors
/// When reading fails, or this is no header.
pub async fn read_header(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Header>> {
    let mut bytes = [0; 8];
    match from.read_exact(&mut bytes).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let [channel, _, _, _, length @ ..] = bytes;
    let channel = match channel {
        0 | 1 => Channel::Stdout,
        2 => Channel::Stderr,
        _ => {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a frame of Docker's"));
        }
    };
    Ok(Some(Header { channel, length: u32::from_be_bytes(length) }))
}

#[cfg(test)]
pub(crate) fn frame(channel: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![channel, 0, 0, 0];
    frame.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(payload);
    frame
}
