//! SRTP and SRTCP (RFC 3711, RFC 7714): engine of one transport's media encryption.
//!
//! Knows keys, packet indices, replay windows, and where header and payload of a packet lie. Does not know how keys
//! were agreed, sockets, transports or consumers. Called by `media::transport` when a packet comes in
//! ([`Unprotect`]) and when one is sealed ([`Protect`]). Sans-I/O; nothing here allocates per packet.
//! Invariant: no index is used twice for different bytes, and what is not authentic leaves no trace but a count.
//!
//! | file | question it answers |
//! | --- | --- |
//! | [`suite`] | which algorithms, how long are keys and tags? |
//! | [`keys`] | from master keys to session keys (RFC 3711 4.3, RFC 5764 4.2) |
//! | `index` | which 48-bit index has this sequence number? |
//! | `window` | was this index seen before? |
//! | `streams` | what is known of each SSRC of the peer? |
//! | `cipher` | bytes in, bytes and tag out |
//! | `protect`, `unprotect` | the two directions |
//!
//! AES-CM and HMAC-SHA1 are RustCrypto's: they write from one place to another and hold no heap. GCM is ring's: it works in
//! place, so that the payload is copied first (2 % of the whole), and costs a third of RustCrypto's.

#![forbid(unsafe_code)]

mod cipher;
mod index;
pub mod keys;
mod protect;
mod streams;
pub mod suite;
mod unprotect;
mod window;

pub use keys::{Keys, Role, WrongKeyLength};
pub use protect::{Body, Protect, ProtectError, RETIRED_MAX};
pub use streams::{IDLE_BEFORE_EVICTION, STREAMS_MAX};
pub use suite::Suite;
pub use unprotect::{Unprotect, UnprotectError};

#[cfg(test)]
mod tests;
