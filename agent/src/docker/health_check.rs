//! A container's own health check, as Docker would run it. Owns the reading of Docker's configuration; must not run it.

use std::time::Duration;

use bollard::models::HealthConfig;

/// What Docker takes where the configuration says nothing.
const DEFAULT: Duration = Duration::from_secs(30);

/// How Docker asks a container whether it is well. Of its own configuration or of its image's.
/// Source: Docker's Engine API, `HealthConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheck {
    /// Program and arguments; well is exit code 0.
    pub command: Vec<String>,
    /// How long from the container's start to the first answer of Docker's own asking, and between one and the next until
    /// the first good one.
    pub interval: Duration,
    /// How long one asking may take.
    pub timeout: Duration,
}

impl HealthCheck {
    /// From a container's configuration and the shell of its image; none, where it has none or it was switched off.
    pub(super) fn of(config: &HealthConfig, shell: Option<&[String]>) -> Option<Self> {
        let (kind, rest) = config.test.as_deref()?.split_first()?;
        let command = match (kind.as_str(), rest) {
            ("CMD", [_, ..]) => rest.to_vec(),
            ("CMD-SHELL", [line, ..]) => {
                let shell = shell.filter(|shell| !shell.is_empty());
                let mut command =
                    shell.map_or_else(|| vec!["/bin/sh".into(), "-c".into()], <[String]>::to_vec);
                command.push(line.clone());
                command
            }
            _ => return None,
        };
        let interval = duration(config.start_interval).or(duration(config.interval));
        let (interval, timeout) = (interval.unwrap_or(DEFAULT), duration(config.timeout).unwrap_or(DEFAULT));
        Some(Self { command, interval, timeout })
    }
}

/// Nanoseconds; zero and what is below mean that nothing was said.
fn duration(nanoseconds: Option<i64>) -> Option<Duration> {
    let nanoseconds = u64::try_from(nanoseconds?).ok()?;
    (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(test: &[&str], shell: Option<&[String]>) -> Option<HealthCheck> {
        let test = Some(test.iter().map(|&word| word.to_owned()).collect());
        HealthCheck::of(
            &HealthConfig { test, interval: Some(5_000_000_000), ..HealthConfig::default() },
            shell,
        )
    }

    #[test]
    fn a_health_check_is_read_as_docker_runs_it() {
        let command = |test: &[&str]| read(test, None).unwrap().command;
        assert_eq!(command(&["CMD", "app", "ping"]), ["app", "ping"]);
        assert_eq!(command(&["CMD-SHELL", "app ping | grep ok"]), ["/bin/sh", "-c", "app ping | grep ok"]);
        let shell = ["/bin/ash".to_owned(), "-ec".to_owned()];
        assert_eq!(read(&["CMD-SHELL", "x"], Some(&shell)).unwrap().command, ["/bin/ash", "-ec", "x"]);
        for none in [&["NONE"][..], &[], &["CMD"], &["CMD-SHELL"]] {
            assert_eq!(read(none, None), None, "{none:?}");
        }
        let check = read(&["CMD", "app"], None).unwrap();
        assert_eq!((check.interval, check.timeout), (Duration::from_secs(5), DEFAULT));
    }

    #[test]
    fn at_its_start_a_container_is_asked_in_the_interval_for_that() {
        let config = HealthConfig {
            test: Some(vec!["CMD".into(), "app".into()]),
            interval: Some(60_000_000_000),
            start_interval: Some(1_000_000_000),
            timeout: Some(-1),
            ..HealthConfig::default()
        };
        let check = HealthCheck::of(&config, None).unwrap();
        assert_eq!((check.interval, check.timeout), (Duration::from_secs(1), DEFAULT));
    }
}
