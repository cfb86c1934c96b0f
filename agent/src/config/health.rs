//! `[health]`: from when on something is told as not well. Format: see [`super`].
//!
//! Each limit has a `warning`, a `critical`, and `for`: how long it has to be crossed before it is told. What is left out has
//! its default; a limit's finding ends a little below it, see `crate::health`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

/// `[health]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct HealthConfig {
    /// How often a sample is kept for the history.
    pub sample: Duration,
    /// How long a check has to be good before its finding ends.
    pub ends_after: Duration,
    /// How long a check may be without an answer before that is told.
    pub unknown_after: Duration,
    /// How long what has no limit of its own (a container, a probe, Docker) has to be bad before it is told.
    pub bad_for: Duration,
    /// Busy processors, in percent of all of them.
    pub cpu_percent: Limit,
    /// Memory that programs cannot have any more, in percent.
    pub memory_percent: Limit,
    /// A used disk, in percent.
    pub disk_percent: Limit,
    /// Used inodes of a disk, in percent.
    pub inodes_percent: Limit,
    /// In how many hours a disk is full at the present rate; less is worse.
    pub disk_full_hours: Limit,
    /// Load average over one minute, per processor.
    pub load_per_cpu: Limit,
    /// How far the clock is off, in milliseconds. One that is not synchronised is told after the same time.
    pub clock_offset_ms: Limit,
    /// How long the agent's certificate holds still, in days; less is worse.
    pub certificate_days: Limit,
    /// How long the certificate of an app's host holds still, in days; less is worse.
    pub host_certificate_days: Limit,
    /// Answers with status 500 and above, in percent of a service's answers.
    pub errors_percent: Limit,
    /// The time within which 95 of 100 requests are answered, in milliseconds.
    pub p95_ms: Limit,
    /// Fewer requests than this between two looks say nothing about errors and times.
    pub requests: u64,
    /// How often Docker started a container again within `restarts_within`.
    pub restarts: Limit,
    /// See `restarts`.
    pub restarts_within: Duration,
    /// How long a container that ran out of memory is told of.
    pub out_of_memory_told: Duration,
    /// How much later than its schedule a backup, or its verification, may come.
    pub backup_slack: Duration,
    /// A release that is under way for so long is told.
    pub release_within: Duration,
}

/// From when on a measured value is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// From this value on it is a warning.
    pub warning: u64,
    /// From this value on it is critical.
    pub critical: u64,
    /// How long it has to be so.
    pub hold: Duration,
}

/// Which values are worse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worse {
    Percent,
    More,
    Less,
}

const fn limit(warning: u64, critical: u64, hold: Duration) -> Limit {
    Limit { warning, critical, hold }
}

const MINUTE: Duration = Duration::from_mins(1);

impl Default for HealthConfig {
    fn default() -> Self {
        let minutes = Duration::from_mins;
        Self {
            sample: MINUTE,
            ends_after: minutes(2),
            unknown_after: minutes(3),
            bad_for: MINUTE,
            cpu_percent: limit(80, 95, minutes(5)),
            memory_percent: limit(85, 95, minutes(5)),
            disk_percent: limit(90, 97, MINUTE),
            inodes_percent: limit(90, 97, MINUTE),
            disk_full_hours: limit(48, 6, minutes(10)),
            load_per_cpu: limit(4, 16, minutes(10)),
            clock_offset_ms: limit(500, 5000, minutes(15)),
            certificate_days: limit(30, 7, Duration::ZERO),
            host_certificate_days: limit(14, 3, Duration::ZERO),
            errors_percent: limit(5, 25, minutes(3)),
            p95_ms: limit(2000, 10_000, minutes(5)),
            requests: 20,
            restarts: limit(2, 5, Duration::ZERO),
            restarts_within: minutes(10),
            out_of_memory_told: minutes(15),
            backup_slack: Duration::from_hours(2),
            release_within: Duration::from_hours(1),
        }
    }
}

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    sample: Option<SignedDuration>,
    ends_after: Option<SignedDuration>,
    unknown_after: Option<SignedDuration>,
    bad_for: Option<SignedDuration>,
    cpu_percent: WrittenLimit,
    memory_percent: WrittenLimit,
    disk_percent: WrittenLimit,
    inodes_percent: WrittenLimit,
    disk_full_hours: WrittenLimit,
    load_per_cpu: WrittenLimit,
    clock_offset_ms: WrittenLimit,
    certificate_days: WrittenLimit,
    host_certificate_days: WrittenLimit,
    errors_percent: WrittenLimit,
    p95_ms: WrittenLimit,
    requests: Option<u64>,
    restarts: WrittenLimit,
    restarts_within: Option<SignedDuration>,
    out_of_memory_told: Option<SignedDuration>,
    backup_slack: Option<SignedDuration>,
    release_within: Option<SignedDuration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenLimit {
    warning: Option<u64>,
    critical: Option<u64>,
    #[serde(rename = "for")]
    hold: Option<SignedDuration>,
}

impl TryFrom<Written> for HealthConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let or = Self::default();
        Ok(Self {
            sample: time("sample", written.sample, or.sample).and_then(not_zero("sample"))?,
            ends_after: time("ends_after", written.ends_after, or.ends_after)?,
            unknown_after: time("unknown_after", written.unknown_after, or.unknown_after)?,
            bad_for: time("bad_for", written.bad_for, or.bad_for)?,
            cpu_percent: written.cpu_percent.over("cpu_percent", or.cpu_percent, Worse::Percent)?,
            memory_percent: written.memory_percent.over(
                "memory_percent",
                or.memory_percent,
                Worse::Percent,
            )?,
            disk_percent: written.disk_percent.over("disk_percent", or.disk_percent, Worse::Percent)?,
            inodes_percent: written.inodes_percent.over(
                "inodes_percent",
                or.inodes_percent,
                Worse::Percent,
            )?,
            disk_full_hours: written.disk_full_hours.over(
                "disk_full_hours",
                or.disk_full_hours,
                Worse::Less,
            )?,
            load_per_cpu: written.load_per_cpu.over("load_per_cpu", or.load_per_cpu, Worse::More)?,
            clock_offset_ms: written.clock_offset_ms.over(
                "clock_offset_ms",
                or.clock_offset_ms,
                Worse::More,
            )?,
            certificate_days: written.certificate_days.over(
                "certificate_days",
                or.certificate_days,
                Worse::Less,
            )?,
            host_certificate_days: written.host_certificate_days.over(
                "host_certificate_days",
                or.host_certificate_days,
                Worse::Less,
            )?,
            errors_percent: written.errors_percent.over(
                "errors_percent",
                or.errors_percent,
                Worse::Percent,
            )?,
            p95_ms: written.p95_ms.over("p95_ms", or.p95_ms, Worse::More)?,
            requests: written.requests.unwrap_or(or.requests),
            restarts: written.restarts.over("restarts", or.restarts, Worse::More)?,
            restarts_within: time("restarts_within", written.restarts_within, or.restarts_within)?,
            out_of_memory_told: time(
                "out_of_memory_told",
                written.out_of_memory_told,
                or.out_of_memory_told,
            )?,
            backup_slack: time("backup_slack", written.backup_slack, or.backup_slack)?,
            release_within: time("release_within", written.release_within, or.release_within)?,
        })
    }
}

fn time(key: &str, written: Option<SignedDuration>, default: Duration) -> Result<Duration, String> {
    let Some(written) = written else { return Ok(default) };
    written.try_into().map_err(|_| format!("{key} cannot be less than nothing; write one like \"5m\""))
}

fn not_zero(key: &'static str) -> impl Fn(Duration) -> Result<Duration, String> {
    move |time| {
        let is_long = time >= Duration::from_secs(1);
        is_long.then_some(time).ok_or_else(|| format!("{key} is at least \"1s\""))
    }
}

impl WrittenLimit {
    fn over(&self, key: &str, or: Limit, worse: Worse) -> Result<Limit, String> {
        let Limit { warning, critical, hold } = or;
        let limit = Limit {
            warning: self.warning.unwrap_or(warning),
            critical: self.critical.unwrap_or(critical),
            hold: time(&format!("{key}.for"), self.hold, hold)?,
        };
        let Limit { warning, critical, .. } = limit;
        if worse == Worse::Percent && warning.max(critical) > 100 {
            return Err(format!("{key} is in percent: at most 100"));
        }
        match worse {
            Worse::Percent | Worse::More if warning > critical => {
                Err(format!("{key}: `critical` ({critical}) is not below `warning` ({warning})"))
            }
            Worse::Less if warning < critical => Err(format!(
                "{key}: less is worse, so `critical` ({critical}) is not above `warning` ({warning})"
            )),
            Worse::Percent | Worse::More | Worse::Less => Ok(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, ConfigError};

    fn parse(keys: &str) -> Result<HealthConfig, ConfigError> {
        let text = format!("fleet = 'a'\nenvironment = 'b'\n[health]\n{keys}\n");
        Config::parse(&text, Path::new("agent.toml")).map(|config| config.health)
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(parse("").unwrap(), HealthConfig::default());
        let config =
            parse("sample = '1s'\ncpu_percent = { warning = 90 }\ndisk_full_hours = { for = '3s' }").unwrap();
        assert_eq!(config.sample, Duration::from_secs(1));
        assert_eq!(config.cpu_percent, Limit { warning: 90, ..HealthConfig::default().cpu_percent });
        assert_eq!(
            (config.disk_full_hours.warning, config.disk_full_hours.hold),
            (48, Duration::from_secs(3))
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_says_why() {
        for (keys, why) in [
            ("cpu = 5", "unknown field `cpu`"),
            ("cpu_percent = { waning = 5 }", "unknown field `waning`"),
            ("cpu_percent = { warning = 101, critical = 101 }", "at most 100"),
            ("cpu_percent = { warning = 97 }", "`critical` (95) is not below `warning` (97)"),
            ("disk_full_hours = { critical = 72 }", "less is worse"),
            ("sample = '0s'", "sample is at least"),
            ("bad_for = '-5m'", "cannot be less than nothing"),
            ("bad_for = 'soon'", "soon"),
        ] {
            let error = format!("{:#}", anyhow::Error::new(parse(keys).unwrap_err()));
            assert!(error.contains(why), "{keys}: {error}");
        }
    }
}
