//! The project as typed values: every attribute of the specification, in the form after normalisation.
//!
//! Owns the records, how they decode from a canonical tree and how they encode to docker compose's JSON. Field order
//! in a record is the order that gets hashed (2.40); [`crate::compat`] tells where another version differs. A field is
//! marked `omit` when its zero value is left out of the JSON and `keep` when it is always printed.

#[macro_use]
mod field;
mod build;
mod deploy;
mod network;
mod project;
mod runtime;
mod service;
mod storage;
mod texts;
mod values;

pub use build::{Build, Develop, Ssh, SshKey, Trigger};
pub use deploy::{
    Deploy, DeviceRequest, DiscreteResource, GenericResource, Placement, PlacementPreference, Resource,
    Resources, RestartPolicy, UpdateConfig,
};
pub use field::{Decoder, Field, Text};
pub(crate) use field::{boolean, narrow, whole};
pub use network::{Ipam, IpamPool, Network, Port, ServiceNetwork};
pub use project::{Extensions, Project};
pub use runtime::{
    BlkioConfig, CredentialSpec, Dependency, DeviceMapping, HealthCheck, Hook, Logging, Model, Provider,
    ServiceModel, ThrottleDevice, Ulimit, WeightDevice,
};
pub use service::{Declared, Service, Unresolved, seccomp_profile};
pub(crate) use storage::HELD_CONTENT;
pub use storage::{
    BindOptions, Config, Content, EnvFile, FileReference, ImageOptions, Secret, TmpfsOptions, Volume,
    VolumeMount, VolumeOptions,
};
pub(crate) use texts::{go_text, scalar_text};
pub use values::{
    ByteSize, Command, DeviceCount, FileMode, GoDuration, HealthTest, HostsList, MultiOptions, Options,
    TextMap,
};
