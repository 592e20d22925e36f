//! RTP on the wire: datagrams to values and back (RFC 3550, 8285, 4588, the payload formats).
//!
//! Knows bytes. Does not know streams, transports, time or which packet came before: whoever calls keeps state.
//! Called by `media` for what arrives (`Header::parse`, `rtx::unwrap`, the payload descriptors) and for what leaves
//! (`write_packet`). Its one invariant: no input bytes make it panic, allocate or read outside the slice it got.

#![forbid(unsafe_code)]

pub mod datagram;
pub mod dependency_descriptor;
pub mod extension_kind;
pub mod extensions;
pub mod header;
pub mod payload;
pub mod rtx;
pub mod values;
pub mod write;

pub use datagram::DatagramKind;
pub use extension_kind::ExtensionKind;
pub use extensions::{ExtensionId, Extensions};
pub use header::{Header, HeaderError};
pub use write::{ExtensionValues, Measured, NoRoom, Outgoing, header_len, packet_len, write_packet};
