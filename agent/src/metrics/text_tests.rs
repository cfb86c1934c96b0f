//! The text, read back by a reader of its own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn both(write: impl Fn(&mut Exposition)) -> [String; 2] {
    [Format::OpenMetrics, Format::Plain].map(|format| {
        let mut exposition = Exposition::new(format);
        write(&mut exposition);
        exposition.end()
    })
}

#[test]
fn each_format_has_its_own_names() {
    let [open, plain] = both(|to| {
        to.family("t_agent", Kind::Info, "What it is.")
            .sample(&[("version", "1"), ("name", "a\"b\\c\nd")], 1.0);
        to.family("t_requests", Kind::Counter, "Requests.").sample(&[("app", "shop")], 12.0);
        let mut busy = to.family("t_cpu_busy_ratio", Kind::Gauge, "Busy.");
        busy.sample(&[("cpu", "0")], 0.25);
        busy.sample(&[("cpu", "1")], f64::INFINITY);
        to.gauge("t_nothing_seconds", "Of nothing.", None);
    });
    assert_eq!(
        open,
        r#"# TYPE t_agent info
# HELP t_agent What it is.
t_agent_info{version="1",name="a\"b\\c\nd"} 1
# TYPE t_requests counter
# HELP t_requests Requests.
t_requests_total{app="shop"} 12
# TYPE t_cpu_busy_ratio gauge
# UNIT t_cpu_busy_ratio ratio
# HELP t_cpu_busy_ratio Busy.
t_cpu_busy_ratio{cpu="0"} 0.25
t_cpu_busy_ratio{cpu="1"} +Inf
# TYPE tidegate_metrics_omitted_samples gauge
# HELP tidegate_metrics_omitted_samples Samples that are not here because there are too many.
tidegate_metrics_omitted_samples 0
# EOF
"#
    );
    assert_eq!(
        plain,
        r#"# TYPE t_agent_info gauge
# HELP t_agent_info What it is.
t_agent_info{version="1",name="a\"b\\c\nd"} 1
# TYPE t_requests_total counter
# HELP t_requests_total Requests.
t_requests_total{app="shop"} 12
# TYPE t_cpu_busy_ratio gauge
# HELP t_cpu_busy_ratio Busy.
t_cpu_busy_ratio{cpu="0"} 0.25
t_cpu_busy_ratio{cpu="1"} +Inf
# TYPE tidegate_metrics_omitted_samples gauge
# HELP tidegate_metrics_omitted_samples Samples that are not here because there are too many.
tidegate_metrics_omitted_samples 0
"#
    );
}

#[test]
fn the_newer_format_is_for_all_but_those_who_ask_for_the_older() {
    for (accept, format) in [
        ("", Format::OpenMetrics),
        ("*/*", Format::OpenMetrics),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        ),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format::Plain),
    ] {
        assert_eq!(Format::accepted(accept), format, "{accept}");
    }
}

#[test]
fn a_text_that_becomes_too_long_is_cut_and_whole() {
    let mut exposition = Exposition::new(Format::OpenMetrics);
    let mut family = exposition.family("t_many", Kind::Gauge, "Many.");
    for index in 0..100_000 {
        family.sample(&[("name", &index.to_string())], 1.0);
    }
    let text = exposition.end();
    assert!(text.len() < MOST_BYTES + 1000 && text.ends_with("\n# EOF\n"));
    let written = text.lines().filter(|line| line.starts_with("t_many")).count();
    let omitted = format!("\ntidegate_metrics_omitted_samples {}\n", 100_000 - written);
    assert!(written < 100_000 && text.contains(&omitted), "{written}");
}

/// The labels and the value of a line.
fn read(line: &str) -> (BTreeMap<String, String>, f64) {
    let (_, rest) = line.split_once('{').unwrap();
    let (mut labels, mut rest) = (BTreeMap::new(), rest);
    loop {
        let (name, value) = rest.split_once("=\"").unwrap();
        let mut text = String::new();
        let mut characters = value.chars();
        loop {
            match characters.next().unwrap() {
                '"' => break,
                '\\' => text.push(match characters.next().unwrap() {
                    'n' => '\n',
                    other => other,
                }),
                other => text.push(other),
            }
        }
        assert!(labels.insert(name.to_owned(), text).is_none());
        let after = characters.as_str();
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return (labels, after.strip_prefix('}').unwrap().trim().parse().unwrap()),
        }
    }
}

proptest! {
    #[test]
    fn any_value_of_a_label_is_read_back(first in ".*", second in "[a\"\\\\\n}{=, ]*", value in any::<f64>()) {
        for text in both(|to| {
            to.family("t_odd", Kind::Gauge, "Odd.").sample(&[("first", &first), ("second", &second)], value);
        }) {
            // One line, whatever stands in it.
            let lines: Vec<&str> = text.split('\n').filter(|line| line.starts_with("t_odd")).collect();
            prop_assert_eq!(lines.len(), 1, "{:?}", text);
            let (labels, told) = read(lines[0]);
            prop_assert_eq!(&labels["first"], &first);
            prop_assert_eq!(&labels["second"], &second);
            prop_assert!(told.to_bits() == value.to_bits() || told.is_nan() && value.is_nan());
        }
    }
}
