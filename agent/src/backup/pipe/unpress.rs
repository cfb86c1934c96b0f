//! What the blocking thread does on the way back: check, decrypt, decompress, check.

use std::io::{self, BufReader, Cursor, Read};

use bytes::Bytes;
use tokio::sync::mpsc;
use zstd::stream::read::Decoder;

use super::{
    CHUNK, OpenError,
    bridge::{End, Inlet, Watch},
};
use crate::backup::{
    ByteCount, Measure, Part,
    digest::Meter,
    seal::{LARGEST_HEADER, OpenKey},
};

/// The largest window that is decompressed, as a power of two: 8 MiB, what level 19 makes.
const WINDOW_LOG: u32 = 23;

/// What comes out.
pub(super) enum Out {
    Data(Bytes),
    /// All is there, and is what was stored.
    End,
}

/// Opens a part and says at the end whether it was whole.
pub(super) fn unpress(
    part: &Part,
    key: &OpenKey,
    stored: mpsc::Receiver<Result<Bytes, OpenError>>,
    plain: &mpsc::Sender<Result<Out, OpenError>>,
) {
    let (inlet, watch) = Inlet::new(stored, part.stored.bytes);
    let work = Work { part, watch, plain };
    let last = match work.run(inlet, key) {
        Ok(()) => Ok(Out::End),
        Err(Stop::Told(error)) => Err(error),
        Err(Stop::Nobody) => return,
    };
    // Nobody listens any more, or they learn it.
    drop(plain.blocking_send(last));
}

/// Why it stops.
enum Stop {
    Told(OpenError),
    /// Nobody listens any more.
    Nobody,
}

struct Work<'a> {
    part: &'a Part,
    watch: Watch<OpenError>,
    plain: &'a mpsc::Sender<Result<Out, OpenError>>,
}

impl Work<'_> {
    fn run(&self, mut inlet: Inlet<OpenError>, key: &OpenKey) -> Result<(), Stop> {
        let header = self.header(&mut inlet)?;
        // From here on the header is known to be the one that was stored.
        let whole = Cursor::new(header).chain(inlet);
        let decryptor = age::Decryptor::new_buffered(whole).map_err(|_| self.altered("age's header"))?;
        let opened = decryptor.decrypt(std::iter::once(key.identity()));
        let opened = opened.map_err(|_| Stop::Told(OpenError::WrongKey { part: self.part.name.clone() }))?;
        let decoder = Decoder::new(opened).map_err(|_| self.altered("zstd"))?;
        let mut decoder = decoder.single_frame();
        decoder.window_log_max(WINDOW_LOG).map_err(|_| self.altered("zstd"))?;
        let found = self.data(&mut decoder)?;
        self.rest(decoder.finish())?;
        self.watch.drain();
        self.ended()?;
        if self.watch.measure() != self.part.stored {
            return Err(self.altered("the SHA-256 of what is stored"));
        }
        if found != self.part.plain {
            return Err(self.altered("the SHA-256 of the data"));
        }
        Ok(())
    }

    /// Age's header, checked before age sees it: after that, a key that does not fit is a wrong key.
    fn header(&self, inlet: &mut Inlet<OpenError>) -> Result<Vec<u8>, Stop> {
        let length = self.part.header.bytes;
        if length > LARGEST_HEADER {
            return Err(self.altered("the length of age's header"));
        }
        let mut header = Vec::new();
        let mut bounded = inlet.take(length.get());
        bounded.read_to_end(&mut header).map_err(|_| self.broken("age's header"))?;
        if ByteCount::of(&header) < length {
            return Err(self.broken("age's header"));
        }
        if Measure::of(&header) == self.part.header { Ok(header) } else { Err(self.altered("age's header")) }
    }

    fn data(&self, decoder: &mut impl Read) -> Result<Measure, Stop> {
        let mut meter = Meter::default();
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let mut bounded = decoder.by_ref().take(u64::try_from(CHUNK).unwrap_or(u64::MAX));
            bounded.read_to_end(&mut chunk).map_err(|_| self.broken("age or zstd"))?;
            if chunk.is_empty() {
                return Ok(meter.measure());
            }
            meter.update(&chunk);
            if meter.bytes() > self.part.plain.bytes {
                return Err(self.altered("more data than there was"));
            }
            let sent = self.plain.blocking_send(Ok(Out::Data(chunk.into())));
            sent.map_err(|_| Stop::Nobody)?;
        }
    }

    /// After zstd's one frame nothing follows, and age has to see its own end.
    fn rest(&self, mut sealed: BufReader<impl Read>) -> Result<(), Stop> {
        match sealed.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.altered("data after zstd's end")),
            Err(error) => {
                drop::<io::Error>(error);
                Err(self.broken("age"))
            }
        }
    }

    /// Why reading broke off: by the stream's own end, or because what came is not what was stored.
    fn broken(&self, what: &'static str) -> Stop {
        match self.ended() {
            Err(stop) => stop,
            Ok(()) => self.altered(what),
        }
    }

    /// Whether the stream has ended otherwise than it should.
    fn ended(&self) -> Result<(), Stop> {
        let (found, expected) = (self.watch.measure().bytes.get(), self.part.stored.bytes.get());
        match self.watch.take_end() {
            Some(End::Failed(error)) => Err(Stop::Told(error)),
            Some(End::TooLong) => Err(self.altered("more than was stored")),
            Some(End::Clean) if found < expected => {
                let part = self.part.name.clone();
                Err(Stop::Told(OpenError::Truncated { part, found, expected }))
            }
            Some(End::Clean) | None => Ok(()),
        }
    }

    fn altered(&self, what: &'static str) -> Stop {
        Stop::Told(OpenError::Altered { part: self.part.name.clone(), what })
    }
}
