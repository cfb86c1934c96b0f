//! The droplet's timers: systemd starts backups and their verification, whether a controller is anywhere or not.
//!
//! Owns the names of the units, what stands in their drop-ins and which of them an app wants. Must not know how a backup is
//! made. The units themselves are templates in `systemd/`; the agent writes only when an instance elapses.
//!
//! | path below `/etc/systemd/system` | what |
//! |---|---|
//! | `tidegate-backup@.timer`, `tidegate-backup@.service` | templates; the timer has no time of its own |
//! | `tidegate-backup@<instance>.timer.d/schedule.conf` | ours: the time of one instance |
//! | the same with `tidegate-verify@` | |
//!
//! An instance is `<app>/<service>` as `systemd-escape` writes it: `/` becomes `-`, and a `-` of a name `\x2d`. So
//! `shop-db` is the service db of shop, and `my\x2dshop-db` that of my-shop.
//!
//! # The order in which to use it
//!
//! Every part may be done again, and a crash anywhere leaves what the next run puts right, when it goes like this: stop and
//! disable the timers that the plan removes (afterwards nobody would know of them), apply the plan, reload systemd, then
//! enable and start *all* wanted timers, not only those that were written: a crash may have come before. A reload is enough
//! for a changed time: systemd reckons anew when a running timer elapses.

mod calendar;
mod due;
mod files;
mod instance;
mod unit;
mod wanted;

pub use calendar::{CalendarError, Calendars};
pub use due::{Due, due};
pub use files::{Change, Found, Plan, PlanError, Present, UnitFiles, UnitFilesError, plan};
pub use instance::{Instance, InstanceError};
pub use unit::{TimerKind, TimerUnit};
pub use wanted::{Timer, Wanted};
