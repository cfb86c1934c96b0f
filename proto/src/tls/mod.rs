//! TLS as both ends do it: 1.3 only, aws-lc only, HTTP/2 only. The only place that touches rustls configurations.
//!
//! There is no resumption: the server issues no tickets, the client asks for none, early data is off. So every connection
//! is judged by the credentials, roots and revocation list of its own moment, and a change of them leaves nothing behind
//! that would still open the door; a full handshake with P-256 costs a few milliseconds. A connection that was open
//! before a change is caught by [`PeerInfo::check`], which servers call for every request.
//!
//! It must not read a clock (it is given one), and decides nothing about roles.

mod addresses;
mod client;
mod config;
mod info;
mod listen;
mod problem;
mod refusal;
mod server;
mod stream;
mod verifiers;

pub use client::{AgentTrust, ClientCredentials, Connection, Dialer, Expiry};
pub use config::TlsError;
pub use info::{Mode, PeerInfo, PeerRefused};
pub use listen::{Limits, Session, incoming};
pub use problem::{PeerProblem, WrongPeer};
pub use refusal::{ConnectError, Refusal};
pub use server::{
    AcceptError, Acceptor, CredentialsSwitch, EnrolledCredentials, EnrolmentCredentials, ServerCredentials,
    server,
};
pub use stream::{ClientStream, ServerStream};

#[cfg(test)]
mod tests;
