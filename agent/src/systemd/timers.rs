//! Timers: reloading units, enabling, starting and stopping them, and when they elapse.
//!
//! Owns the calls and the reading of their answers. Must not know which timers there should be: `crate::timers` does.

use jiff::Timestamp;
use zbus::{Message, OwnedObjectPath};

use super::{SERVICE, Systemd, SystemdError, call, is_gone, unit_path};

const TIMER: &str = "org.freedesktop.systemd1.Timer";

/// What `ListUnitsByPatterns` and its like tell of a unit: name, description, load, active and sub state, followed unit, path, and the
/// number, type and path of a job.
type Listed = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// What systemd tells about a timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerStatus {
    /// Its name: `tidegate-backup@shop-db.timer`.
    pub unit: String,
    /// `active` when it waits or its service runs, else `inactive` or `failed`.
    pub state: String,
    /// When it elapses next; none when it does not.
    pub next: Option<Timestamp>,
    /// When it elapsed last, also before the droplet's last start; none for never.
    pub last: Option<Timestamp>,
    /// How its service ended last since the droplet's start: `success`, which it also is before it ran, `exit-code`,
    /// `timeout` and so on.
    pub result: String,
}

impl Systemd {
    /// Has all unit files read anew; running timers then elapse when their files say.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub async fn reload(&self) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        call(&connection, "Reload", &()).await.map(drop)
    }

    /// Has units started with the droplet. It does not start them now. May be repeated.
    ///
    /// # Errors
    /// When systemd refuses, as it does for units of which there is no file.
    pub async fn enable(&self, units: &[String]) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        // For good rather than until the next start, and without replacing links that lead elsewhere.
        call(&connection, "EnableUnitFiles", &(units, false, false)).await.map(drop)
    }

    /// Has units no more started with the droplet. It does not stop them now. May be repeated.
    ///
    /// # Errors
    /// When systemd refuses.
    pub async fn disable(&self, units: &[String]) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        call(&connection, "DisableUnitFiles", &(units, false)).await.map(drop)
    }

    /// Starts a unit; a timer waits for its time then. One that runs goes on.
    ///
    /// # Errors
    /// When systemd refuses, as it does for a timer without a time. How the start of a service ends is not waited for.
    pub async fn start_unit(&self, unit: &str) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        call(&connection, "StartUnit", &(unit, "replace")).await.map(drop)
    }

    /// Stops a unit; what a timer started goes on. One that is not there is stopped.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub async fn stop_unit(&self, unit: &str) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        let outcome = call(&connection, "StopUnit", &(unit, "replace")).await.map(drop);
        outcome.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })
    }

    /// The loaded timers whose names fit one of the patterns, as `tidegate-backup@*.timer`.
    ///
    /// # Errors
    /// When systemd cannot be asked, or answers in another form.
    pub async fn timers(&self, patterns: &[&str]) -> Result<Vec<TimerStatus>, SystemdError> {
        let connection = self.connection().await?;
        let states: &[&str] = &[];
        let answer = call(&connection, "ListUnitsByPatterns", &(states, patterns)).await?;
        let mut timers = Vec::new();
        for (unit, state) in listed(&answer)? {
            timers.push(self.timer_status(unit, state).await?);
        }
        Ok(timers)
    }

    async fn timer_status(&self, unit: String, state: String) -> Result<TimerStatus, SystemdError> {
        let path = unit_path(&unit);
        let time = async |name| -> Result<Option<Timestamp>, SystemdError> {
            let value = self.property(&path, TIMER, name).await?;
            Ok(u64::try_from(&value).ok().and_then(moment))
        };
        let (next, last) = (time("NextElapseUSecRealtime").await?, time("LastTriggerUSec").await?);
        let service = self.property(&path, TIMER, "Unit").await?;
        let service = unit_path(<&str>::try_from(&service).unwrap_or_default());
        let result = self.property(&service, SERVICE, "Result").await?;
        let result = <&str>::try_from(&result).unwrap_or("unknown").to_owned();
        Ok(TimerStatus { unit, state, next, last, result })
    }
}

/// Names and states of the units.
pub(super) fn listed(answer: &Message) -> Result<Vec<(String, String)>, SystemdError> {
    let units: Vec<Listed> = answer.body().deserialize().map_err(SystemdError::Form)?;
    Ok(units.into_iter().map(|(name, _, _, state, ..)| (name, state)).collect())
}

/// Microseconds since 1970; 0 and the greatest number stand for none.
fn moment(micros: u64) -> Option<Timestamp> {
    let micros = i64::try_from(micros).ok().filter(|micros| *micros > 0)?;
    Timestamp::from_microsecond(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_told_in_two_ways() {
        assert_eq!(moment(0), None);
        assert_eq!(moment(u64::MAX), None);
        assert_eq!(moment(1_763_866_800_000_000).unwrap().to_string(), "2025-11-23T03:00:00Z");
    }

    #[test]
    fn the_list_of_units_is_read() {
        let path = || OwnedObjectPath::try_from("/org/freedesktop/systemd1/unit/x").unwrap();
        let text = |text: &str| text.to_owned();
        let unit: Listed = (
            text("tidegate-backup@shop-db.timer"),
            text("tidegate backup of shop/db"),
            text("loaded"),
            text("active"),
            text("waiting"),
            text(""),
            path(),
            0,
            text(""),
            path(),
        );
        let message = Message::method_call("/", "Answer").build(&vec![unit]).unwrap();
        let read = listed(&message).unwrap();
        assert_eq!(read, [("tidegate-backup@shop-db.timer".to_owned(), "active".to_owned())]);
    }
}
