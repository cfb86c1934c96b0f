//! Lines for people while a run goes on.

use tokio::sync::mpsc;

use crate::backup::ByteCount;

/// Takes lines. A reader that is slow or gone misses some, and holds nobody up.
#[derive(Clone, Debug)]
pub struct Progress(Option<mpsc::Sender<String>>);

impl Progress {
    /// For nobody.
    pub fn none() -> Self {
        Self(None)
    }

    /// For whoever reads here. The channel's bound is how far the reader may lag behind.
    pub fn to(reader: mpsc::Sender<String>) -> Self {
        Self(Some(reader))
    }

    /// Tells a line.
    pub fn say(&self, text: impl Into<String>) {
        if let Some(reader) = &self.0 {
            // A line that is missed is all that is lost.
            drop(reader.try_send(text.into()));
        }
    }
}

/// A size as people read it: `12.3 MB`.
pub(super) fn size(bytes: ByteCount) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let bytes = bytes.get();
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            format!("{}.{} {name}", bytes / unit, (bytes % unit).saturating_mul(10) / unit)
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        let text = |bytes| size(ByteCount::new(bytes));
        assert_eq!((text(0), text(999)), ("0 bytes".to_owned(), "999 bytes".to_owned()));
        assert_eq!((text(1_000), text(12_399_999)), ("1.0 kB".to_owned(), "12.3 MB".to_owned()));
        assert_eq!(text(u64::MAX), "18446744073.7 GB");
    }

    #[tokio::test]
    async fn a_slow_reader_holds_nobody_up() {
        let (sender, mut reader) = mpsc::channel(2);
        let progress = Progress::to(sender);
        for line in 0..10 {
            progress.say(line.to_string());
        }
        assert_eq!(reader.recv().await.as_deref(), Some("0"));
        progress.clone().say("next");
        drop(progress);
        assert_eq!(reader.recv().await.as_deref(), Some("1"));
        assert_eq!(reader.recv().await.as_deref(), Some("next"));
        assert_eq!(reader.recv().await, None);
        Progress::none().say("nobody reads");
    }
}
