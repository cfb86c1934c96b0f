//! DigitalOcean's API as this controller uses it: one client, one module per kind of resource, typed errors. It must not
//! know the fleet file or decide anything.

pub mod account;
mod client;
pub mod droplets;
mod endpoint;
mod error;
pub mod firewalls;
pub mod images;
mod pages;
pub mod regions;
mod retry;
pub mod sizes;
pub mod ssh_keys;
pub mod tags;
pub mod vpcs;

pub use client::{Client, Deleted, Token};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{ApiError, CloudError};
