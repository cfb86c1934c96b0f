//! A dump of `mariadb-dump` or `mysqldump` as it passes: whether it is whole, and how many rows of which tables are in it.
//!
//! Owns the walk through the text: where a statement begins, and where a row does. Changes nothing of it.
//!
//! # Format
//! Statements begin at the beginning of a line: text that a table holds has its newlines escaped. Rows are in
//! ``INSERT INTO `table` VALUES (...),(...);``, which may be one line or one for each row. Triggers, routines and events stand between
//! `DELIMITER ;;` and `DELIMITER ;`, and may hold whatever looks like a statement. The last line says that the dump is complete.

use std::{
    collections::BTreeMap,
    io, mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

const INSERT: &[u8] = b"INSERT INTO `";
const CREATE: &[u8] = b"CREATE TABLE `";
const DELIMITER: &[u8] = b"DELIMITER ";
const USUAL_DELIMITER: &[u8] = b"DELIMITER ;";
const COMPLETED: &[u8] = b"-- Dump completed";
const VALUES: &[u8] = b" VALUES";
/// How much of a line tells what it is: a name of 64 characters, and the names of a few thousand columns.
const LONGEST_BEGINNING: usize = 1024 * 1024;

/// A dump as it passes. Reading it ends only where it is whole.
pub struct Sql<R> {
    source: R,
    tally: Tally,
}

/// What the count of a dump came to, for somebody else.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<Walker>>);

/// A dump has no end.
#[derive(Debug, thiserror::Error)]
#[error("the dump ends before its end")]
pub struct CutOff;

impl<R> Sql<R> {
    /// The dump that this brings, and its count.
    pub fn of(source: R) -> (Self, Tally) {
        let tally = Tally::default();
        (Self { source, tally: tally.clone() }, tally)
    }
}

impl Tally {
    /// Rows by table, as far as they have passed.
    pub fn rows(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rows.clone()
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Sql<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.source).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = read {
            let mut walker = self.tally.0.lock().unwrap_or_else(PoisonError::into_inner);
            let piece = buffer.filled().get(before..).unwrap_or_default();
            if piece.is_empty() && buffer.remaining() > 0 && !walker.is_complete() {
                return Poll::Ready(Err(io::Error::other(CutOff)));
            }
            for byte in piece {
                walker.byte(*byte);
            }
        }
        read
    }
}

/// Where in the text the walk is.
#[derive(Default)]
struct Walker {
    at: At,
    rows: BTreeMap<String, u64>,
    /// What a line began with, as long as it is not known what it is.
    line: Vec<u8>,
    /// The table that rows are added to.
    table: String,
    is_program: bool,
    is_complete: bool,
}

#[derive(Clone, Copy, Default)]
enum At {
    /// In a line that may be a statement.
    #[default]
    Beginning,
    /// In one whose rest does not matter.
    Rest,
    /// Among rows, in so many parentheses.
    Rows(u32),
    /// In a text there.
    Text(u32),
    /// After a backslash in it.
    Escaped(u32),
}

impl Walker {
    fn is_complete(&self) -> bool {
        // The last line may have no newline.
        self.is_complete || self.line.starts_with(COMPLETED)
    }

    fn byte(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Beginning, b'\n') => {
                self.line_ended();
                At::Beginning
            }
            (At::Beginning, byte) => self.beginning(byte),
            (At::Rest, b'\n') => At::Beginning,
            (At::Rows(depth) | At::Text(depth), b'\'') => match self.at {
                At::Text(_) => At::Rows(depth),
                _ => At::Text(depth),
            },
            (At::Text(depth), b'\\') => At::Escaped(depth),
            (At::Text(depth) | At::Escaped(depth), _) => At::Text(depth),
            (At::Rows(depth), b'(') => {
                if depth == 0 {
                    let rows = self.rows.entry(self.table.clone()).or_default();
                    *rows = rows.saturating_add(1);
                }
                At::Rows(depth.saturating_add(1))
            }
            (At::Rows(depth), b')') => At::Rows(depth.saturating_sub(1)),
            (At::Rest, _) | (At::Rows(0), b';') => At::Rest,
            (At::Rows(depth), _) => At::Rows(depth),
        };
    }

    fn beginning(&mut self, byte: u8) -> At {
        self.line.push(byte);
        if self.line.len() > LONGEST_BEGINNING {
            self.line.clear();
            return At::Rest;
        }
        let is_insert = !self.is_program && self.line.starts_with(INSERT);
        if is_insert && self.line.ends_with(VALUES) {
            let rest = self.line.get(INSERT.len()..).unwrap_or_default();
            if let Some((table, after)) = name(rest)
                && is_outside_of_names(after)
            {
                self.table = table;
                self.line.clear();
                return At::Rows(0);
            }
        }
        At::Beginning
    }

    fn line_ended(&mut self) {
        let line = mem::take(&mut self.line);
        if line.starts_with(DELIMITER) {
            self.is_program = line.trim_ascii_end() != USUAL_DELIMITER;
        } else if self.is_program {
        } else if let Some(rest) = line.strip_prefix(CREATE) {
            if let Some((table, _)) = name(rest) {
                self.rows.entry(table).or_default();
            }
        } else if line.starts_with(COMPLETED) {
            self.is_complete = true;
        }
    }
}

/// Whether a text ends outside of any name: `VALUES` may be in that of a column.
fn is_outside_of_names(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'`').count() % 2 == 1
}

/// A name up to its closing backtick, and what comes after it.
fn name(text: &[u8]) -> Option<(String, &[u8])> {
    let (mut name, mut rest) = (Vec::new(), text);
    loop {
        let (first, after) = rest.split_first()?;
        rest = after;
        if *first == b'`' {
            match rest.strip_prefix(b"`") {
                Some(after) => rest = after,
                None => return Some((String::from_utf8_lossy(&name).into_owned(), rest)),
            }
        }
        name.push(*first);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// As MariaDB 11.8 and MySQL 8.0 write them.
    const MARIADB: &str = "/*M!999999\\- enable the sandbox mode */ \nCREATE TABLE `a` (\n  `id` int(11)\n);\n\
        INSERT INTO `a` VALUES\n(1,'x(1),(2)',0x0001),\n(2,'it\\'s \\\\ \\\"q\\\" \\n;\\nINSERT INTO `a` VALUES (1)',NULL),\n(3,'a',0xFF);\n\
        CREATE TABLE `odd ``name` (\n);\nINSERT INTO `odd ``name` (`x VALUES`, `y`) VALUES\n(1,'''),('),\n(2,'');\n\
        /*!50001 CREATE VIEW `v` AS SELECT\n NULL AS `id` */;\nDELIMITER ;;\n\
        CREATE PROCEDURE `p`()\nbegin\nINSERT INTO `a` VALUES (1,'a','b');\nCREATE TABLE `z` (i int);\nend\n;;\nDELIMITER ;\n\
        CREATE TABLE `empty` (\n);\n-- Dump completed\n";
    const MYSQL: &str = "CREATE TABLE `a` (\n);\nINSERT INTO `a` VALUES (1,_binary '(\\0'),(2,'b;'),(3,'c\\'');\nINSERT INTO `a` VALUES (4,'d');\n-- Dump completed on 2026-11-23";

    async fn passed(text: &str, piece: usize) -> (io::Result<String>, BTreeMap<String, u64>) {
        let pieces: Vec<_> = text
            .as_bytes()
            .chunks(piece)
            .map(|piece| io::Result::Ok(bytes::Bytes::copy_from_slice(piece)))
            .collect();
        let source = tokio_util::io::StreamReader::new(futures::stream::iter(pieces));
        let (mut sql, tally) = Sql::of(source);
        let mut out = String::new();
        let read = sql.read_to_string(&mut out).await;
        (read.map(|_| out), tally.rows())
    }

    fn rows(all: &[(&str, u64)]) -> BTreeMap<String, u64> {
        all.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect()
    }

    #[tokio::test]
    async fn rows_are_counted_whatever_they_hold() {
        for piece in [1, 3, 10_000] {
            let (out, counted) = passed(MARIADB, piece).await;
            assert_eq!(out.unwrap(), MARIADB);
            assert_eq!(counted, rows(&[("a", 3), ("empty", 0), ("odd `name", 2)]));
            let (out, counted) = passed(MYSQL, piece).await;
            assert_eq!((out.unwrap().as_str(), counted), (MYSQL, rows(&[("a", 4)])));
        }
    }

    #[tokio::test]
    async fn one_without_its_end_is_told() {
        let whole = MARIADB.strip_suffix("-- Dump completed\n").unwrap();
        for cut in ["", "CREATE TABLE `a` (\n);\n", whole] {
            assert!(passed(cut, 7).await.0.is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_count_fall(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut walker = Walker::default();
            for byte in bytes {
                walker.byte(byte);
            }
        }

        #[test]
        fn texts_count_as_what_they_are(texts in proptest::collection::vec(".{0,40}", 1..20)) {
            let quoted: Vec<String> = texts.iter().map(|text| {
                let text = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
                format!("(1,'{text}')")
            }).collect();
            let mut walker = Walker::default();
            let dump = format!("INSERT INTO `t` VALUES {};\n-- Dump completed\n", quoted.join(","));
            for byte in dump.bytes() {
                walker.byte(byte);
            }
            prop_assert_eq!(walker.rows.get("t").copied(), u64::try_from(texts.len()).ok());
            prop_assert!(walker.is_complete());
        }
    }
}
