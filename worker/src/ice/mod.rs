//! ICE-lite (RFC 8445 2.5): who may talk to a transport, over which ways, and which of them is used.
//!
//! * [`stun`]: the messages
//! * [`IceLite`]: one transport's state: credentials, ways that were proven (tuples), the selected one, consent
//! * [`credentials`]: fragments and passwords
//! * [`candidates`]: what a peer is told of our addresses
//! * [`framing`]: datagrams in a TCP stream (RFC 4571)
//!
//! Knows addresses and times as arguments. Does not know sockets, DTLS or transports, and never asks first: a lite
//! agent only answers. Called by WebRTC transports.

#![forbid(unsafe_code)]

pub mod candidates;
pub mod credentials;
pub mod framing;
mod lite;
pub mod stun;
mod tuples;

pub use candidates::{Preference, host_candidates};
pub use credentials::{Credentials, Password, UsernameFragment};
pub use lite::{ANSWER_BYTES_MAX, Changes, ConsentTimeout, IceLite, IceStats, Outcome, Refusal, Verdict};
pub use tuples::{TUPLES_MAX, Tuple, Tuples};
