//! One stream that a guest sends: recorded traffic with transport-wide numbers, resends on a stream of their own, sender
//! reports.
//!
//! Knows one stream's packets. Does not know sockets or keys. Used by `guest`.
//! Invariant: a packet that the worker asks for within its last [`REMEMBERED`] is sent again, as RFC 4588 has it.

use std::collections::VecDeque;

use tidegate_protocol::ids::ProducerId;
use tidegate_worker::base::sequence::Serial16;

use crate::traffic::media::{Codec, DATAGRAM_BYTES_MAX, Packetizer, RTP_HEADER_BYTES};
use crate::traffic::{Schedule, Step, Traffic};
use crate::world::parameters::Stream;
use crate::world::rtcp::Rtcp;

/// A microphone or a camera.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) stream: Stream,
    pub(super) producer: ProducerId,
    codec: Codec,
    schedule: Schedule,
    next: Step,
    /// How much later than the schedule it is.
    late_us: u64,
    packetizer: Packetizer,
    /// Without the header extension, which is new each time.
    sent: VecDeque<Vec<u8>>,
    rtx_sequence: Serial16,
    packets: u32,
    bytes: u32,
}

impl Outgoing {
    /// One that begins at `start_us` of its guest's clock and calls itself `stamp` in its payloads.
    pub(super) fn new(
        stream: Stream,
        producer: ProducerId,
        traffic: Traffic,
        start_us: u64,
        stamp: u32,
    ) -> Self {
        let codec = Codec::of(traffic);
        let packetizer = Packetizer::new(codec, stream.payload_type, stream.ssrc, stamp);
        let mut schedule = traffic.schedule(start_us);
        let next = schedule.next_step();
        Self {
            stream,
            producer,
            codec,
            schedule,
            next,
            late_us: 0,
            packetizer,
            sent: VecDeque::new(),
            rtx_sequence: Serial16::new(RTX_FIRST),
            packets: 0,
            bytes: 0,
        }
    }

    /// Whether a packet is due. Who could not send for longer than a camera waits goes on from here: what was not taken
    /// then never comes.
    pub(super) const fn is_due(&mut self, now_us: u64) -> bool {
        let due_us = self.next.at_us + self.late_us;
        if now_us > due_us + LATE_US_MAX {
            self.late_us += now_us - due_us;
        }
        due_us <= now_us
    }

    /// Whether losses of it are repaired.
    pub(super) const fn is_repaired(&self) -> bool {
        self.stream.nack
    }

    /// The packet that is due, numbered `wide`.
    pub(super) fn write(&mut self, wide: Serial16) -> Vec<u8> {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let packet = self.packetizer.write(&self.next, 0, &mut buffer).to_vec();
        self.next = self.schedule.next_step();
        self.packets = self.packets.wrapping_add(1);
        let payload_bytes = u32::try_from(packet.len() - RTP_HEADER_BYTES).unwrap_or(0);
        self.bytes = self.bytes.wrapping_add(payload_bytes);
        let numbered = extended(&packet, wide, &[]);
        if self.is_repaired() {
            if self.sent.len() >= REMEMBERED {
                self.sent.pop_front();
            }
            self.sent.push_back(packet);
        }
        numbered
    }

    /// The answer to a NACK, numbered `wide`; `None` when the packet is forgotten, or there are no answers.
    pub(super) fn write_again(&mut self, sequence: u16, wide: Serial16) -> Option<Vec<u8>> {
        let rtx_ssrc = self.stream.rtx_ssrc?;
        let wanted = sequence.to_be_bytes();
        let found = self.sent.iter().rev().find(|packet| packet.get(2..4) == Some(&wanted[..]))?;
        let mut packet = found.clone();
        let marker = packet.get(1)? & 0x80;
        *packet.get_mut(1)? = marker | self.stream.rtx_payload_type;
        packet.get_mut(2..4)?.copy_from_slice(&self.rtx_sequence.wire().to_be_bytes());
        packet.get_mut(8..12)?.copy_from_slice(&rtx_ssrc.to_be_bytes());
        self.rtx_sequence = self.rtx_sequence.next();
        // RFC 4588 4: the original number stands before the original payload.
        Some(extended(&packet, wide, &wanted))
    }

    /// Somebody needs a key frame.
    pub(super) const fn want_key_frame(&mut self) {
        self.packetizer.want_key_frame();
    }

    /// A sender report and its name, at `now_us` of the guest's clock and `ntp` of the wall's.
    pub(super) fn report(&self, now_us: u64, ntp: u64) -> [Rtcp; 2] {
        let units = now_us.saturating_sub(self.late_us) * u64::from(self.codec.clock_rate()) / 1_000_000;
        let [.., a, b, c, d] = units.to_be_bytes();
        let ssrc = self.stream.ssrc;
        let timestamp = u32::from_be_bytes([a, b, c, d]);
        let (packets, bytes) = (self.packets, self.bytes);
        [
            Rtcp::SenderReport { ssrc, ntp, timestamp, packets, bytes, blocks: Vec::new() },
            Rtcp::Cname { ssrc, cname: self.stream.cname.to_owned() },
        ]
    }
}

/// A packet without extensions and CSRCs as it leaves: with its transport-wide number, and `before` its payload.
fn extended(packet: &[u8], wide: Serial16, before: &[u8]) -> Vec<u8> {
    let (header, payload) = packet.split_at(RTP_HEADER_BYTES);
    let [high, low] = wide.wire().to_be_bytes();
    let element = WIDE_ID << 4 | 1; // RFC 8285 4.2: two bytes
    let block = [0xBE, 0xDE, 0, 1, element, high, low, 0];
    let mut out = [header, &block, before, payload].concat();
    if let Some(first) = out.first_mut() {
        *first |= 0x10;
    }
    out
}

/// Of the extension for transport-wide numbers, both ways.
pub(super) const WIDE_ID: u8 = 5;
/// Some frames.
const LATE_US_MAX: u64 = 150_000;
/// Some seconds of video.
const REMEMBERED: usize = 512;
/// So that it wraps soon.
const RTX_FIRST: u16 = 65_500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::media::Stamp;
    use crate::world::rtp::RtpPacket;

    fn camera() -> Outgoing {
        let stream = Stream::vp8(10).with_rtx(11).with_transport_cc(WIDE_ID);
        Outgoing::new(stream, ProducerId(1), Traffic::SimulcastMiddle, 500, 7)
    }

    #[test]
    fn a_packet_has_its_number_and_its_stamp() {
        let mut camera = camera();
        assert!(!camera.is_due(499) && camera.is_due(500));
        let bytes = camera.write(Serial16::new(0xABCD));
        let packet = RtpPacket::read(&bytes).unwrap();
        assert_eq!((packet.ssrc, packet.payload_type), (10, 96));
        assert_eq!(packet.extension(WIDE_ID), Some(&[0xAB, 0xCD][..]));
        assert_eq!(Stamp::read(&bytes).map(|stamp| (stamp.stream, stamp.packet)), Some((7, 0)));
    }

    #[test]
    fn who_is_late_goes_on_without_what_was_missed() {
        let mut camera = camera();
        let mut sent = 0;
        while camera.is_due(5_000_000) {
            camera.write(Serial16::new(sent));
            sent += 1;
        }
        assert!((1..20).contains(&sent), "{sent} packets");
        assert!(!camera.is_due(5_000_000) && camera.is_due(5_200_000));
    }

    #[test]
    fn a_resend_is_the_same_payload_behind_its_number_on_the_other_stream() {
        let mut camera = camera();
        let first = RtpPacket::read(&camera.write(Serial16::new(1))).unwrap();
        (2..100).for_each(|wide| drop(camera.write(Serial16::new(wide))));
        let again = RtpPacket::read(&camera.write_again(first.sequence, Serial16::new(9)).unwrap()).unwrap();
        assert_eq!((again.ssrc, again.payload_type, again.timestamp), (11, 97, first.timestamp));
        assert_eq!(again.payload[..2], first.sequence.to_be_bytes());
        assert_eq!(again.payload[2..], first.payload);
        assert_eq!(camera.write_again(first.sequence.wrapping_sub(1), Serial16::new(9)), None);
    }
}
