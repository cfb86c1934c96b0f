//! What the droplet's systemd makes of a schedule, by `systemd-analyze calendar`.
//!
//! Owns the run of that program and the reading of its output. Must not know timers.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use tidegate_compose::x_tidegate::OnCalendar;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time::timeout,
};

/// It only reckons.
const DEADLINE: Duration = Duration::from_secs(5);
/// It says less than a thousand bytes.
const MOST: u64 = 64 << 10;
/// How many times are looked at for the longest pause: of a daily schedule two weeks.
const PAUSES: u32 = 15;

/// Why a schedule is not one, or could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// The program is not on the droplet.
    #[error("{} is not installed, so the schedule cannot be checked; it belongs to the package systemd", .0.display())]
    Absent(PathBuf),
    /// It could not be run, or not be heard.
    #[error("could not run {}", program.display())]
    Run {
        /// Which program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It did not end.
    #[error("systemd-analyze did not judge the schedule within {} s; is the droplet overloaded? try again", DEADLINE.as_secs())]
    Late,
    /// systemd does not understand the schedule.
    #[error("systemd does not take the schedule \"{expression}\": {reason}; `man systemd.time` has the form")]
    Refused {
        /// The schedule.
        expression: OnCalendar,
        /// In systemd's words.
        reason: String,
    },
    /// It understands it, and there is no such time any more.
    #[error("the schedule \"{0}\" never comes again; leave out the year, or write a later one")]
    Never(OnCalendar),
    /// Another version of it speaks otherwise.
    #[error("systemd-analyze told no time for the schedule \"{0}\"")]
    Unread(OnCalendar),
}

/// Asks systemd about schedules.
#[derive(Clone, Debug)]
pub struct Calendars {
    program: PathBuf,
}

impl Default for Calendars {
    fn default() -> Self {
        Self::new(PathBuf::from("/usr/bin/systemd-analyze"))
    }
}

impl Calendars {
    /// With this `systemd-analyze`.
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The next times of a schedule: two, or one when it comes only once more. In the droplet's own time zone where the
    /// schedule names none, as the timer has it.
    ///
    /// # Errors
    /// When systemd refuses the schedule, or it never comes, or systemd cannot be asked.
    pub async fn next(&self, expression: &OnCalendar) -> Result<Vec<Timestamp>, CalendarError> {
        self.times(expression, 2).await
    }

    /// The longest time between two of its next times, such as the weekend of one for working days; none when it comes only
    /// once more.
    ///
    /// # Errors
    /// As [`Calendars::next`].
    pub async fn longest_pause(&self, expression: &OnCalendar) -> Result<Option<Duration>, CalendarError> {
        let times = self.times(expression, PAUSES).await?;
        let pauses = times.iter().zip(times.iter().skip(1));
        Ok(pauses.filter_map(|(from, to)| Duration::try_from(to.duration_since(*from)).ok()).max())
    }

    async fn times(&self, expression: &OnCalendar, count: u32) -> Result<Vec<Timestamp>, CalendarError> {
        let failed = |source| CalendarError::Run { program: self.program.clone(), source };
        let answer = timeout(DEADLINE, run(&self.program, (expression, count)))
            .await
            .map_err(|_| CalendarError::Late)?;
        let Answer { is_success, said, complained } = match answer {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CalendarError::Absent(self.program.clone()));
            }
            other => other.map_err(failed)?,
        };
        if !is_success {
            let reason = reason(&complained);
            return Err(CalendarError::Refused { expression: expression.clone(), reason });
        }
        let times = times(&said);
        if !times.is_empty() {
            return Ok(times);
        }
        let is_never = said.lines().any(|line| line.trim() == "Next elapse: never");
        let expression = expression.clone();
        Err(if is_never { CalendarError::Never(expression) } else { CalendarError::Unread(expression) })
    }
}

struct Answer {
    is_success: bool,
    said: String,
    complained: String,
}

async fn run(program: &Path, (expression, count): (&OnCalendar, u32)) -> io::Result<Answer> {
    let mut child = Command::new(program)
        .args(["calendar", &format!("--iterations={count}"), "--", expression.as_str()])
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (said, complained) = (child.stdout.take(), child.stderr.take());
    let (said, complained) = tokio::try_join!(hear(said), hear(complained))?;
    Ok(Answer { is_success: child.wait().await?.success(), said, complained })
}

/// Up to [`MOST`] bytes; the rest is not read, and who goes on writing is ended by the closed pipe.
async fn hear(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut heard = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MOST).read_to_end(&mut heard).await?;
    }
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

/// The last line that says something, without what the error says by itself.
fn reason(complained: &str) -> String {
    let line =
        complained.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason was given");
    let line = line.strip_prefix("Failed to parse calendar specification").unwrap_or(line);
    let line = line.rsplit_once("': ").map_or(line, |(_, reason)| reason);
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// `Next elapse: Mon 2026-11-23 03:00:00 UTC`; where the droplet is not in UTC, the line after it: `(in UTC): ...`.
fn times(said: &str) -> Vec<Timestamp> {
    let read = |line: &str| {
        let (key, value) = line.trim().split_once(": ")?;
        // Later versions write `Iteration #2`, earlier ones `Iter. #2`.
        let is_time = key == "Next elapse" || key == "(in UTC)" || key.starts_with("Iter");
        let (_weekday, time) = value.trim().strip_suffix(" UTC").filter(|_| is_time)?.split_once(' ')?;
        let time: DateTime = time.parse().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    said.lines().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(text: &str) -> OnCalendar {
        OnCalendar::parse(text).unwrap()
    }

    fn shown(times: &[Timestamp]) -> Vec<String> {
        times.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn times_are_read_in_utc_whatever_zone_the_droplet_is_in() {
        let utc = "  Original form: *-*-* 03:00 UTC\nNormalized form: *-*-* 03:00:00 UTC\n    Next elapse: Mon 2026-11-23 03:00:00 UTC\n       \
                   From now: 7h left\n   Iteration #2: Tue 2026-11-24 03:00:00 UTC\n       From now: 1 day 7h left\n";
        assert_eq!(shown(&times(utc)), ["2026-11-23T03:00:00Z", "2026-11-24T03:00:00Z"]);
        let berlin = "    Next elapse: Mon 2026-11-23 03:00:00 CET\n       (in UTC): Mon 2026-11-23 02:00:00 UTC\n       \
                      Iter. #2: Tue 2026-11-24 03:00:00 CET\n       (in UTC): Tue 2026-11-24 02:00:00 UTC\n";
        assert_eq!(shown(&times(berlin)), ["2026-11-23T02:00:00Z", "2026-11-24T02:00:00Z"]);
        let half = "    Next elapse: Mon 2026-11-23 03:00:00.500000 UTC\n";
        assert_eq!(shown(&times(half)), ["2026-11-23T03:00:00.5Z"]);
        assert!(times("    Next elapse: never\n").is_empty());
    }

    #[test]
    fn reasons_are_short() {
        assert_eq!(
            reason("Failed to parse calendar specification 'x': Invalid argument\n"),
            "Invalid argument"
        );
        assert_eq!(reason(""), "no reason was given");
        assert_eq!(reason("a\n\u{1b}[31mb\n"), "[31mb");
    }

    #[tokio::test]
    async fn systemd_judges() {
        let calendars = Calendars::default();
        let daily = match calendars.next(&calendar("*-*-* 03:00 UTC")).await {
            Err(CalendarError::Absent(program)) => {
                println!("skipped: {} is not installed", program.display());
                return;
            }
            other => other.unwrap(),
        };
        let [first, second] = daily[..] else { panic!("{daily:?}") };
        assert_eq!(second.duration_since(first).as_hours(), 24);
        assert!(first.to_string().ends_with("T03:00:00Z"), "{first}");
        assert_eq!(calendars.next(&calendar("weekly")).await.unwrap().len(), 2);
        let pause = calendars.longest_pause(&calendar("Mon..Fri 03:00 UTC")).await.unwrap();
        assert_eq!(pause, Some(Duration::from_hours(72)), "the weekend");
        let never = calendars.next(&calendar("2020-01-01")).await.unwrap_err();
        assert!(matches!(never, CalendarError::Never(_)), "{never}");
        let refused = calendars.next(&calendar("now and then")).await.unwrap_err();
        assert!(
            matches!(&refused, CalendarError::Refused { reason, .. } if reason == "Invalid argument"),
            "{refused}"
        );
        // Not an option of the program.
        let refused = calendars.next(&calendar("--help")).await.unwrap_err();
        assert!(matches!(refused, CalendarError::Refused { .. }), "{refused}");
    }

    #[tokio::test]
    async fn its_absence_is_told_as_that() {
        let error =
            Calendars::new("/nonexistent/systemd-analyze".into()).next(&calendar("daily")).await.unwrap_err();
        assert!(matches!(error, CalendarError::Absent(_)), "{error}");
    }

    /// A program that never ends, and one that never stops talking.
    #[tokio::test]
    async fn what_hangs_is_ended_and_what_talks_is_not_heard_out() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs_err::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            Calendars::new(path)
        };
        let talking = script("talking", "exec yes").next(&calendar("daily")).await;
        assert!(matches!(talking, Err(CalendarError::Refused { .. })), "{talking:?}");
        let hanging = script("hanging", "exec sleep 60");
        tokio::time::pause();
        let hanging = hanging.next(&calendar("daily")).await;
        assert!(matches!(hanging, Err(CalendarError::Late)), "{hanging:?}");
    }
}
