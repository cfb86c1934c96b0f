//! Images and their cache: the machine image that droplets boot from ([`base`]), and
//! images of containers ([`containers`]). Knows recipes and directories, nothing of
//! machines or of the account.

pub mod base;
pub mod cache;
pub mod containers;
pub mod recipe;
