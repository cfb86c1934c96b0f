//! Measured values as text. Pure.
//!
//! # Format
//! [OpenMetrics 1.0.0](https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md), or, for those who
//! only know that, Prometheus' text format 0.0.4. The two differ here in names (the metadata of a counter or of an info carries
//! the suffix of its samples in the older one), in types (it has no `info`), and in what only the newer one has: units and the end
//! mark, by which half an answer is known for what it is.

use std::fmt::Write as _;

use crate::health::series::float;

/// The text may not become longer: what comes later is left out, and counted.
const MOST_BYTES: usize = 1024 * 1024;

/// Which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0
    OpenMetrics,
    /// Prometheus' text format 0.0.4
    Plain,
}

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A count that only grows until the agent starts anew; its name is given without `_total`.
    Counter,
    /// Labels that say something, with the value 1; its name is given without `_info`.
    Info,
}

/// A text that is being written.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    text: String,
    most: usize,
    omitted: u64,
}

/// A family of samples. It stands in the text once it has one.
#[derive(Debug)]
pub struct Family<'a> {
    of: &'a mut Exposition,
    name: &'static str,
    kind: Kind,
    help: &'static str,
    is_begun: bool,
}

impl Format {
    /// What is answered to whom: the older one only to those who name it and not the newer one.
    pub fn accepted(accept: &str) -> Self {
        let names = |media: &str| accept.contains(media);
        if names("text/plain") && !names("application/openmetrics-text") {
            Self::Plain
        } else {
            Self::OpenMetrics
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Exposition {
    /// An empty one.
    pub fn new(format: Format) -> Self {
        Self { format, text: String::new(), most: MOST_BYTES, omitted: 0 }
    }

    /// Begins a family, whose samples come one after the other. Its name tells its unit: `_seconds`, `_bytes`, `_ratio`.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> Family<'_> {
        Family { of: self, name, kind, help, is_begun: false }
    }

    /// A gauge with one sample without labels; none where there is no value.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: Option<f64>) {
        let mut family = self.family(name, Kind::Gauge, help);
        if let Some(value) = value {
            family.sample(&[], value);
        }
    }

    /// The text, ended by how many samples were left out because it became too long.
    pub fn end(mut self) -> String {
        let omitted = float(self.omitted);
        self.most = usize::MAX;
        self.gauge(
            "tidegate_metrics_omitted_samples",
            "Samples that are not here because there are too many.",
            Some(omitted),
        );
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    /// One sample. Two of a family have different labels.
    pub fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) {
        if self.of.text.len() > self.of.most {
            self.of.omitted = self.of.omitted.saturating_add(1);
            return;
        }
        if !self.is_begun {
            self.begin();
            self.is_begun = true;
        }
        let text = &mut self.of.text;
        text.push_str(self.name);
        text.push_str(self.kind.suffix());
        for (index, (label, value)) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            text.push_str(label);
            text.push_str("=\"");
            escape(value, text);
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        text.push(' ');
        number(value, text);
        text.push('\n');
    }

    fn begin(&mut self) {
        let Self { name, kind, help, .. } = *self;
        let (suffix, word) = match (self.of.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Format::OpenMetrics, Kind::Info) => ("", "info"),
            (Format::Plain, Kind::Counter) => (kind.suffix(), "counter"),
            (Format::Plain, Kind::Info) => (kind.suffix(), "gauge"),
            (_, Kind::Gauge) => ("", "gauge"),
        };
        let text = &mut self.of.text;
        // Writing to a string cannot fail.
        writeln!(text, "# TYPE {name}{suffix} {word}").ok();
        if let (Format::OpenMetrics, Some(unit)) = (self.of.format, unit(name)) {
            writeln!(text, "# UNIT {name} {unit}").ok();
        }
        writeln!(text, "# HELP {name}{suffix} {help}").ok();
    }
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Gauge => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }
}

fn unit(name: &str) -> Option<&'static str> {
    let is = |unit: &&str| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
    ["seconds", "bytes", "ratio"].into_iter().find(is)
}

fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

fn number(value: f64, text: &mut String) {
    if value.is_infinite() {
        text.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        write!(text, "{value}").ok();
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
