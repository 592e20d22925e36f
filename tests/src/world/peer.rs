//! Peers of a worker: who sends a stream and who receives one.
//!
//! Knows addresses, packets and what a real sender or receiver keeps count of. Does not know the worker: bytes go
//! through the world's network. A [`Sender`] is a camera or a microphone; a [`Receiver`] a player.
//! Invariant: what a sender sends is what a real one could send.

use std::net::{IpAddr, SocketAddr};

use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId};
use tidegate_protocol::rtp::MediaKind;

use super::World;
use super::host::Plain;
use super::parameters::Stream;
use super::rtcp::{self, Rtcp};
use super::rtp::RtpPacket;

/// Sends one stream from one address.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Where it calls from.
    pub address: SocketAddr,
    /// Where it sends RTP.
    pub to: SocketAddr,
    /// What it sends.
    pub stream: Stream,
    /// The next packet's number.
    pub sequence: u16,
    /// The next frame's time.
    pub timestamp: u32,
    /// The next retransmission's number.
    pub rtx_sequence: u16,
}

impl Sender {
    /// A sender of `stream` to the transport at `to`.
    pub fn new(address: SocketAddr, to: SocketAddr, stream: Stream) -> Self {
        Self { address, to, stream, sequence: 5_000, timestamp: 700_000, rtx_sequence: 9_000 }
    }

    /// The next packet, with this payload.
    pub fn packet(&mut self, payload: Vec<u8>) -> RtpPacket {
        let packet = RtpPacket {
            payload_type: self.stream.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.stream.ssrc,
            payload,
            ..RtpPacket::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }

    /// The packets of a VP8 frame with payloads of these sizes, each at least 4.
    pub fn frame(&mut self, is_key: bool, sizes: &[usize]) -> Vec<RtpPacket> {
        let mut packets = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            // Payload descriptor with S in a frame's first packet; then the frame header, whose lowest bit is P.
            let descriptor = if index == 0 { 0x10 } else { 0x00 };
            let header = if is_key { 0x00 } else { 0x01 };
            let mut payload = vec![descriptor, header];
            payload.extend(noise(self.sequence).take(size.saturating_sub(2)));
            let mut packet = self.packet(payload);
            packet.marker = index + 1 == sizes.len();
            packets.push(packet);
        }
        self.timestamp = self.timestamp.wrapping_add(self.stream.clock_rate / 30);
        packets
    }

    /// The next 20 ms of sound.
    pub fn sound(&mut self) -> RtpPacket {
        let payload = noise(self.sequence).take(80).collect();
        let packet = self.packet(payload);
        self.timestamp = self.timestamp.wrapping_add(self.stream.clock_rate / 50);
        packet
    }

    /// A packet again, on the stream for retransmissions (RFC 4588).
    pub fn retransmission(&mut self, packet: &RtpPacket) -> RtpPacket {
        let sequence = self.rtx_sequence;
        self.rtx_sequence = sequence.wrapping_add(1);
        RtpPacket {
            payload_type: self.stream.rtx_payload_type,
            sequence,
            ssrc: self.stream.rtx_ssrc.expect("this stream has retransmissions"),
            payload: [&packet.sequence.to_be_bytes()[..], &packet.payload].concat(),
            ..packet.clone()
        }
    }

    /// Sends packets, which the worker receives in one turn.
    pub fn sends(&self, world: &mut World, packets: &[RtpPacket]) {
        for packet in packets {
            world.network.inject(self.address, self.to, packet.write());
        }
        world.receive();
    }

    /// Sends a key frame of three packets, and says which.
    pub fn sends_key_frame(&mut self, world: &mut World) -> Vec<RtpPacket> {
        self.sends_frame_of(world, true, &[1_000, 1_000, 600])
    }

    /// Sends a frame of two packets that builds on the one before, and says which.
    pub fn sends_frame(&mut self, world: &mut World) -> Vec<RtpPacket> {
        self.sends_frame_of(world, false, &[1_000, 400])
    }

    /// Sends a frame with payloads of these sizes.
    pub fn sends_frame_of(&mut self, world: &mut World, is_key: bool, sizes: &[usize]) -> Vec<RtpPacket> {
        let packets = self.frame(is_key, sizes);
        self.sends(world, &packets);
        packets
    }

    /// Sends 20 ms of sound, and says which packet.
    pub fn sends_sound(&mut self, world: &mut World) -> RtpPacket {
        let packet = self.sound();
        self.sends(world, std::slice::from_ref(&packet));
        packet
    }

    /// Streams for a while: video at 30 frames/s, a key frame first, or sound at 50 packets/s.
    pub fn streams_for(&mut self, world: &mut World, millis: u64) {
        let end = world.elapsed_ms() + millis;
        let mut is_key = true;
        while world.elapsed_ms() < end {
            if self.stream.kind == MediaKind::Audio {
                self.sends_sound(world);
                world.run_for(20);
            } else {
                self.sends_frame_of(world, is_key, &[1_000, 400]);
                is_key = false;
                world.run_for(33);
            }
        }
    }

    /// Sends a compound.
    pub fn sends_rtcp(&self, world: &mut World, packets: &[Rtcp]) {
        world.network.inject(self.address, self.to, rtcp::write(packets));
        world.receive();
    }

    /// What the worker asked and reported since the last time.
    pub fn hears(&self, world: &mut World) -> Vec<Rtcp> {
        heard_at(world, self.address).1
    }

    /// Numbers that were asked for since the last time.
    pub fn nacked(&self, world: &mut World) -> Vec<u16> {
        let heard = self.hears(world).into_iter();
        let nacks = heard.filter_map(|packet| match packet {
            Rtcp::Nack { media, sequences, .. } if media == self.stream.ssrc => Some(sequences),
            _ => None,
        });
        nacks.flatten().collect()
    }

    /// How often a key frame was asked for by PLI since the last time.
    pub fn plis(&self, world: &mut World) -> usize {
        let heard = self.hears(world);
        heard
            .iter()
            .filter(|packet| matches!(packet, Rtcp::Pli { media, .. } if *media == self.stream.ssrc))
            .count()
    }
}

/// Receives whatever comes to one address.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it sends RTCP.
    pub to: SocketAddr,
}

impl Receiver {
    /// The packets that came since the last time; RTCP that came with them is forgotten.
    pub fn gets(&self, world: &mut World) -> Vec<RtpPacket> {
        heard_at(world, self.address).0
    }

    /// The numbers of the packets that came since the last time.
    pub fn gets_numbers(&self, world: &mut World) -> Vec<u16> {
        self.gets(world).iter().map(|packet| packet.sequence).collect()
    }

    /// The packets that came since the last time, as bytes.
    pub fn gets_bytes(&self, world: &mut World) -> Vec<Vec<u8>> {
        let sent = world.network.take_sent_to(self.address).into_iter();
        sent.map(|sent| sent.bytes).filter(|bytes| !super::is_rtcp(bytes)).collect()
    }

    /// The RTCP that came since the last time; packets that came with it are forgotten.
    pub fn hears(&self, world: &mut World) -> Vec<Rtcp> {
        heard_at(world, self.address).1
    }

    /// Sends a compound.
    pub fn sends_rtcp(&self, world: &mut World, packets: &[Rtcp]) {
        world.network.inject(self.address, self.to, rtcp::write(packets));
        world.receive();
    }

    /// Asks for packets of the stream `media` again.
    pub fn nacks(&self, world: &mut World, media: u32, sequences: &[u16]) {
        self.sends_rtcp(world, &[Rtcp::Nack { sender: 1, media, sequences: sequences.to_vec() }]);
    }
}

fn heard_at(world: &mut World, address: SocketAddr) -> (Vec<RtpPacket>, Vec<Rtcp>) {
    let (mut packets, mut reports) = (Vec::new(), Vec::new());
    for sent in world.network.take_sent_to(address) {
        if super::is_rtcp(&sent.bytes) {
            reports.extend(rtcp::read(&sent.bytes).expect("checked when it was sent"));
        } else {
            packets.push(RtpPacket::read(&sent.bytes).expect("checked when it was sent"));
        }
    }
    (packets, reports)
}

/// A sender and a receiver on a router, connected: the story that most tests begin with.
#[derive(Debug)]
pub struct Call {
    /// The room.
    pub router: RouterId,
    /// Who sends.
    pub sender: Sender,
    /// The sender's transport, which learns its peer.
    pub inbound: Plain,
    /// What it sends.
    pub producer: ProducerId,
    /// Who receives.
    pub receiver: Receiver,
    /// The receiver's transport, which is connected.
    pub outbound: Plain,
    /// What it gets.
    pub consumer: ConsumerId,
    /// As what.
    pub received: Stream,
}

impl Call {
    /// A call in which `source` is consumed as a stream of SSRC 0xC0000001 with the same feedback.
    pub fn of(world: &mut World, source: &Stream) -> Self {
        Self::with(world, source, &source.consumed_as(CONSUMED))
    }

    /// A call in which `source` is consumed as `received`.
    pub fn with(world: &mut World, source: &Stream, received: &Stream) -> Self {
        let router = world.router();
        let inbound = world.comedia(router);
        let producer = world.produce(inbound.id, source);
        let sender = Sender::new(address(1, 4_000), inbound.rtp, source.clone());
        let (outbound, receiver) = receiver(world, router, address(2, 5_000));
        let consumer = world.consume(outbound.id, producer, source, received);
        let received = received.clone();
        Self { router, sender, inbound, producer, receiver, outbound, consumer, received }
    }

    /// One more receiver of the same producer: its transport and consumer.
    pub fn joined_by(
        &self,
        world: &mut World,
        host: u8,
        as_stream: &Stream,
    ) -> (Receiver, Plain, ConsumerId) {
        let (plain, receiver) = receiver(world, self.router, address(host, 5_000));
        let consumer = world.consume(plain.id, self.producer, &self.sender.stream, as_stream);
        (receiver, plain, consumer)
    }
}

/// A receiver at `address` with a transport that is connected to it.
pub fn receiver(world: &mut World, router: RouterId, address: SocketAddr) -> (Plain, Receiver) {
    let plain = world.connected(router, address);
    (plain, Receiver { address, to: plain.rtcp })
}

/// Somebody's address.
pub fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([192, 0, 2, host]), port)
}

/// Bytes that differ from packet to packet and look like nothing.
fn noise(seed: u16) -> impl Iterator<Item = u8> {
    let mut state = u32::from(seed).wrapping_mul(0x9E37_79B9) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[1]
    })
}

/// SSRC of the first consumer of a [`Call`].
pub const CONSUMED: u32 = 0xC000_0001;
