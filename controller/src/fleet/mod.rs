//! `tidegate.toml` as a value: read with places, merged for one environment, all problems at once. It must not know the
//! API: whether a region exists is the plan's question.

mod addresses;
mod alert;
mod bucket;
mod load;
mod merge;
mod model;
mod problem;
mod reader;
mod secret;
mod sections;
mod time;

pub use addresses::{Source, SourceError};
pub use alert::{Alert, Quiet, Receiver, ReceiverKind, Severity, Smtp, SmtpTls};
pub use bucket::{Bucket, Endpoint, Versioning};
pub use load::{FILE_NAME, load};
pub use model::{AgentSource, App, Firewall, Fleet, Inbound, Located, Ports, Protocol, Role, Rollout, Ssh};
pub use problem::{FleetError, Place};
pub use secret::SecretName;
