//! A release as the controller sees it: what is sent to agents ([`bundle`], [`buckets`], [`alerts`]), on which droplets its services run
//! ([`placement`]), how it is followed ([`follow`]), and the revision it came from ([`git`]). What a release does is the agent's matter.

pub mod alerts;
pub mod buckets;
pub mod bundle;
pub mod follow;
pub mod git;
pub mod placement;
pub mod times;
