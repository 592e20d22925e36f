//! WebRTC over TCP (RFC 6544, RFC 4571) with a real worker and real connections: media both ways, and how connections end.
//!
//! This package's `pipe-fuzz` acts as the worker. Waits for what happens, never for time to pass, but for the time that a
//! stranger has.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::{ListenPort, Protocol};
use tidegate_protocol::webrtc::{DtlsState, IceState, WebRtcCommand};
use tidegate_tests::caller::{Caller, on_server};
use tidegate_tests::clock;
use tidegate_tests::driver::{Driver, Failure};
use tidegate_tests::endpoint::{Heard, context};
use tidegate_tests::fuzz::child::WorkerProgram;
use tidegate_tests::fuzz::commands::{AUDIO_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPE, consume, produce, ssrc_of};
use tidegate_tests::fuzz::model::Producer;
use tidegate_tests::world::is_rtcp;
use tidegate_tests::world::parameters::list;
use tidegate_tests::world::rtcp::{self, Rtcp};
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::webrtc::{WebRtc, candidate, on_loopback};
use tidegate_worker::dtls::Version;

/// A worker with a WebRTC server.
struct Bed {
    driver: Driver,
    router: u64,
    server: WebRtcServerId,
}

/// One stream of a caller's.
struct Stream {
    producer: u64,
    is_video: bool,
    sequence: u16,
}

impl Bed {
    fn opens() -> Result<Self, Failure> {
        let program = WorkerProgram::embedded(PathBuf::from(env!("CARGO_BIN_EXE_pipe-fuzz")));
        let mut driver = Driver::start(&program, &[])?;
        let router = driver.id();
        driver.call(Command::CreateRouter { router: RouterId(router) })?;
        let server = WebRtcServerId(driver.id());
        // A small buffer, as a slow path has.
        let infos = [Protocol::Udp, Protocol::Tcp].map(|protocol| {
            let mut info = on_loopback(protocol, ListenPort::Any);
            info.send_buffer_bytes = if protocol == Protocol::Tcp { 16 << 10 } else { 0 };
            info
        });
        let listen_infos = list(infos.to_vec());
        driver.call(Command::WebRtc(WebRtcCommand::CreateServer { server, listen_infos }))?;
        Ok(Self { driver, router, server })
    }

    fn told(&mut self) -> Result<WebRtc, Failure> {
        self.driver.create_webrtc_transport(self.router, &on_server(self.server, 30))
    }

    /// Somebody who has come in by `protocol`.
    fn joins(&mut self, protocol: Protocol, version: Version) -> Result<Caller, Failure> {
        let told = self.told()?;
        let caller = Caller::new(&told, protocol, &context(version));
        let mut caller = caller.map_err(|error| error.to_string())?;
        caller.joins(&mut self.driver)?;
        let dump = self.driver.webrtc_dump(caller.transport)?;
        assert_eq!(dump.ice_selected_tuple.map(|tuple| tuple.protocol), Some(protocol));
        Ok(caller)
    }

    /// A stream from one caller to another; and under which SSRC it comes out.
    fn forwards(&mut self, from: &Caller, to: &Caller, is_video: bool) -> Result<(Stream, u32), Failure> {
        let (producer, consumer) = (self.driver.id(), self.driver.id());
        self.driver.call(produce(from.transport, producer, is_video))?;
        let made = Producer::ordinary(from.transport, producer, is_video);
        self.driver.call(consume(to.transport, consumer, &made))?;
        Ok((Stream { producer, is_video, sequence: 0 }, ssrc_of(consumer)))
    }

    fn tuples(&mut self) -> Result<u64, Failure> {
        match self.driver.call(Command::WebRtc(WebRtcCommand::DumpServer { server: self.server }))? {
            Reply::WebRtcServerDump(dump) => Ok(dump.tuples),
            other => Err(format!("a dump was answered {other:?}")),
        }
    }

    fn metric(&mut self, name: &str) -> Result<u64, Failure> {
        match self.driver.call(Command::GetMetrics)? {
            Reply::Metrics(metrics) => metrics.value(name).ok_or_else(|| format!("no metric {name}")),
            other => Err(format!("metrics were answered {other:?}")),
        }
    }
}

impl Stream {
    /// The next packet: a frame of its own, the first one a key frame (RFC 7741 4.2, RFC 6386 9.1).
    fn packet(&mut self, bytes: usize) -> RtpPacket {
        let mut payload = vec![0x5A; bytes];
        payload[..2].copy_from_slice(&[0x10, u8::from(self.sequence > 0)]);
        let packet = RtpPacket {
            marker: true,
            payload_type: if self.is_video { VIDEO_PAYLOAD_TYPE } else { AUDIO_PAYLOAD_TYPE },
            sequence: self.sequence,
            timestamp: u32::from(self.sequence) * 960,
            ssrc: ssrc_of(self.producer),
            payload,
            ..RtpPacket::default()
        };
        self.sequence += 1;
        packet
    }
}

/// Packets of one SSRC that a caller has heard.
fn packets(of: &Caller, ssrc: u32) -> Vec<RtpPacket> {
    let media = of.heard.iter().filter_map(|heard| match heard {
        Heard::Media(plain) if !is_rtcp(plain) => Some(RtpPacket::read(plain).expect("sound RTP")),
        _ => None,
    });
    media.filter(|packet| packet.ssrc == ssrc).collect()
}

#[test]
fn a_peer_joins_by_tcp_and_media_flows_both_ways() -> Result<(), Failure> {
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut bed = Bed::opens()?;
        let mut one = bed.joins(Protocol::Tcp, version)?;
        let mut other = bed.joins(Protocol::Udp, version)?;
        let (mut video, shown) = bed.forwards(&one, &other, true)?;
        let (mut audio, heard) = bed.forwards(&other, &one, false)?;
        for _ in 0..50 {
            one.plays(&video.packet(1_100).write()).map_err(|error| error.to_string())?;
            other.plays(&audio.packet(100).write()).map_err(|error| error.to_string())?;
        }
        other.goes_on_until(&mut bed.driver, "video", |other| packets(other, shown).len() == 50)?;
        one.goes_on_until(&mut bed.driver, "sound", |one| packets(one, heard).len() == 50)?;
        assert!(packets(&one, heard).iter().all(|packet| packet.payload.len() == 100));
        // Feedback comes through to the connection.
        let request = rtcp::write(&[Rtcp::Pli { sender: 1, media: shown }]);
        other.plays(&request).map_err(|error| error.to_string())?;
        let asked = |one: &mut Caller| {
            let media = one.heard.iter().filter_map(|heard| match heard {
                Heard::Media(plain) if is_rtcp(plain) => rtcp::read(plain).ok(),
                _ => None,
            });
            media.flatten().any(|packet| matches!(packet, Rtcp::Pli { .. } | Rtcp::Fir { .. }))
        };
        one.goes_on_until(&mut bed.driver, "a request for a key frame", asked)?;
        bed.driver.finish()?;
    }
    Ok(())
}

#[test]
fn half_closed_is_closed_and_the_peer_is_gone() -> Result<(), Failure> {
    let mut bed = Bed::opens()?;
    let mut caller = bed.joins(Protocol::Tcp, Version::Dtls12)?;
    assert_eq!(bed.tuples()?, 1);
    bed.driver.hear()?;
    let connection = caller.connection().expect("it came by TCP");
    connection.shutdown(Shutdown::Write).map_err(|error| error.to_string())?;
    caller.goes_on_until(&mut bed.driver, "the connection's end", |caller| caller.is_closed)?;
    let transport = TransportId(caller.transport);
    assert_eq!(bed.tuples()?, 0);
    let dump = bed.driver.webrtc_dump(caller.transport)?;
    assert_eq!((dump.ice_state, dump.dtls_state), (IceState::Disconnected, DtlsState::Connected));
    let events = bed.driver.hear()?;
    let gone = Event::IceState { transport, state: IceState::Disconnected };
    assert!(events.contains(&gone), "{events:?}");
    bed.driver.finish()
}

#[test]
fn a_stranger_has_four_seconds() -> Result<(), Failure> {
    let mut bed = Bed::opens()?;
    let told = bed.told()?;
    let to = candidate(&told, Protocol::Tcp).expect("a TCP port");
    let began_ns = clock::monotonic_ns();
    // One says nothing, one asks under a name that nobody has.
    let _silent = TcpStream::connect(to).map_err(|error| error.to_string())?;
    let mut caller = Caller::new(&told, Protocol::Tcp, &context(Version::Dtls12));
    let caller = caller.as_mut().map_err(|error| error.to_string())?;
    caller.endpoint.use_credentials("nobody", "has this password");
    caller.asks().map_err(|error| error.to_string())?;
    caller.goes_on_until(&mut bed.driver, "the connection's end", |caller| caller.is_closed)?;
    let took_ms = (clock::monotonic_ns() - began_ns) / 1_000_000;
    assert!(took_ms >= 3_900, "closed after {took_ms} ms");
    assert_eq!(bed.metric("tcp_closed_unauthenticated")?, 2);
    // Who has the password comes in all the same, now.
    let mut friend = Caller::new(&told, Protocol::Tcp, &context(Version::Dtls12));
    let friend = friend.as_mut().map_err(|error| error.to_string())?;
    friend.joins(&mut bed.driver)?;
    bed.driver.finish()
}

#[test]
fn a_slow_reader_loses_whole_packets_of_video_and_nothing_else() -> Result<(), Failure> {
    let mut bed = Bed::opens()?;
    let mut camera = bed.joins(Protocol::Udp, Version::Dtls12)?;
    let mut player = bed.joins(Protocol::Tcp, Version::Dtls12)?;
    let (mut video, shown) = bed.forwards(&camera, &player, true)?;
    let (mut audio, heard) = bed.forwards(&camera, &player, false)?;
    let mut sent = 0;
    let mut dropped = 0;
    while dropped < 200 && sent < 30_000 {
        // The player reads nothing, and asks for consent all the while.
        for _ in 0..20 {
            camera.plays(&video.packet(1_100).write()).map_err(|error| error.to_string())?;
            sent += 1;
        }
        camera.plays(&audio.packet(100).write()).map_err(|error| error.to_string())?;
        if sent % 200 == 0 {
            player.asks().map_err(|error| error.to_string())?;
        }
        // No packet is lost on the way to the worker: it takes what came before more is sent.
        let wanted = u64::from(video.sequence) + u64::from(audio.sequence);
        while received(&mut bed.driver, camera.transport)? < wanted {
            camera.goes_on().map_err(|error| error.to_string())?;
        }
        dropped = bed.driver.webrtc_stats(player.transport)?.tcp_dropped;
    }
    assert!(dropped >= 200, "{dropped} frames were dropped of {sent}");
    assert_eq!(bed.driver.webrtc_dump(player.transport)?.ice_state, IceState::Completed);
    let asked = sent / 200;
    assert!(asked > 0);
    // It reads again: of sound nothing is missing, and each answer is there.
    let sounds = usize::from(audio.sequence);
    player.goes_on_until(&mut bed.driver, "the sound", |player| packets(player, heard).len() == sounds)?;
    let frames = packets(&player, shown);
    assert!(frames.iter().all(|packet| packet.payload.len() == 1_100), "whole packets");
    let mut answers = 0;
    player.goes_on_until(&mut bed.driver, "the answers", |player| {
        while player.takes_answer() {
            answers += 1;
        }
        answers >= asked
    })?;
    let stats = bed.driver.webrtc_stats(player.transport)?;
    let missing = u64::from(video.sequence) - packets(&player, shown).len() as u64;
    assert_eq!(stats.tcp_dropped, missing, "what was dropped is what is missing");
    // DTLS goes through a connection that was full.
    bed.driver.call(Command::CloseTransport { transport: TransportId(player.transport) })?;
    player.goes_on_until(&mut bed.driver, "the goodbye", |player| player.is_closed)?;
    bed.driver.finish()
}

fn received(driver: &mut Driver, transport: u64) -> Result<u64, Failure> {
    match driver.call(Command::GetTransportStats { transport: TransportId(transport) })? {
        Reply::TransportStats(stats) => Ok(stats.rtp_received.packets),
        other => Err(format!("statistics were answered {other:?}")),
    }
}
