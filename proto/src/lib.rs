//! The contract between controller and agent: generated gRPC types, identities, grants and roles, the enrolment proof,
//! and the TLS set-up both ends share. It owns every byte that crosses the network or stands in a certificate.
//! It must not know apps, Docker, the cloud, or the file system; it reads no clock and no environment: time comes in
//! through [`clock::Clock`] or as a parameter, randomness as bytes. (Two exceptions, both inside aws-lc: key generation
//! and signatures draw from the operating system themselves.)

pub mod alerts;
pub mod audit;
mod canonical;
pub mod certificates;
pub mod clock;
pub mod enrolment;
pub mod grants;
pub mod identity;
pub mod limits;
pub mod names;
mod redacted;
pub mod roles;
pub mod status;
pub mod tls;

/// Generated from `proto/tidegate/v1/*.proto`; the files there are the documentation.
#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::large_enum_variant,
    clippy::unwrap_used
)]
pub mod v1 {
    tonic::include_proto!("tidegate.v1");
}
