//! The droplet's timers: systemd starts backups and their verification, whether a controller is anywhere or not.
//!
//! Owns the names of the units, what stands in their drop-ins and which of them an app wants. Must not know how a backup is
//! made. The units themselves are templates in `systemd/`, which are part of the agent's program: so they fit its commands.
//!
//! | path below `/etc/systemd/system` | what |
//! |---|---|
//! | `tidegate-backup@.timer`, `tidegate-backup@.service` | templates, written when they are first wanted; the timer has no time of its own |
//! | `tidegate-backup@<instance>.timer.d/schedule.conf` | ours: the time of one instance |
//! | the same with `tidegate-verify@` | |
//! | `tidegate-health.timer`, `tidegate-health.service` | what every droplet has, written and started when the agent starts |
//! | the same with `tidegate-cleanup` | |
//!
//! An instance is `<app>/<service>` as `systemd-escape` writes it: `/` becomes `-`, and a `-` of a name `\x2d`. So
//! `shop-db` is the service db of shop, and `my\x2dshop-db` that of my-shop.
//!
//! # The order
//!
//! Every part may be done again, and a crash anywhere leaves what the next run puts right, because it goes like this: the
//! timers that go are stopped and disabled (afterwards nobody would know of them), templates and drop-ins are written,
//! systemd reads them, then *all* wanted timers are enabled and started, not only those that were written: a crash may have
//! come before. A reload is enough for a changed time: systemd reckons anew when a running timer elapses.

mod calendar;
mod due;
mod files;
mod instance;
mod keeper;
mod standing;
mod templates;
mod unit;
mod wanted;

pub use calendar::{CalendarError, Calendars};
pub use due::{Due, due};
pub use files::{Change, Found, Plan, PlanError, Present, UnitFiles, UnitFilesError, plan};
pub use instance::{Instance, InstanceError};
pub use keeper::{KeeperError, Scheduler, TimerKeeper};
pub use standing::{CLEANUP_TIMER, HEALTH_SERVICE, keep_standing};
pub use unit::{TimerKind, TimerUnit};
pub use wanted::{Timer, Wanted};
