//! Docker on this droplet, through its API.
//!
//! Owns every call to the engine: deadlines, error texts, and the request bodies that docker compose 2.40 would send.
//! Must not know releases, the ingress or the wire. `body`, `platform`, `references` and `support` are pure; the rest talks to the engine.

pub mod archive;
pub mod body;
mod client;
mod container;
mod error;
mod events;
mod exec;
mod former;
mod health_check;
mod hook;
mod host_ports;
mod image;
mod listing;
mod logins;
mod machine;
mod network;
mod output;
mod pipe;
mod platform;
pub mod references;
pub mod support;
mod volume;

pub use client::Docker;
pub use container::{AnonymousVolumes, Container, ContainerHealth, ContainerState};
pub use error::DockerError;
pub use health_check::HealthCheck;
pub use hook::HookEnd;
pub use host_ports::HostListener;
pub use image::{ImageFacts, PullProgress, Reference, Resolved};
pub use listing::{Drivers, Listed};
pub use logins::{Access, Login, LoginError, Logins};
pub use machine::Machine;
pub use network::NetworkFacts;
pub use output::{LastLines, OutputLine};
pub use pipe::{Pipe, PipeCommand, PipeEnd, PipeInput, PipeOutput};
pub use platform::Platform;
pub use volume::VolumeFacts;
