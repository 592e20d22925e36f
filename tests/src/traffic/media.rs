//! RTP packets for the load generator: headers, payload descriptors, key frames, and a stamp that the sinks read.
//!
//! Knows how VP8 (RFC 7741), H264 (RFC 6184), VP9 (RFC 9628) and Opus (RFC 7587) payloads begin: enough for a
//! forwarder to find key frames and pictures. There is no picture behind it. Does not know when a packet leaves.
//! Called by the load generator's sources and sinks.
//! Its invariant: the stamp begins [`STAMP_OFFSET`] bytes into the payload whatever the codec, and nothing that a
//! forwarder may rewrite lies behind that offset.

use super::{Step, Traffic};

/// What a stream's payloads look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// RFC 7741, with 15-bit picture ids, TL0PICIDX and TID.
    Vp8,
    /// RFC 6184: parameter sets in a STAP-A, then FU-A.
    H264,
    /// RFC 9628, non-flexible mode, one spatial and one temporal layer.
    Vp9,
    /// RFC 7587.
    Opus,
}

impl Codec {
    /// What this traffic carries.
    pub const fn of(traffic: Traffic) -> Self {
        match traffic {
            Traffic::H264 => Self::H264,
            Traffic::Vp9 => Self::Vp9,
            Traffic::Opus => Self::Opus,
            _ => Self::Vp8,
        }
    }

    /// RTP timestamp units per second.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            _ => 90_000,
        }
    }

    /// Whether it is video.
    pub const fn is_video(self) -> bool {
        !matches!(self, Self::Opus)
    }
}

/// What the generator writes into each payload, so that a sink can count and time it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which stream, as the generator numbers them.
    pub stream: u32,
    /// Which packet of the stream, from 0.
    pub packet: u64,
    /// When it left, in nanoseconds of the wall clock.
    pub sent_ns: u64,
}

impl Stamp {
    fn write(self, out: &mut [u8]) {
        out[..4].copy_from_slice(&MAGIC.to_be_bytes());
        out[4..8].copy_from_slice(&self.stream.to_be_bytes());
        out[8..16].copy_from_slice(&self.packet.to_be_bytes());
        out[16..24].copy_from_slice(&self.sent_ns.to_be_bytes());
    }

    /// Reads the stamp of a datagram of which at least [`SEEN_BYTES`] bytes (or all) are in `datagram`.
    /// `None`: it is no packet of a generator (RTCP, or somebody else's).
    pub fn read(datagram: &[u8]) -> Option<Self> {
        let stamp = datagram.get(payload_offset(datagram)? + STAMP_OFFSET..)?.get(..STAMP_BYTES)?;
        let word = |at: usize| stamp.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let long = |at: usize| stamp.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
        (word(0)? == MAGIC).then_some(Self { stream: word(4)?, packet: long(8)?, sent_ns: long(16)? })
    }
}

/// Where the payload of an RTP packet begins: behind CSRCs and the extension block (RFC 3550 5.1, 5.3.1).
/// `None`: not RTP.
fn payload_offset(datagram: &[u8]) -> Option<usize> {
    let (first, second) = (*datagram.first()?, *datagram.get(1)?);
    let is_rtcp = (192..=223).contains(&second); // RFC 5761 4
    if first >> 6 != 2 || is_rtcp {
        return None;
    }
    let offset = RTP_HEADER_BYTES + usize::from(first & 0x0F) * 4;
    if first & 0x10 == 0 {
        return Some(offset);
    }
    let words = datagram.get(offset + 2..offset + 4)?.try_into().ok().map(u16::from_be_bytes)?;
    Some(offset + 4 + usize::from(words) * 4)
}

/// Makes the packets of one stream.
#[derive(Clone, Debug)]
pub struct Packetizer {
    codec: Codec,
    payload_type: u8,
    ssrc: u32,
    stream: u32,
    packets: u64,
    frames: u64,
    in_key_frame: bool,
    last_key_us: Option<u64>,
    key_wanted: bool,
}

impl Packetizer {
    /// A stream which calls itself `stream` in its stamps.
    pub const fn new(codec: Codec, payload_type: u8, ssrc: u32, stream: u32) -> Self {
        Self {
            codec,
            payload_type,
            ssrc,
            stream,
            packets: 0,
            frames: 0,
            in_key_frame: false,
            last_key_us: None,
            key_wanted: false,
        }
    }

    /// How many packets were written: the number of the next one's stamp.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Makes the next frame a key frame (a receiver sent PLI or FIR).
    pub const fn want_key_frame(&mut self) {
        self.key_wanted = true;
    }

    /// Writes the packet of `step`, sent at `sent_ns` of the wall clock; returns its bytes.
    ///
    /// A payload shorter than [`PAYLOAD_BYTES_MIN`] is lengthened to it (parameter sets in the H264 recording).
    pub fn write<'a>(
        &mut self,
        step: &Step,
        sent_ns: u64,
        out: &'a mut [u8; DATAGRAM_BYTES_MAX],
    ) -> &'a [u8] {
        if step.begins_frame {
            self.begin_frame(step.frame_us);
        }
        let payload_bytes = usize::from(step.payload_bytes).max(PAYLOAD_BYTES_MIN);
        let bytes = (RTP_HEADER_BYTES + payload_bytes).min(out.len());
        self.write_header(step, out);
        let payload = &mut out[RTP_HEADER_BYTES..bytes];
        payload[..STAMP_OFFSET].fill(0);
        self.write_descriptor(step, payload);
        let stamp = Stamp { stream: self.stream, packet: self.packets, sent_ns };
        stamp.write(&mut payload[STAMP_OFFSET..]);
        self.packets += 1;
        &out[..bytes]
    }

    fn begin_frame(&mut self, frame_us: u64) {
        if self.packets > 0 {
            self.frames += 1;
        }
        let starting = frame_us < KEY_FRAMES_UNTIL_US;
        let due = self.last_key_us.is_none_or(|last| frame_us - last >= KEY_FRAME_EVERY_US);
        self.in_key_frame = starting || due || self.key_wanted;
        if self.in_key_frame {
            self.key_wanted = false;
            self.last_key_us = Some(frame_us);
        }
    }

    fn write_header(&self, step: &Step, out: &mut [u8]) {
        let marker = if step.marker { 0x80 } else { 0 };
        let timestamp = step.frame_us * u64::from(self.codec.clock_rate()) / 1_000_000;
        out[0] = 0x80;
        out[1] = marker | (self.payload_type & 0x7F);
        out[2..4].copy_from_slice(&low_16(self.packets + FIRST_SEQUENCE).to_be_bytes());
        out[4..8].copy_from_slice(&low_32(timestamp).to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    fn write_descriptor(&self, step: &Step, payload: &mut [u8]) {
        match self.codec {
            Codec::Vp8 => self.write_vp8(step, payload),
            Codec::H264 => self.write_h264(step, payload),
            Codec::Vp9 => self.write_vp9(step, payload),
            Codec::Opus => payload[0] = 0x78, // CELT, full band, 20 ms, one frame (RFC 6716 3.1)
        }
    }

    /// RFC 7741 4.2 (X, I, L, T), and 4.3 with RFC 6386 9.1 in the first packet of a frame.
    fn write_vp8(&self, step: &Step, payload: &mut [u8]) {
        let start = if step.begins_frame { 0x10 } else { 0 };
        payload[0] = 0x80 | start;
        payload[1] = 0xE0;
        payload[2..4].copy_from_slice(&(0x8000 | low_16(self.frames)).to_be_bytes());
        payload[4] = low_8(self.frames);
        payload[5] = 0; // TID 0
        if step.begins_frame && self.in_key_frame {
            payload[6] = 0x10; // shown, key frame
            payload[9..12].copy_from_slice(&[0x9D, 0x01, 0x2A]);
            payload[12..14].copy_from_slice(&1_280_u16.to_le_bytes());
            payload[14..16].copy_from_slice(&720_u16.to_le_bytes());
        } else if step.begins_frame {
            payload[6] = 0x11;
        }
    }

    /// RFC 6184 5.6 to 5.8. A key frame begins with a STAP-A that holds a SPS.
    fn write_h264(&self, step: &Step, payload: &mut [u8]) {
        let slice = if self.in_key_frame { 5 } else { 1 };
        if step.begins_frame && self.in_key_frame {
            let unit_bytes = low_16(payload.len() as u64 - 3).to_be_bytes();
            payload[..4].copy_from_slice(&[0x78, unit_bytes[0], unit_bytes[1], 0x67]);
        } else if step.begins_frame && step.marker {
            payload[0] = 0x60 | slice;
        } else {
            let start = if step.begins_frame { 0x80 } else { 0 };
            let end = if step.marker { 0x40 } else { 0 };
            payload[..2].copy_from_slice(&[0x7C, start | end | slice]);
        }
    }

    /// RFC 9628 4.2: I, P but in key frames, L, B at the start, E at the end.
    fn write_vp9(&self, step: &Step, payload: &mut [u8]) {
        let inter = if self.in_key_frame { 0 } else { 0x40 };
        let begin = if step.begins_frame { 0x08 } else { 0 };
        let end = if step.marker { 0x04 } else { 0 };
        payload[0] = 0xA0 | inter | begin | end;
        payload[1..3].copy_from_slice(&(0x8000 | low_16(self.frames)).to_be_bytes());
        payload[3] = 0; // TID 0, SID 0
        payload[4] = low_8(self.frames);
    }
}

fn low_8(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn low_16(number: u64) -> u16 {
    let [first, second, ..] = number.to_le_bytes();
    u16::from_le_bytes([first, second])
}

fn low_32(number: u64) -> u32 {
    let [first, second, third, fourth, ..] = number.to_le_bytes();
    u32::from_le_bytes([first, second, third, fourth])
}

/// The largest datagram that is written.
pub const DATAGRAM_BYTES_MAX: usize = 1_472;
/// Where in the payload the stamp begins: behind the longest descriptor and a VP8 key frame's header.
pub const STAMP_OFFSET: usize = 20;
/// How much of a datagram a sink has to look at: header, any extension block that we send, descriptor and stamp.
pub const SEEN_BYTES: usize = 192;
/// The shortest payload.
pub const PAYLOAD_BYTES_MIN: usize = STAMP_OFFSET + STAMP_BYTES;
/// Bytes of an RTP header without CSRCs and extensions.
pub const RTP_HEADER_BYTES: usize = 12;

const STAMP_BYTES: usize = 24;
const MAGIC: u32 = 0x5447_4C44;
const FIRST_SEQUENCE: u64 = 65_000; // so that every run passes a wrap-around
const KEY_FRAMES_UNTIL_US: u64 = 1_000_000; // until consumers have begun, every frame is one
const KEY_FRAME_EVERY_US: u64 = 2_000_000;

const _: () = assert!(RTP_HEADER_BYTES + PAYLOAD_BYTES_MIN <= SEEN_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(traffic: Traffic, count: u64) -> Vec<Vec<u8>> {
        let mut schedule = traffic.schedule(0);
        let mut packetizer = Packetizer::new(Codec::of(traffic), 101, 0x1234_5678, 7);
        let mut out = [0; DATAGRAM_BYTES_MAX];
        (0..count).map(|at| packetizer.write(&schedule.next_step(), at * 10, &mut out).to_vec()).collect()
    }

    #[test]
    fn a_sink_reads_the_stamp_that_the_source_wrote() {
        for traffic in [Traffic::Vp8, Traffic::H264, Traffic::Vp9, Traffic::Opus, Traffic::SimulcastLow] {
            for (index, packet) in (0..).zip(packets(traffic, 500)) {
                let seen = &packet[..packet.len().min(SEEN_BYTES)];
                let expected = Stamp { stream: 7, packet: index, sent_ns: index * 10 };
                assert_eq!(Stamp::read(seen), Some(expected), "{}", traffic.name());
            }
        }
    }

    #[test]
    fn a_stamp_is_found_behind_an_extension_block() {
        let mut packet = packets(Traffic::Vp8, 1).remove(0);
        packet[0] |= 0x10;
        packet.splice(12..12, [0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0]);
        assert_eq!(Stamp::read(&packet).map(|stamp| stamp.stream), Some(7));
    }

    #[test]
    fn rtcp_and_strangers_have_no_stamp() {
        assert_eq!(Stamp::read(&[0x80, 200, 0, 6]), None);
        assert_eq!(Stamp::read(&[]), None);
        assert_eq!(Stamp::read(&[0x80; 100]), None);
        assert_eq!(Stamp::read(&[0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xBE, 0xDE, 0xFF, 0xFF]), None);
    }

    #[test]
    fn sequence_numbers_follow_one_another_over_the_wrap_around() {
        let packets = packets(Traffic::Even, 1_000);
        let sequence = |packet: &[u8]| u16::from_be_bytes([packet[2], packet[3]]);
        assert!(packets.windows(2).all(|pair| sequence(&pair[1]) == sequence(&pair[0]).wrapping_add(1)));
        assert!(packets.iter().any(|packet| sequence(packet) == 0));
    }

    #[test]
    fn the_first_second_is_key_frames_and_then_one_comes_every_two_seconds() {
        let mut schedule = Traffic::Even.schedule(0);
        let mut packetizer = Packetizer::new(Codec::Vp8, 101, 1, 0);
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let mut key_frames_ms = Vec::new();
        for _ in 0..300 * 10 {
            let step = schedule.next_step();
            let packet = packetizer.write(&step, 0, &mut out);
            if step.begins_frame && packet[18] & 1 == 0 {
                key_frames_ms.push(step.at_us / 1_000);
            }
        }
        assert_eq!(key_frames_ms.iter().filter(|at| **at < 1_000).count(), 30);
        let later: Vec<u64> = key_frames_ms.into_iter().filter(|at| *at >= 1_000).collect();
        assert_eq!(later, [2_966, 4_966, 6_966, 8_966]);
    }

    #[test]
    fn a_wanted_key_frame_is_the_next_one() {
        let mut schedule = Traffic::Vp8.schedule(1_500_000);
        let mut packetizer = Packetizer::new(Codec::Vp8, 101, 1, 0);
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let mut key_frames = 0;
        for at in 0..300 {
            if at == 100 {
                packetizer.want_key_frame();
            }
            let step = schedule.next_step();
            let packet = packetizer.write(&step, 0, &mut out);
            key_frames += u32::from(step.begins_frame && packet[18] & 1 == 0);
        }
        assert_eq!(key_frames, 2);
    }

    #[test]
    fn packets_of_a_frame_share_its_timestamp() {
        let packets = packets(Traffic::Burst7, 21);
        let timestamp = |packet: &Vec<u8>| u32::from_be_bytes(packet[4..8].try_into().expect("4 bytes"));
        let timestamps: Vec<u32> = packets.iter().map(timestamp).collect();
        assert!(timestamps.chunks(7).all(|burst| burst.iter().all(|stamp| *stamp == burst[0])));
        assert_eq!(timestamps[7], 2_099);
    }
}
