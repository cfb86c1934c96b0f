//! The buckets that apps send their backups to, with the credentials for them.
//!
//! Owns what a droplet knows of buckets, its table, and the look at whether one can be used. Must not know backups or releases:
//! a deploy brings buckets, runs of backups ask for them. An app has its own, though two may name the same bucket: who deploys
//! one app cannot send the backups of another elsewhere.

mod known;
mod look;
mod store;

pub use self::{
    known::{BucketName, BucketNameError, KnownBucket, LockPeriod, LockPeriodError, Versioning},
    look::{Fit, Unfit, examine},
    store::{Buckets, Kept, MIGRATIONS},
};
