//! How many keys each database of an RDB file has, counted while it passes.
//!
//! Owns the walk through the format: of values it knows where they end, and nothing else. A kind of value that it does not know
//! ends the count, for nobody knows then where the next key begins; the file itself is none the worse for it.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures::future::BoxFuture;

use super::cursor::Cursor;

/// Keys of each database, by its number. Databases without keys are not in it.
pub type Keyspace = BTreeMap<u64, u64>;

/// What a count came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// All keys.
    Keys(Keyspace),
    /// It met something that it does not know.
    Unknown(&'static str, u64),
}

/// A count under way.
pub(super) struct Census {
    cursor: Cursor,
    walk: Option<BoxFuture<'static, Counted>>,
    counted: Option<Counted>,
}

impl Default for Census {
    fn default() -> Self {
        let cursor = Cursor::default();
        let walk: BoxFuture<'static, Counted> = Box::pin(walk(cursor.clone()));
        Self { cursor, walk: Some(walk), counted: None }
    }
}

impl Census {
    /// Goes on with these bytes.
    pub(super) fn go_on(&mut self, bytes: Bytes) {
        let Some(walk) = self.walk.as_mut() else { return };
        self.cursor.bring(bytes);
        // It waits for nothing but bytes, and is asked again with the next ones.
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(counted) = Pin::new(walk).poll(&mut context) {
            (self.walk, self.counted) = (None, Some(counted));
        }
    }

    /// What it came to; none where the file has not come to its end.
    pub(super) fn counted(&self) -> Option<&Counted> {
        self.counted.as_ref()
    }
}

/// Why a walk ends early.
struct Lost(&'static str, u64);

async fn walk(cursor: Cursor) -> Counted {
    let mut walker = Walker { cursor, is_valkey: false, keys: Keyspace::new() };
    match walker.all().await {
        Ok(()) => Counted::Keys(walker.keys),
        Err(Lost(what, number)) => Counted::Unknown(what, number),
    }
}

struct Walker {
    cursor: Cursor,
    /// Valkey's own format, from its version 9 on: it has given some numbers other meanings.
    is_valkey: bool,
    keys: Keyspace,
}

impl Walker {
    async fn all(&mut self) -> Result<(), Lost> {
        self.is_valkey = self.cursor.byte().await == b'V';
        self.cursor.skip(8).await;
        let mut database = 0;
        loop {
            match self.cursor.byte().await {
                // A field about the file.
                250 => self.strings(2).await?,
                // How large a database is, which is only a hint.
                251 => self.lengths(2).await?,
                // When the next key ends, in milliseconds or seconds.
                252 => self.cursor.skip(8).await,
                253 => self.cursor.skip(4).await,
                // How long the next key was not used, and how often it was.
                248 => self.lengths(1).await?,
                249 => self.cursor.skip(1).await,
                254 => database = self.length().await?,
                // A slot of a cluster.
                244 => self.lengths(3).await?,
                // A library of functions.
                245 => self.strings(1).await?,
                // A module's data that belongs to no key: its id, when it is to be loaded, and the data.
                247 => {
                    self.lengths(3).await?;
                    self.module().await?;
                }
                255 => return Ok(()),
                kind => {
                    self.strings(1).await?;
                    self.value(kind).await?;
                    let keys = self.keys.entry(database).or_default();
                    *keys = keys.saturating_add(1);
                }
            }
        }
    }

    async fn value(&self, kind: u8) -> Result<(), Lost> {
        match kind {
            // A string, and all that is packed into one.
            0 | 9..=13 | 16 | 17 | 20 => self.strings(1).await,
            // A list, a set, a list of packed nodes.
            1 | 2 | 14 => {
                let count = self.length().await?;
                self.strings(count).await
            }
            3 => self.scored_by_text().await,
            4 => {
                let count = self.length().await?;
                self.strings(count.saturating_mul(2)).await
            }
            5 => {
                for _ in 0..self.length().await? {
                    self.strings(1).await?;
                    self.cursor.skip(8).await;
                }
                Ok(())
            }
            7 => {
                self.lengths(1).await?;
                self.module().await
            }
            15 | 19 | 21 => self.stream(kind).await,
            18 => {
                for _ in 0..self.length().await? {
                    self.lengths(1).await?;
                    self.strings(1).await?;
                }
                Ok(())
            }
            // Hashes whose fields end at times of their own.
            22 if self.is_valkey => {
                for _ in 0..self.length().await? {
                    self.strings(2).await?;
                    self.cursor.skip(8).await;
                }
                Ok(())
            }
            24 => {
                self.cursor.skip(8).await;
                for _ in 0..self.length().await? {
                    self.lengths(1).await?;
                    self.strings(2).await?;
                }
                Ok(())
            }
            25 => {
                self.cursor.skip(8).await;
                self.strings(1).await
            }
            other => Err(Lost("kind of value", u64::from(other))),
        }
    }

    /// A sorted set of old servers: scores are texts, three lengths stand for what is no number.
    async fn scored_by_text(&self) -> Result<(), Lost> {
        for _ in 0..self.length().await? {
            self.strings(1).await?;
            let length = self.cursor.byte().await;
            if length < 253 {
                self.cursor.skip(u64::from(length)).await;
            }
        }
        Ok(())
    }

    /// Entries, ids, and the groups that read them.
    async fn stream(&self, kind: u8) -> Result<(), Lost> {
        let count = self.length().await?;
        self.strings(count.saturating_mul(2)).await?;
        let (ids, of_group) = if kind == 15 { (3, 2) } else { (8, 3) };
        self.lengths(ids).await?;
        for _ in 0..self.length().await? {
            self.strings(1).await?;
            self.lengths(of_group).await?;
            for _ in 0..self.length().await? {
                self.cursor.skip(16 + 8).await;
                self.lengths(1).await?;
            }
            for _ in 0..self.length().await? {
                self.strings(1).await?;
                self.cursor.skip(if kind == 21 { 16 } else { 8 }).await;
                let pending = self.length().await?;
                self.cursor.skip(pending.saturating_mul(16)).await;
            }
        }
        Ok(())
    }

    /// What a module wrote, each piece with its kind.
    async fn module(&self) -> Result<(), Lost> {
        loop {
            match self.length().await? {
                0 => return Ok(()),
                1 | 2 => self.lengths(1).await?,
                3 => self.cursor.skip(4).await,
                4 => self.cursor.skip(8).await,
                5 => self.strings(1).await?,
                other => return Err(Lost("piece of a module", other)),
            }
        }
    }

    async fn lengths(&self, count: u64) -> Result<(), Lost> {
        for _ in 0..count {
            self.length().await?;
        }
        Ok(())
    }

    async fn length(&self) -> Result<u64, Lost> {
        match self.length_or_form().await? {
            Length::Of(length) => Ok(length),
            Length::Form(form) => Err(Lost("form of a length", u64::from(form))),
        }
    }

    async fn length_or_form(&self) -> Result<Length, Lost> {
        let first = self.cursor.byte().await;
        let low = u64::from(first & 0x3f);
        Ok(Length::Of(match first >> 6 {
            0 => low,
            1 => (low << 8) | self.cursor.number(1).await,
            2 if first == 0x80 => self.cursor.number(4).await,
            2 if first == 0x81 => self.cursor.number(8).await,
            2 => return Err(Lost("form of a length", u64::from(first))),
            _ => return Ok(Length::Form(first & 0x3f)),
        }))
    }

    async fn strings(&self, count: u64) -> Result<(), Lost> {
        for _ in 0..count {
            match self.length_or_form().await? {
                Length::Of(length) => self.cursor.skip(length).await,
                // Numbers of one, two and four bytes.
                Length::Form(0) => self.cursor.skip(1).await,
                Length::Form(1) => self.cursor.skip(2).await,
                Length::Form(2) => self.cursor.skip(4).await,
                // Compressed: how long it is here, how long it was, and that.
                Length::Form(3) => {
                    let here = self.length().await?;
                    self.lengths(1).await?;
                    self.cursor.skip(here).await;
                }
                Length::Form(form) => return Err(Lost("form of a string", u64::from(form))),
            }
        }
        Ok(())
    }
}

enum Length {
    Of(u64),
    Form(u8),
}
