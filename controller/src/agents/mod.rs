//! Agents: connecting over mutual TLS, enrolment, what they answer when they refuse. It must not know the cloud or print.

mod audit;
mod connect;
mod enrol;
mod error;
mod renew;
mod target;

pub use audit::{Advance, AuditError, advance};
pub use connect::{AGENT_PORT, Agent, Caller};
pub use enrol::{EnrolError, Enrolled, Enrolment, enrol};
pub use error::{AgentError, CallError};
pub use renew::{RENEW_BEFORE, renew};
pub use target::{Selection, Target, TargetError, of_app, of_environment};
