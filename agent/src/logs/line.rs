//! Pieces of a log, each with Docker's time stamp before it, as lines.
//!
//! Owns putting together what Docker cut (at 16 KiB) and cutting what would not end. Must not read from anywhere.

use jiff::Timestamp;

/// A longer line is passed on in pieces of this size.
pub(super) const LONGEST: usize = 64 * 1024;

/// A line, or a piece of one, of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) at: Timestamp,
    pub(super) text: Vec<u8>,
}

/// The line that is being put together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    at: Option<Timestamp>,
    text: Vec<u8>,
}

impl Assembler {
    /// Takes what Docker wrote for one write of the container: a time stamp, a space, text. Text that ends with a line
    /// feed ends the line.
    pub(super) fn stamped(&mut self, payload: &[u8]) -> Option<Piece> {
        let (at, text) = split_stamp(payload);
        self.at = self.at.or(at);
        self.more(text)
    }

    /// Takes more of the same write.
    pub(super) fn more(&mut self, text: &[u8]) -> Option<Piece> {
        if let Some(end) = text.strip_suffix(b"\n") {
            self.text.extend_from_slice(end.strip_suffix(b"\r").unwrap_or(end));
            return self.finish();
        }
        self.text.extend_from_slice(text);
        if self.text.len() >= LONGEST {
            let at = self.at;
            let piece = self.finish();
            // What follows belongs to the same line.
            self.at = at;
            return piece;
        }
        None
    }

    /// The line is over, line feed or not.
    pub(super) fn finish(&mut self) -> Option<Piece> {
        let at = self.at.take()?;
        Some(Piece { at, text: std::mem::take(&mut self.text) })
    }
}

fn split_stamp(payload: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let mut parts = payload.splitn(2, |byte| *byte == b' ');
    let stamp = parts.next().and_then(|stamp| std::str::from_utf8(stamp).ok()?.trim_end().parse().ok());
    match stamp {
        // Docker leaves the space out after the stamp of an empty line in some versions.
        Some(at) => (Some(at), parts.next().unwrap_or(b"\n")),
        None => (None, payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "2026-11-21T08:09:10.123456789Z";

    fn feed(payloads: &[&str]) -> Vec<String> {
        let mut assembler = Assembler::default();
        let mut lines: Vec<_> =
            payloads.iter().filter_map(|payload| assembler.stamped(payload.as_bytes())).collect();
        lines.extend(assembler.finish().filter(|piece| !piece.text.is_empty()));
        lines
            .into_iter()
            .map(|piece| format!("{}|{}", piece.at, String::from_utf8(piece.text).unwrap()))
            .collect()
    }

    #[test]
    fn the_stamp_is_split_off() {
        assert_eq!(feed(&[&format!("{STAMP} hello world\n")]), [format!("{STAMP}|hello world")]);
        assert_eq!(feed(&[&format!("{STAMP} \n")]), [format!("{STAMP}|")]);
        assert_eq!(feed(&[&format!("{STAMP} from a terminal\r\n")]), [format!("{STAMP}|from a terminal")]);
    }

    #[test]
    fn what_docker_cut_is_put_together_with_the_first_stamp() {
        let later = "2026-11-21T08:09:11.000000000Z";
        assert_eq!(
            feed(&[&format!("{STAMP} one "), &format!("{later} line\n"), &format!("{later} next")]),
            [format!("{STAMP}|one line"), "2026-11-21T08:09:11Z|next".to_owned()]
        );
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.stamped(format!("{STAMP} ").as_bytes()), None);
        let piece = assembler.more(&vec![b'x'; LONGEST]).unwrap();
        assert_eq!((piece.text.len(), piece.at.to_string().as_str()), (LONGEST, STAMP));
        let rest = assembler.more(b"end\n").unwrap();
        assert_eq!((rest.text.as_slice(), rest.at.to_string().as_str()), (&b"end"[..], STAMP));
        assert_eq!(assembler.finish(), None);
    }
}
