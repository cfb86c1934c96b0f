//! Enrolment: the one-time token and the proofs of it. How the calls go is told in `enrolment.proto`.
//!
//! The token is derived, so that it is stored nowhere but on the droplet and a resumed `up` has it again:
//! HMAC-SHA-256 with the environment's enrolment secret over the fields (each preceded by its length as 8 bytes, big
//! endian) `tidegate enrolment token v1`, fleet, environment, intent id, and expiry as seconds since 1970 in 8 bytes.
//! As text: `tidegate-enrol-1.<seconds since 1970 of its expiry>.<64 hexadecimal digits>`.
//!
//! It must not decide whether a token was used before: the signer records that.

mod file;
mod proof;
mod token;

pub use file::{EnrolmentFile, EnrolmentFileError};
pub use proof::{Handover, Nonce, NonceError, ProofError, Transcript};
pub use token::{EnrolmentSecret, EnrolmentToken, TokenError};
