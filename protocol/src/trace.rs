//! Trace events: single packets of one producer or consumer, told to the host that asked for them.

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::stats::Direction;

/// What a producer or consumer can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TraceType {
    /// Each RTP packet.
    Rtp,
    /// Each packet that starts a key frame.
    KeyFrame,
    /// Each NACK.
    Nack,
    /// Each PLI.
    Pli,
    /// Each FIR.
    Fir,
    /// Each sender report.
    Sr,
}

/// Which kinds are told.
pub type TraceTypes = List<TraceType, 16>;

impl TraceType {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Rtp, Self::KeyFrame, Self::Nack, Self::Pli, Self::Fir, Self::Sr];
}

/// One trace event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Milliseconds of the worker's monotonic clock.
    pub timestamp_ms: u64,
    /// Received by the worker or sent by it.
    pub direction: Direction,
    /// What came or went.
    pub info: TraceInfo,
}

/// What a trace event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TraceInfo {
    /// An RTP packet.
    Rtp(PacketTrace),
    /// A packet that starts a key frame; the same packet is told as `Rtp` too where that is asked for.
    KeyFrame(PacketTrace),
    /// A generic NACK (RFC 4585 6.2.1).
    Nack {
        /// The stream.
        ssrc: u32,
        /// How many packets it names.
        packets: u32,
    },
    /// A picture loss indication (RFC 4585 6.3.1).
    Pli {
        /// The stream.
        ssrc: u32,
    },
    /// A full intra request (RFC 5104 4.3.1).
    Fir {
        /// The stream.
        ssrc: u32,
    },
    /// A sender report (RFC 3550 6.4.1).
    Sr {
        /// The stream.
        ssrc: u32,
        /// Its NTP timestamp, 32.32 fixed point seconds since 1900.
        ntp: u64,
        /// Its RTP timestamp.
        rtp_timestamp: u32,
        /// The sender's packet count.
        packet_count: u32,
        /// The sender's octet count.
        octet_count: u32,
    },
}

/// What a packet looks like on this transport. A retransmission with a stream of its own (RFC 4588) is told as the packet
/// that it repeats, without the two bytes that it has more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketTrace {
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence_number: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// The stream.
    pub ssrc: u32,
    /// Whether it starts a key frame.
    pub is_key_frame: bool,
    /// Whether it came or goes as a retransmission (RFC 4588).
    pub is_rtx: bool,
    /// Bytes of the whole packet.
    pub size: u32,
    /// Bytes of its payload, padding left out.
    pub payload_size: u32,
    /// Spatial layer, 0 without layers.
    pub spatial_layer: u8,
    /// Temporal layer, 0 without layers.
    pub temporal_layer: u8,
    /// Its MID extension (RFC 9143), as received or sent.
    pub mid: Option<Text<32>>,
    /// Its RID extension (RFC 8852), as received.
    pub rid: Option<Text<32>>,
    /// Its repaired RID extension (RFC 8852), as received.
    pub rrid: Option<Text<32>>,
    /// Its transport-wide sequence number, as received or sent.
    pub wide_sequence_number: Option<u16>,
}
