//! What goes wrong in the middle of a release.

use std::time::{Duration, Instant};

use super::{
    super::fixture::Fixture,
    registry::Frail,
    victim::{Order, Victim, When},
};

/// The disk of Docker and agent, in bytes.
pub const DISK: u64 = 4_000_000_000;
/// How long it is full, unless the release has ended before.
const FULL: Duration = Duration::from_secs(3);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The agent is killed (-9).
    Agent,
    /// Docker is killed and started again.
    Docker,
    /// The disk is filled, and freed later. What the agent has set aside for this is there.
    Disk,
    /// The same, and whatever is given up is taken by others.
    DiskForGood,
    /// The registry dies when so many bytes of the image have come.
    Registry(i64),
}

impl Fault {
    /// How long services may take to be well again: those that Docker starts again, or that the disk was full for.
    pub fn patience(self) -> Duration {
        match self {
            Self::Agent | Self::Registry(_) => Duration::ZERO,
            Self::Docker => Duration::from_secs(30),
            Self::Disk | Self::DiskForGood => Duration::from_mins(1),
        }
    }
}

/// Begins a release and lets this go wrong then; how long its journal was. None when it had ended before. Unless it is the
/// agent that is killed, the release has come to an end, or as far as it could.
pub async fn strike(
    (fixture, registry): (&mut Fixture, &Frail),
    fault: Fault,
    order: Order,
    (release, when): (u64, When),
) -> Option<i64> {
    if let Fault::Registry(bytes) = fault {
        registry.die_after(bytes);
    }
    let mut victim = Victim::spawn(fixture, order);
    let records = victim.until(fixture, (release, when));
    match fault {
        Fault::Agent => {
            victim.kill();
            return records;
        }
        Fault::Docker if records.is_some() => {
            fixture.docker.kill_daemon().unwrap();
            fixture.docker.start_daemon().await.unwrap();
        }
        Fault::Disk | Fault::DiskForGood if records.is_some() => {
            fixture.docker.leave_on_disk(0).unwrap();
            let filled = Instant::now();
            while filled.elapsed() < FULL && !victim.has_ended() {
                if fault == Fault::DiskForGood {
                    fixture.docker.leave_on_disk(0).unwrap();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            fixture.docker.resize_disk(DISK).unwrap();
        }
        _ => {}
    }
    victim.end();
    if matches!(fault, Fault::Registry(_)) {
        return registry.revive().then_some(0);
    }
    records
}
