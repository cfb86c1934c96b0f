//! The contract between controller and agent: generated gRPC types, identities, grants and roles, the enrolment proof,
//! and the TLS set-up both ends share. It owns every byte that crosses the network or stands in a certificate.
//! It must not know apps, Docker, the cloud, or the file system.

/// Generated from `proto/tidegate/v1/*.proto`; the files there are the documentation.
#[allow(missing_docs, clippy::pedantic, clippy::as_conversions, clippy::indexing_slicing, clippy::unwrap_used)]
pub mod v1 {
    tonic::include_proto!("tidegate.v1");
}
