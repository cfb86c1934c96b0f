//! Bounds that both ends agree on. Each is enforced where the bytes come in.

use std::time::Duration;

/// A gRPC message, encoded. To be given to tonic's `max_decoding_message_size` and `max_encoding_message_size`.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// One chunk of stdin, stdout or stderr in `exec` and `run`.
pub const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// One certificate, request or signed bundle of roots, DER.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;
/// A revocation list, DER: about 25,000 entries.
pub const MAX_REVOCATION_LIST_BYTES: usize = 1024 * 1024;
/// Roots in one bundle.
pub const MAX_ROOTS: usize = 8;
/// A TLS handshake, from the accepted connection to the verified peer.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Dialling an agent: TCP and TLS together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a refused peer may take to read why: closing at once could destroy the alert on its way.
pub const LINGER: Duration = Duration::from_secs(1);
/// Handshakes under way at once on a listening port. More wait in the kernel's queue.
pub const MAX_HANDSHAKES: usize = 64;
/// Handshakes under way at once from one address (one /64 in IPv6), so that one peer cannot hold all of them.
pub const MAX_HANDSHAKES_PER_ADDRESS: usize = 16;
/// Connections open at once on a listening port, handshakes included.
pub const MAX_CONNECTIONS: usize = 256;
/// An encoded rich error: it travels in HTTP/2 trailers, whose default limit is 16 KiB after base64.
pub const MAX_STATUS_DETAILS_BYTES: usize = 8 * 1024;
