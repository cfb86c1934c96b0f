//! Agents: connecting over mutual TLS, enrolment, what they answer when they refuse. It must not know the cloud or print.

mod connect;
mod enrol;
mod error;
mod target;

pub use connect::{AGENT_PORT, Agent, Caller};
pub use enrol::{EnrolError, Enrolled, Enrolment, enrol};
pub use error::{AgentError, CallError};
pub use target::{Selection, Target, TargetError, of_app, of_environment};
