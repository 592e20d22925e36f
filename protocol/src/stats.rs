//! Counters of entities. Bytes count RTP packets from their header on, without UDP and IP.

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::ids::TransportId;
use crate::rtp::MediaKind;
use crate::transport::TransportTuple;
use crate::webrtc::WebRtcStats;

/// A transport's counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportStats {
    /// Which transport.
    pub transport: TransportId,
    /// Milliseconds of the worker's monotonic clock.
    pub timestamp_ms: u64,
    /// All datagrams that were taken in, RTCP included; those that were not are in `dropped` alone.
    pub received: Traffic,
    /// All datagrams, RTCP included.
    pub sent: Traffic,
    /// Packets of media streams, padding and copies included.
    pub rtp_received: Traffic,
    /// Packets of media streams.
    pub rtp_sent: Traffic,
    /// Retransmissions with a stream of their own (RFC 4588).
    pub rtx_received: Traffic,
    /// Retransmissions, with a stream of their own or without.
    pub rtx_sent: Traffic,
    /// Padding sent to find out how much the path carries; absent where nothing is estimated.
    pub probation_sent: Option<Traffic>,
    /// Forward error correction (FlexFEC-03): taken in and not forwarded.
    pub fec_received: Traffic,
    /// What was thrown away, by reason.
    pub dropped: DroppedPackets,
    /// What the path to the peer is estimated to carry, bits per second; absent where nothing is estimated.
    pub available_outgoing_bitrate: Option<u64>,
    /// What the path from the peer is estimated to carry, bits per second; absent where nothing is estimated, as on every
    /// transport whose peer estimates it itself by transport-wide feedback.
    pub available_incoming_bitrate: Option<u64>,
    /// The setting, bits per second; 0 is none.
    pub max_incoming_bitrate: u64,
    /// Share of the peer's packets that did not arrive, of those in the last half second by transport-wide numbers, in
    /// millionths; absent while none came, or without that feedback.
    pub rtp_packet_loss_received_ppm: Option<u32>,
    /// Share of our packets that did not arrive at the peer, by its transport-wide feedback, in millionths; absent without.
    pub rtp_packet_loss_sent_ppm: Option<u32>,
    /// What only plain transports have.
    pub plain: Option<PlainStats>,
    /// What only WebRTC transports have.
    pub webrtc: Option<WebRtcStats>,
}

/// What only plain transports have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainStats {
    /// RTP and RTCP on one port.
    pub rtcp_mux: bool,
    /// The peer's address is learnt.
    pub comedia: bool,
    /// RTP ends.
    pub tuple: TransportTuple,
    /// RTCP ends, without rtcp-mux.
    pub rtcp_tuple: Option<TransportTuple>,
}

/// A count of packets with its rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Since creation.
    pub packets: u64,
    /// Since creation.
    pub bytes: u64,
    /// Bits per second over the last second.
    pub bitrate: u64,
}

/// Received or made for sending and thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedPackets {
    /// Neither RTP nor RTCP.
    pub not_rtp: u64,
    /// RTP or RTCP whose header breaks RFC 3550.
    pub bad_header: u64,
    /// RTP of a stream that no producer announced.
    pub unknown_ssrc: u64,
    /// Not from the peer.
    pub wrong_source: u64,
    /// Longer than a packet buffer (1,536 bytes).
    pub too_large: u64,
    /// No packet memory left.
    pub no_memory: u64,
    /// The socket could not take it.
    pub send_failed: u64,
    /// RTP beyond twice the maximum incoming bitrate.
    pub over_limit: u64,
    /// SRTP or SRTCP that is not authentic.
    pub unauthenticated: u64,
    /// SRTP or SRTCP that was taken before, or is too old to tell.
    pub replayed: u64,
}

/// One RTP stream's counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpStreamStats {
    /// Received from a producer's peer or sent to a consumer's.
    pub direction: Direction,
    /// Milliseconds of the worker's monotonic clock.
    pub timestamp_ms: u64,
    /// The stream.
    pub ssrc: u32,
    /// Its retransmissions.
    pub rtx_ssrc: Option<u32>,
    /// Its RID, when it has one.
    pub rid: Option<Text<32>>,
    /// Audio or video.
    pub kind: MediaKind,
    /// Its codec.
    pub mime_type: Text<64>,
    /// Media packets, without those that only pad.
    pub packet_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Bits per second over the last 2.5 seconds; 6 seconds for received streams with discontinuous transmission.
    pub bitrate: u64,
    /// Of received streams with layers: how much each takes.
    pub bitrate_by_layer: List<LayerBitrate, 32>,
    /// RFC 3550 6.4.1; duplicates make it negative.
    pub packets_lost: i32,
    /// Of the last interval, in 1/256.
    pub fraction_lost: u8,
    /// RFC 3550 6.4.1, in timestamp units; as the receiver reports it for sent streams.
    pub jitter: u32,
    /// Old, doubled or out of any order.
    pub packets_discarded: u64,
    /// Retransmissions on a stream of their own that brought nothing: of packets that had come, or were not missing.
    /// Absent without such a stream, and for sent ones.
    pub rtx_packets_discarded: Option<u64>,
    /// Sent again, or received again and not there before.
    pub packets_retransmitted: u64,
    /// Of those, the ones that filled a gap.
    pub packets_repaired: u64,
    /// NACK messages, sent (received streams) or received (sent streams).
    pub nack_count: u64,
    /// Packets that they asked for.
    pub nack_packet_count: u64,
    /// PLI messages, likewise.
    pub pli_count: u64,
    /// FIR messages, likewise.
    pub fir_count: u64,
    /// Microseconds; 0 until measured.
    pub round_trip_time_us: u64,
    /// 0 to 10.
    pub score: u8,
}

/// What one layer of a stream takes by itself, without those that it builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerBitrate {
    /// 0 is the lowest.
    pub spatial: u8,
    /// 0 is the slowest.
    pub temporal: u8,
    /// Bits per second, over the same time as the stream's.
    pub bitrate: u64,
}

/// Which way a stream flows, seen from the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Received.
    Inbound,
    /// Sent.
    Outbound,
}

/// A consumer's counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerStats {
    /// What it sends.
    pub own: RtpStreamStats,
    /// What its producer receives; absent before the first packet.
    pub producer: Option<RtpStreamStats>,
}

/// What the process has used so far, from getrusage(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceUsage {
    /// CPU time in user mode, **milliseconds**.
    pub ru_utime: u64,
    /// CPU time in the kernel, **milliseconds**.
    pub ru_stime: u64,
    /// Largest resident memory, kilobytes.
    pub ru_maxrss: u64,
    /// Unused by Linux, 0.
    pub ru_ixrss: u64,
    /// Unused by Linux, 0.
    pub ru_idrss: u64,
    /// Unused by Linux, 0.
    pub ru_isrss: u64,
    /// Page faults without I/O.
    pub ru_minflt: u64,
    /// Page faults with I/O.
    pub ru_majflt: u64,
    /// Unused by Linux, 0.
    pub ru_nswap: u64,
    /// Block input operations.
    pub ru_inblock: u64,
    /// Block output operations.
    pub ru_oublock: u64,
    /// Unused by Linux, 0.
    pub ru_msgsnd: u64,
    /// Unused by Linux, 0.
    pub ru_msgrcv: u64,
    /// Unused by Linux, 0.
    pub ru_nsignals: u64,
    /// Voluntary context switches.
    pub ru_nvcsw: u64,
    /// Involuntary context switches.
    pub ru_nivcsw: u64,
}

/// Streams of a producer or consumer.
pub type StreamStats = List<RtpStreamStats, 32>;
