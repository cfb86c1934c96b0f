//! A destination in memory, for tests: it fails where it is told to, and tells what is there.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, ready},
    stream::{self, BoxStream},
};
use jiff::Timestamp;

use super::{
    ByteCount, ObjectName,
    destination::{Destination, DestinationError, Listed, Pieces, Put, Upload},
};

/// Where a destination fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    Never,
    /// Uploads cannot be begun, and nothing listed.
    Down,
    /// The disk is full after so many bytes of an upload.
    FullAfter(usize),
    /// The end of an upload fails.
    AtFinish,
    /// A write never ends.
    Hangs,
    /// Reading breaks off after so many bytes.
    ReadBreaks(usize),
}

#[derive(Debug)]
pub(crate) struct Memory {
    title: String,
    fault: Fault,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<ObjectName, Vec<u8>>,
    /// Uploads that were begun, and neither finished nor aborted.
    pub(crate) open: usize,
    pub(crate) aborted: usize,
}

impl Memory {
    pub(crate) fn new(title: &str, fault: Fault) -> Arc<Self> {
        Arc::new(Self { title: title.to_owned(), fault, state: Arc::default() })
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    pub(crate) fn put(&self, name: &ObjectName, content: &[u8]) {
        self.with(|state| state.objects.insert(name.clone(), content.to_vec()));
    }

    pub(crate) fn get(&self, name: &ObjectName) -> Option<Vec<u8>> {
        self.with(|state| state.objects.get(name).cloned())
    }

    fn down(&self) -> DestinationError {
        DestinationError::Unreachable { at: self.title.clone(), reason: "cable cut".to_owned() }
    }

    fn content(&self, name: &ObjectName) -> Result<Vec<u8>, DestinationError> {
        let missing = || DestinationError::NotFound { at: self.title.clone(), name: name.clone() };
        self.get(name).ok_or_else(missing)
    }
}

impl Destination for Memory {
    fn title(&self) -> &str {
        &self.title
    }

    fn begin<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Box<dyn Upload>, DestinationError>> {
        if self.fault == Fault::Down {
            return ready(Err(self.down())).boxed();
        }
        self.with(|state| state.open += 1);
        let upload = MemoryUpload {
            title: self.title.clone(),
            name: name.clone(),
            fault: self.fault,
            content: Vec::new(),
            state: Arc::clone(&self.state),
        };
        let upload: Box<dyn Upload> = Box::new(upload);
        ready(Ok(upload)).boxed()
    }

    fn read<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<Pieces, DestinationError>> {
        let content = match self.content(name) {
            Ok(content) => content,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let whole = content.len();
        let until = if let Fault::ReadBreaks(bytes) = self.fault { bytes.min(whole) } else { whole };
        let mut pieces: Vec<Result<Bytes, DestinationError>> =
            content[..until].chunks(70_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        if until < whole {
            pieces.push(Err(self.down()));
        }
        ready(Ok(stream::iter(pieces).boxed())).boxed()
    }

    fn read_small<'a>(
        &'a self,
        name: &'a ObjectName,
        most: ByteCount,
    ) -> BoxFuture<'a, Result<Vec<u8>, DestinationError>> {
        let content = self.content(name);
        assert!(content.as_ref().map_or(true, |content| ByteCount::of(content) <= most));
        ready(content).boxed()
    }

    fn put_if_absent<'a>(
        &'a self,
        name: &'a ObjectName,
        content: Bytes,
    ) -> BoxFuture<'a, Result<Put, DestinationError>> {
        let put = self.with(|state| {
            if state.objects.contains_key(name) {
                return Put::Existed;
            }
            state.objects.insert(name.clone(), content.to_vec());
            Put::Done
        });
        ready(Ok(put)).boxed()
    }

    fn list(&self, folder: &ObjectName) -> BoxStream<'static, Result<Listed, DestinationError>> {
        if self.fault == Fault::Down {
            return stream::iter([Err(self.down())]).boxed();
        }
        let listed: Vec<_> = self.with(|state| {
            let below = state.objects.iter().filter(|(name, _)| folder.rest_of(name).is_some());
            let listed = |(name, content): (&ObjectName, &Vec<u8>)| Listed {
                name: name.clone(),
                bytes: ByteCount::of(content),
                modified: Timestamp::from_second(1_800_000_000).unwrap(),
            };
            below.map(listed).map(Ok).collect()
        });
        stream::iter(listed).boxed()
    }

    fn delete<'a>(&'a self, name: &'a ObjectName) -> BoxFuture<'a, Result<(), DestinationError>> {
        self.with(|state| state.objects.remove(name));
        ready(Ok(())).boxed()
    }

    fn free(&self) -> BoxFuture<'_, Result<Option<ByteCount>, DestinationError>> {
        ready(Ok(None)).boxed()
    }
}

struct MemoryUpload {
    title: String,
    name: ObjectName,
    fault: Fault,
    content: Vec<u8>,
    state: Arc<Mutex<State>>,
}

impl MemoryUpload {
    fn full(&self) -> DestinationError {
        DestinationError::of_io(&self.title, &self.name, "write", io::ErrorKind::StorageFull.into())
    }
}

impl Upload for MemoryUpload {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), DestinationError>> {
        self.content.extend_from_slice(&piece);
        match self.fault {
            Fault::FullAfter(bytes) if self.content.len() > bytes => ready(Err(self.full())).boxed(),
            Fault::Hangs => futures::future::pending().boxed(),
            _ => ready(Ok(())).boxed(),
        }
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        let mut state = self.state.lock().unwrap();
        state.open -= 1;
        if self.fault == Fault::AtFinish {
            return ready(Err(self.full())).boxed();
        }
        state.objects.insert(self.name.clone(), self.content.clone());
        drop(state);
        ready(Ok(())).boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        let mut state = self.state.lock().unwrap();
        state.open -= 1;
        state.aborted += 1;
        drop(state);
        ready(Ok(())).boxed()
    }
}
