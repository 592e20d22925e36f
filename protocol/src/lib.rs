//! What a host and a Tidegate worker say to each other.
//!
//! Types, their limits and the frame codec. No I/O, no clock, no state: the worker, the Rust host and the code
//! generator of the Node host all read this crate and nothing else to know the wire.
//!
//! * [`frame`]: a little-endian `u32` length, then that many bytes.
//! * [`codec`]: a frame's bytes to a message and back; the one file that names the serialiser.
//! * [`message`]: the two directions; [`request`], [`response`], [`event`] are what they carry.
//! * [`rtp`], [`stats`], [`dump`], [`metrics`], [`observer`], [`trace`], [`transport`], [`webrtc`], [`srtp`]: the
//!   vocabulary of those.
//! * [`ortc`]: negotiation, run by hosts.
//!
//! Every sequence and text has a maximum of its own ([`bounded`]), checked before anything is allocated: a frame of
//! zeros decodes into an error, not into memory.
#![forbid(unsafe_code)]

pub mod bounded;
pub mod codec;
pub mod dump;
pub mod error;
pub mod event;
pub mod exit;
pub mod frame;
pub mod ids;
pub mod launch;
pub mod message;
pub mod metrics;
pub mod observer;
pub mod ortc;
pub mod red;
pub mod request;
pub mod response;
pub mod rtp;
pub mod srtp;
pub mod stats;
pub mod trace;
pub mod transport;
pub mod webrtc;

/// Version of the wire; either side refuses another one. Raised by every change of a type in this crate.
pub const PROTOCOL_VERSION: u32 = 3;
