//! The app's units: `tidegate-app@<app>.service`, for those who look with systemctl.
//!
//! Owns how an app stands, as its unit tells it, and that every app has its unit: written, enabled, started, and gone with the
//! app. Must not know how an app is stopped or started; the unit's own program is `tidegate-agent app` (`cli/app.rs`).
//!
//! | path below `/etc/systemd/system` | what |
//! |---|---|
//! | `tidegate-app@.service` | the template, part of the agent's program |
//! | `multi-user.target.wants/tidegate-app@<app>.service` | that it is enabled: systemd's own work |
//!
//! A unit is enabled unless somebody stopped its app, so that a start of the droplet does not start what was stopped.

mod follow;
mod keeper;
mod standing;
mod unit;

pub use self::{
    follow::follow,
    keeper::{Act, AppUnits, AppUnitsError, Caretaker},
    standing::{Standing, Stands},
    unit::AppUnit,
};
