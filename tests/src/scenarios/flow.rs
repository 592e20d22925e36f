//! What one receiver must get of one stream over a clean network: everything from a key frame on, once, in order.
//!
//! Knows what was sent and what came. Does not know the worker. Used by scenarios in which nothing is lost.
//! Invariant: what came is a run of what was sent, under numbers without a gap.

use std::collections::VecDeque;

use crate::world::parameters::Stream;
use crate::world::rtp::RtpPacket;

/// One stream on its way to one receiver.
#[derive(Debug)]
pub(super) struct Flow {
    /// As the receiver knows it.
    pub(super) stream: Stream,
    /// Nothing passes before a key frame.
    needs_key_frame: bool,
    expected: VecDeque<RtpPacket>,
    /// The last number that came.
    last: Option<u16>,
    /// What the worker adds to timestamps.
    shift: Option<u32>,
    /// Packets that came.
    pub(super) packets: u64,
    /// Their payloads.
    pub(super) payload_bytes: u64,
}

impl Flow {
    /// From the next packet on; of video from the next key frame on.
    pub(super) fn new(stream: Stream) -> Self {
        let needs_key_frame = stream.pli || stream.fir;
        let expected = VecDeque::new();
        Self { stream, needs_key_frame, expected, last: None, shift: Some(0), packets: 0, payload_bytes: 0 }
    }

    /// The last number that came.
    pub(super) fn last(&self) -> Option<u16> {
        self.last
    }

    /// The sender began anew, and what came meanwhile was somebody else's to look at; this was its last number. From now
    /// on timestamps are shifted, all by the same.
    pub(super) fn continues_after(&mut self, last: Option<u16>) {
        assert!(self.is_complete());
        (self.last, self.shift) = (last, None);
    }

    /// Whether it waits for a key frame.
    pub(super) fn waits(&self) -> bool {
        self.needs_key_frame
    }

    /// The sender sent these, which begin a key frame or do not.
    pub(super) fn sent(&mut self, packets: &[RtpPacket], begins_key_frame: bool) {
        self.needs_key_frame &= !begins_key_frame;
        if !self.needs_key_frame {
            self.expected.extend(packets.iter().cloned());
        }
    }

    /// This came; it must be the next.
    pub(super) fn got(&mut self, packet: &RtpPacket) {
        let expected = self.expected.pop_front();
        let expected = expected.unwrap_or_else(|| panic!("nothing was sent, but {packet:?} came"));
        assert_eq!(packet.payload, expected.payload, "the payload changed on the way");
        let shift = packet.timestamp.wrapping_sub(expected.timestamp);
        assert_eq!((packet.marker, shift), (expected.marker, *self.shift.get_or_insert(shift)));
        assert_eq!(packet.csrcs, expected.csrcs);
        assert_eq!((packet.ssrc, packet.payload_type), (self.stream.ssrc, self.stream.payload_type));
        if let Some(last) = self.last.replace(packet.sequence) {
            assert_eq!(packet.sequence, last.wrapping_add(1), "numbers have no gap");
        } else {
            assert!((1_000..=32_767).contains(&packet.sequence), "it begins at {}", packet.sequence);
        }
        self.packets += 1;
        self.payload_bytes += packet.payload.len() as u64;
    }

    /// Everything that was sent has come.
    pub(super) fn is_complete(&self) -> bool {
        self.expected.is_empty()
    }
}

/// Gives every packet to the flow of its SSRC; then nothing must be missing.
pub(super) fn settle(packets: &[RtpPacket], flows: &mut [&mut Flow]) {
    for packet in packets {
        let flow = flows.iter_mut().find(|flow| flow.stream.ssrc == packet.ssrc);
        flow.unwrap_or_else(|| panic!("{:#x} is nobody's stream", packet.ssrc)).got(packet);
    }
    for flow in flows {
        assert!(
            flow.is_complete(),
            "{} packets of {:#x} did not come",
            flow.expected.len(),
            flow.stream.ssrc
        );
    }
}
