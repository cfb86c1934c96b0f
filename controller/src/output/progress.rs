//! A step that takes time: a spinner with elapsed time on a terminal, one plain line at its end elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::human;

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A person looks at it.
    Terminal,
    /// A file or a pipe.
    Elsewhere,
}

/// One step under way. Dropped without an ending, it leaves nothing behind.
#[derive(Debug)]
pub struct Step {
    text: String,
    bar: ProgressBar,
    started: Instant,
    terminal: bool,
    prefix: String,
}

/// `  ✓ vpc, firewall                      2 s`
pub(super) fn line(mark: &str, text: &str, time: &str) -> String {
    format!("  {mark} {text:<64} {time:>10}")
}

impl Step {
    pub(super) fn begin(text: String, place: Place, prefix: String) -> Self {
        let terminal = place == Place::Terminal;
        let bar = if terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if terminal {
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg:64} {elapsed:>10}") {
                bar.set_style(style);
            }
            bar.set_message(text.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { text, bar, started: Instant::now(), terminal, prefix }
    }

    /// What it is at now.
    pub fn now(&self, detail: &str) {
        if self.terminal {
            self.bar.set_message(format!("{}  {detail}", self.text));
        }
    }

    /// What it is at now, for steps that take long: where there is no terminal it has a line of its own.
    pub fn tell(&self, detail: &str) {
        if self.terminal { self.now(detail) } else { self.say(&format!("      {detail}")) }
    }

    /// A line above it.
    pub fn say(&self, text: &str) {
        let text = format!("{}{text}", self.prefix);
        if self.terminal { self.bar.suspend(|| to_stderr(&text)) } else { to_stderr(&text) }
    }

    /// It ended well.
    pub fn done(self, detail: &str) {
        let took = self.elapsed();
        self.end("✓", detail, took);
    }

    /// It ended well, and somebody else took the time.
    pub fn done_in(self, detail: &str, took: Duration) {
        self.end("✓", detail, took);
    }

    /// It did not.
    pub fn failed(self, detail: &str) {
        let took = self.elapsed();
        self.end("✗", detail, took);
    }

    /// Since it began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn end(self, mark: &str, detail: &str, took: Duration) {
        self.bar.finish_and_clear();
        let text = if detail.is_empty() { self.text } else { format!("{}  {detail}", self.text) };
        to_stderr(&format!("{}{}", self.prefix, line(mark, &text, &human(took))));
    }
}

fn to_stderr(text: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
