//! Strangers: datagrams that are not from the peer are dropped and counted, and change nothing.
//!
//! Several streams, each from a peer of its own through the worker to a receiver of its own, over IPv4 and IPv6, with
//! RTCP on the RTP port or beside it, on transports that are connected or learn their peer. Between their packets
//! others send: from the peer's address and another port, from another address and the peer's port, RTP and RTCP, to
//! the right port and to the wrong one, before the peer was learnt and after. The seed chooses all of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::RouterId;
use tidegate_protocol::stats::DroppedPackets;
use tidegate_protocol::transport::{ListenPort, PlainTransportOptions};

use super::draw::Draw;
use super::ear::listen;
use super::flow::{Flow, settle};
use super::{Scenario, Tally};
use crate::world::host::{Plain, listen_on, plain_options};
use crate::world::parameters::Stream;
use crate::world::peer::{Sender, address};
use crate::world::rtcp::{self, Rtcp};
use crate::world::rtp::RtpPacket;
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "spoofed_sources",
    proves: "a transport has one peer: what others send is dropped and counted, and nobody else notices",
    run,
};

/// A transport and its peer.
struct End {
    plain: Plain,
    comedia: bool,
    rtp: SocketAddr,
    rtcp: SocketAddr,
    /// Whether the worker knows these.
    knows_rtp: bool,
    knows_rtcp: bool,
    /// What it should have dropped.
    dropped: DroppedPackets,
    received: u64,
}

/// A stream from one peer to another.
struct Line {
    sender: Sender,
    inbound: End,
    outbound: End,
    flow: Flow,
}

struct Story {
    world: World,
    draw: Draw,
    lines: Vec<Line>,
}

fn run(seed: u64) -> Tally {
    let mut world = World::from(Beginning::of(seed));
    let mut draw = Draw::of(seed);
    let router = world.router();
    let hosts = u8::try_from(draw.between(2, 6)).expect("few");
    let lines = (1..=hosts).map(|host| Line::new(&mut world, &mut draw, router, host)).collect();
    let mut story = Story { world, draw, lines };
    for _ in 0..400 {
        let line = story.draw.index(story.lines.len());
        match story.draw.between(0, 9) {
            0..=3 => story.peer_sends(line),
            4 => story.peer_reports(line),
            5 | 6 => story.stranger_sends_rtp(line),
            7 => story.stranger_sends_rtcp(line),
            8 => story.receiver_is_imitated(line),
            _ => story.peer_errs(line),
        }
        if story.draw.chance(300) {
            let millis = story.draw.millis(1, 40);
            story.world.run_for(millis);
        }
    }
    story.all_is_accounted_for();
    story.world.finish()
}

impl End {
    /// A new transport whose peer has these addresses.
    fn new(world: &mut World, draw: &mut Draw, router: RouterId, rtp: SocketAddr, comedia: bool) -> Self {
        let mux = draw.chance(500);
        let ip = if rtp.is_ipv6() {
            draw.pick(&[IpAddr::from(Ipv6Addr::LOCALHOST), IpAddr::from([0xFD00, 0, 0, 0, 0, 0, 0, 9])])
        } else {
            draw.pick(&[IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 3, 4])])
        };
        let listen_info = listen_on(ip, ListenPort::Any);
        let options = PlainTransportOptions { listen_info, rtcp_mux: mux, comedia, ..plain_options() };
        let plain = world.plain_transport(router, &options);
        let rtcp = if mux { rtp } else { SocketAddr::new(rtp.ip(), rtp.port() + 1) };
        if !comedia {
            let rtcp_port = Some(rtcp.port()).filter(|_| !mux);
            world.connect(plain.id, rtp, rtcp_port).expect("the first connect");
        }
        let (dropped, knows_rtp, knows_rtcp) = (DroppedPackets::default(), !comedia, !comedia);
        Self { plain, comedia, rtp, rtcp, knows_rtp, knows_rtcp, dropped, received: 0 }
    }

    fn is_mux(&self) -> bool {
        self.rtp == self.rtcp
    }
}

impl Line {
    fn new(world: &mut World, draw: &mut Draw, router: RouterId, host: u8) -> Self {
        let at = |host: u8, port: u16, v6: bool| {
            let ip = [0x2001, 0xDB8, 0, 0, 0, 0, 0, host.into()];
            if v6 { SocketAddr::new(IpAddr::from(ip), port) } else { address(host, port) }
        };
        let source = match draw.chance(500) {
            true => Stream::vp8(u32::from(host)),
            false => Stream::opus(u32::from(host)),
        };
        let (from, to) = (at(host, 4_000, draw.chance(400)), at(100 + host, 5_000, draw.chance(400)));
        let comedia = draw.chance(600);
        let inbound = End::new(world, draw, router, from, comedia);
        let outbound = End::new(world, draw, router, to, false);
        let producer = world.produce(inbound.plain.id, &source);
        let as_stream = source.consumed_as(0xC000_0000 + u32::from(host));
        world.consume(outbound.plain.id, producer, &source, &as_stream);
        let sender = Sender::new(from, inbound.plain.rtp, source);
        Self { sender, inbound, outbound, flow: Flow::new(as_stream) }
    }
}

impl Story {
    /// The peer's own packets pass, and introduce it.
    fn peer_sends(&mut self, line: usize) {
        let Self { world, draw, lines } = self;
        let line = &mut lines[line];
        let is_key = draw.chance(200);
        let packets = match line.sender.stream.pli {
            true => line.sender.frame(is_key, &draw.sizes(1, 4)),
            false => vec![line.sender.sound()],
        };
        line.sender.sends(world, &packets);
        line.flow.sent(&packets, is_key);
        line.inbound.received += packets.len() as u64;
        if !std::mem::replace(&mut line.inbound.knows_rtp, true) {
            line.inbound.knows_rtcp |= line.inbound.is_mux();
            assert_tuple_told(world, line);
        }
        let heard = listen(world, line.outbound.rtp);
        settle(&heard.packets, &mut [&mut line.flow]);
    }

    /// So do its reports. By one of them a transport that waits for packets learns only who sends a known stream.
    fn peer_reports(&mut self, line: usize) {
        let Self { world, lines, .. } = self;
        let line = &mut lines[line];
        let ssrc = line.sender.stream.ssrc;
        let (ntp, timestamp) = (world.wall(), line.sender.timestamp);
        let report = Rtcp::SenderReport { ssrc, ntp, timestamp, packets: 1, bytes: 1, blocks: Vec::new() };
        let inbound = &mut line.inbound;
        world.network.inject(inbound.rtcp, inbound.plain.rtcp, rtcp::write(&[report]));
        world.receive();
        inbound.received += 1;
        let is_news = !std::mem::replace(&mut inbound.knows_rtcp, true);
        if inbound.is_mux() && is_news {
            inbound.knows_rtp = true;
            assert_tuple_told(world, line);
        } else if is_news {
            let told = world.take_events().into_iter().any(|event| {
                matches!(event, Event::PlainRtcpTuple { transport, tuple }
                    if transport == line.inbound.plain.id
                        && tuple.remote_port == Some(line.inbound.rtcp.port()))
            });
            assert!(told, "the host hears where reports come from");
        }
    }

    /// RTP that looks right, from elsewhere.
    fn stranger_sends_rtp(&mut self, line: usize) {
        let Self { world, draw, lines } = self;
        let line = &mut lines[line];
        let mut packet = line.sender.clone().frame(true, &[draw.count(20, 1_000)]).remove(0);
        packet.payload[2..].fill(0xEE);
        let from = elsewhere(draw, line.inbound.rtp);
        let (to, known) = match draw.chance(700) {
            true => (line.inbound.plain.rtp, line.inbound.knows_rtp),
            false => (line.inbound.plain.rtcp, line.inbound.knows_rtcp),
        };
        let beside = to != line.inbound.plain.rtp;
        let dropped = &mut line.inbound.dropped;
        if known {
            dropped.wrong_source += 1;
        } else if beside {
            // RTCP comes from the host that sends the RTP; where RTCP belongs, RTP is none.
            let excluded = line.inbound.knows_rtp && from.ip() != line.inbound.rtp.ip();
            let counter = if excluded { &mut dropped.wrong_source } else { &mut dropped.not_rtp };
            *counter += 1;
        } else {
            // A stream that is expected would introduce its sender, whoever it is: this is none.
            packet.ssrc = !packet.ssrc;
            dropped.unknown_ssrc += 1;
        }
        world.network.inject(from, to, packet.write());
        world.receive();
        assert_eq!(listen(world, line.outbound.rtp).packets, [], "nothing of it is forwarded");
        assert!(listen(world, from).packets.is_empty());
    }

    /// Reports from elsewhere, about a stream that is expected and of nobody.
    fn stranger_sends_rtcp(&mut self, line: usize) {
        let Self { world, draw, lines } = self;
        let line = &mut lines[line];
        let inbound = &mut line.inbound;
        let mut from = elsewhere(draw, inbound.rtcp);
        if !inbound.is_mux() && !inbound.knows_rtcp {
            // From the peer's own host it would be the peer; somebody else's is not.
            from = SocketAddr::new(elsewhere_ip(inbound.rtcp.ip()), from.port());
        }
        let report = Rtcp::ReceiverReport { ssrc: draw.u32() | 0x8000_0000, blocks: Vec::new() };
        let bye = Rtcp::Bye { ssrc: line.sender.stream.ssrc };
        world.network.inject(from, inbound.plain.rtcp, rtcp::write(&[report, bye]));
        world.receive();
        inbound.dropped.wrong_source += 1;
        assert!(!told_tuples(world), "nobody is introduced by a report of nobody");
    }

    /// Feedback about what the receiver gets, from elsewhere: not answered, and not passed on.
    fn receiver_is_imitated(&mut self, line: usize) {
        let Self { world, draw, lines } = self;
        let line = &mut lines[line];
        let resent = world.metric("packets_resent");
        listen(world, line.inbound.rtcp);
        let media = line.flow.stream.ssrc;
        let from = elsewhere(draw, line.outbound.rtcp);
        let numbers = (0..200).map(|_| draw.u16()).collect();
        let feedback = [
            Rtcp::Nack { sender: 1, media, sequences: numbers },
            Rtcp::Pli { sender: 1, media },
            Rtcp::Fir { sender: 1, media, sequence: 1 },
        ];
        world.network.inject(from, line.outbound.plain.rtcp, rtcp::write(&feedback));
        world.receive();
        line.outbound.dropped.wrong_source += 1;
        assert_eq!(world.metric("packets_resent"), resent);
        let asked = listen(world, line.inbound.rtcp).key_frame_requests(line.sender.stream.ssrc);
        assert!(asked.is_empty(), "{asked:?}");
    }

    /// The peer itself sends what does not belong there.
    fn peer_errs(&mut self, line: usize) {
        let Self { world, draw, lines } = self;
        let line = &mut lines[line];
        if !line.inbound.knows_rtp || !line.inbound.knows_rtcp {
            return;
        }
        let Line { inbound, outbound, sender, .. } = line;
        let report = rtcp::write(&[Rtcp::ReceiverReport { ssrc: 1, blocks: Vec::new() }]);
        let packet = RtpPacket { ssrc: 0xBAD, payload: vec![1; 9], ..sender.clone().sound() }.write();
        match draw.between(0, 3) {
            0 => {
                world.network.inject(
                    inbound.rtp,
                    inbound.plain.rtp,
                    vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42],
                );
                inbound.dropped.not_rtp += 1;
            }
            1 => {
                world.network.inject(inbound.rtp, inbound.plain.rtp, packet);
                inbound.dropped.unknown_ssrc += 1;
            }
            2 if !inbound.is_mux() => {
                world.network.inject(inbound.rtp, inbound.plain.rtp, report);
                world.network.inject(inbound.rtcp, inbound.plain.rtcp, packet);
                inbound.dropped.not_rtp += 2;
            }
            _ => {
                world.network.inject(outbound.rtp, outbound.plain.rtp, packet);
                outbound.dropped.unknown_ssrc += 1;
            }
        }
        world.receive();
    }

    fn all_is_accounted_for(&mut self) {
        let told = self.world.take_events();
        assert!(!told.iter().any(|event| matches!(event, Event::PlainTuple { .. })), "each tuple once");
        for line in &self.lines {
            for end in [&line.inbound, &line.outbound] {
                let stats = self.world.transport_stats(end.plain.id);
                assert_eq!(stats.dropped, end.dropped, "comedia {} {}", end.comedia, end.rtp);
                assert_eq!(stats.received.packets, end.received);
                let plain = self.world.transport_dump(end.plain.id).plain.expect("a plain transport");
                let remote = plain.tuple.remote_ip.zip(plain.tuple.remote_port);
                assert_eq!(remote, end.knows_rtp.then_some((end.rtp.ip(), end.rtp.port())));
            }
        }
        assert_eq!(self.world.metric("datagrams_unmatched"), 0);
    }
}

/// Somebody else: the same host, the same port, or neither.
fn elsewhere(draw: &mut Draw, peer: SocketAddr) -> SocketAddr {
    match draw.between(0, 2) {
        0 => SocketAddr::new(peer.ip(), peer.port() + 7),
        1 => SocketAddr::new(elsewhere_ip(peer.ip()), peer.port()),
        _ => SocketAddr::new(elsewhere_ip(peer.ip()), 9),
    }
}

fn elsewhere_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => IpAddr::from([198, 51, 100, 66]),
        IpAddr::V6(_) => IpAddr::from([0x2001, 0xDB8, 0xBAD, 0, 0, 0, 0, 66]),
    }
}

/// The host has just been told the peer of an inbound transport.
fn assert_tuple_told(world: &mut World, line: &Line) {
    let told = world.take_events().into_iter().any(|event| {
        matches!(event, Event::PlainTuple { transport, tuple }
            if transport == line.inbound.plain.id
                && tuple.remote_ip.zip(tuple.remote_port)
                    == Some((line.inbound.rtp.ip(), line.inbound.rtp.port())))
    });
    assert!(told, "the host hears who the peer is");
}

fn told_tuples(world: &mut World) -> bool {
    let told = world.take_events();
    told.iter().any(|event| matches!(event, Event::PlainTuple { .. } | Event::PlainRtcpTuple { .. }))
}
