//! The clock, as systemd's own services tell it: whether it is kept in time, and how far it was off.
//!
//! Owns the questions to `systemd-timedated`, which D-Bus starts for them, and to `systemd-timesyncd`, where that keeps the
//! time. The kernel itself may not be asked from within the agent's sandbox.

use jiff::SignedDuration;
use zbus::OwnedVariant;

use super::{PROPERTIES, Systemd, SystemdError};

const TIMEDATE: [&str; 3] =
    ["org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1"];
const TIMESYNC: [&str; 3] =
    ["org.freedesktop.timesync1", "/org/freedesktop/timesync1", "org.freedesktop.timesync1.Manager"];

/// An NTP server's last answer: leap, version, mode, stratum, precision, delay and dispersion of the root, its id, the times
/// of asking, of its getting and sending the answer, and of getting that, whether it was passed over, how many there were, jitter.
type NtpMessage = (u32, u32, u32, u32, i32, u64, u64, Vec<u8>, u64, u64, u64, u64, bool, u64, u64);

/// What is known of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockFacts {
    /// Whether the kernel says that it is kept in time.
    pub is_synchronised: bool,
    /// How far it was behind (or, below nothing, ahead) when a server was asked last; none where that is not told.
    pub offset: Option<SignedDuration>,
}

impl Systemd {
    /// What is known of the clock.
    ///
    /// # Errors
    /// When `systemd-timedated` cannot be asked.
    pub async fn clock(&self) -> Result<ClockFacts, SystemdError> {
        let synchronised = self.property_of(TIMEDATE, "NTPSynchronized").await?;
        // Others than timesyncd keep the time too, and do not tell by how much.
        let told = self.property_of(TIMESYNC, "NTPMessage").await;
        let offset =
            told.ok().and_then(|told| NtpMessage::try_from(told).ok()).and_then(|told| offset(&told));
        Ok(ClockFacts { is_synchronised: bool::try_from(&synchronised).unwrap_or(false), offset })
    }

    async fn property_of(
        &self,
        [destination, path, interface]: [&str; 3],
        name: &str,
    ) -> Result<OwnedVariant, SystemdError> {
        let connection = self.connection().await?;
        let reply = connection
            .call_method(Some(destination), path, Some(PROPERTIES), "Get", &(interface, name))
            .await
            .map_err(|source| SystemdError::Call { method: "Get", source })?;
        reply.body().deserialize().map_err(SystemdError::Form)
    }
}

/// As NTP reckons: half the way there and half the way back.
fn offset(message: &NtpMessage) -> Option<SignedDuration> {
    let (.., asked, received, sent, answered, is_ignored, _, _) = message;
    let micros = |time: &u64| i64::try_from(*time).ok().filter(|time| *time > 0);
    let (asked, received, sent, answered) =
        (micros(asked)?, micros(received)?, micros(sent)?, micros(answered)?);
    let there = received.checked_sub(asked)?;
    let back = sent.checked_sub(answered)?;
    (!is_ignored).then(|| there.checked_add(back)).flatten().map(|both| SignedDuration::from_micros(both / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_what_the_way_does_not_explain() {
        let message = |ignored, asked, received, sent, answered| {
            offset(&(0, 4, 4, 2, -23, 0, 0, vec![1, 2, 3, 4], asked, received, sent, answered, ignored, 7, 0))
        };
        // 20 ms each way, and 5 ms behind.
        let at = 1_795_000_000_000_000;
        let (asked, received) = (at, at + 25_000);
        let (sent, answered) = (received + 100, at + 40_100);
        assert_eq!(message(false, asked, received, sent, answered), Some(SignedDuration::from_millis(5)));
        assert_eq!(message(true, asked, received, sent, answered), None);
        assert_eq!(message(false, 0, 0, 0, 0), None, "none was asked yet");
    }
}
