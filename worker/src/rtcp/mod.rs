//! RTCP on the wire: compound packets to values and back (RFC 3550 6, 4585, 5104, 3611, 5506, and the drafts of
//! transport-wide feedback and REMB).
//!
//! Knows bytes. Does not know streams, time or what a report is about. Called by `media::transport` for what arrives
//! (`packets`) and for what it has to say (`CompoundWriter`). Its one invariant: no input bytes make it panic, allocate
//! or read outside the slice it got; a packet with a good length never hides the ones behind it.
//!
//! ```
//! use tidegate_worker::rtcp::{self, CompoundWriter, Packet};
//!
//! let mut buffer = [0; rtcp::COMPOUND_BYTES_MAX];
//! let mut compound = CompoundWriter::new(&mut buffer);
//! compound.receiver_report(1, &[])?;
//! compound.pli(1, 2)?;
//!
//! for packet in rtcp::packets(compound.bytes()) {
//!     match packet {
//!         Ok(Packet::Pli(pli)) => assert_eq!(pli.media_ssrc, 2),
//!         Ok(_) => {}
//!         Err(error) => panic!("{error}"),
//!     }
//! }
//! # Ok::<(), rtcp::WriteError>(())
//! ```

#![forbid(unsafe_code)]

pub mod bye;
pub mod keyframe;
pub mod nack;
pub mod remb;
pub mod report;
pub mod sdes;
pub mod twcc;
pub mod writer;
pub mod xr;

mod compound;
mod cursor;

pub use bye::Bye;
pub use compound::{Packet, PacketError, Packets, Unknown, packets};
pub use keyframe::{Fir, FirEntry, Pli};
pub use nack::Nack;
pub use remb::Remb;
pub use report::{REPORT_BLOCKS_MAX, ReceiverReport, ReportBlock, SenderInfo, SenderReport, compact_ntp};
pub use sdes::Sdes;
pub use twcc::{WideFeedback, WideFeedbackHead};
pub use writer::{COMPOUND_BYTES_MAX, CompoundWriter, WriteError};
pub use xr::{Dlrr, DlrrReport, Rrtr, Xr, XrBlock};
