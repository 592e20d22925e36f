//! Loss on both sides, repaired on both: by NACK, with RTX and without, while packets overtake one another and come twice.
//!
//! Cameras and microphones send over lossy paths to the worker, which asks them again; players get it over lossy paths
//! and ask the worker again. Sources and sinks compare every packet byte for byte, also what is sent again. The seed
//! chooses who has RTX, how far away everybody is, what else paths do, and whether requests are lost too: where they are
//! not, the worker's counters must be exactly what its peers counted.

use std::time::Duration;

use tidegate_protocol::ids::RouterId;

use super::draw::Draw;
use super::{Scenario, Tally};
use crate::world::network::Direction;
use crate::world::parameters::Stream;
use crate::world::path::{Bursts, Impairment};
use crate::world::peer::address;
use crate::world::run::{Origin, Watch};
use crate::world::sink::SinkOptions;
use crate::world::source::SourceOptions;
use crate::world::{Beginning, SourceId, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "repaired_loss",
    proves: "what is lost on either side of the worker is asked for and sent again, and both sides count the same",
    run,
};

struct Story {
    world: World,
    draw: Draw,
    origins: Vec<Origin>,
    watches: Vec<Watch>,
    paths: [Impairment; 2],
    /// Requests are not lost, and nothing comes twice.
    is_exact: bool,
}

fn run(seed: u64) -> Tally {
    let mut draw = Draw::of(seed);
    let batch_interval = Duration::from_micros(draw.between(0, 1_000).into());
    let world = World::from(Beginning { batch_interval, ..Beginning::of(seed) });
    let is_exact = draw.chance(500);
    let paths = [(); 2].map(|()| bad_path(&mut draw, is_exact));
    let mut story = Story { world, draw, origins: Vec::new(), watches: Vec::new(), paths, is_exact };
    story.everybody_comes();
    story.world.run_for(6_000);
    story.world.settle();
    story.everything_was_repaired();
    story.upstream_counts_agree();
    story.downstream_counts_agree();
    story.world.finish()
}

/// About 5 % loss, some of it in bursts.
fn bad_path(draw: &mut Draw, is_exact: bool) -> Impairment {
    let in_bursts = draw.chance(400);
    let bursts = Bursts { begin_permille: 5, end_permille: 300, loss_permille: 900 };
    Impairment {
        delay: Duration::from_micros(draw.between(500, 40_000).into()),
        jitter: Duration::from_micros(draw.between(0, 4_000).into()),
        loss_permille: if in_bursts { 35 } else { 50 },
        bursts: in_bursts.then_some(bursts),
        reorder_permille: draw.between(0, 30),
        reorder_by: Duration::from_micros(draw.between(500, 8_000).into()),
        duplicate_permille: if is_exact { 0 } else { draw.between(0, 20) },
        bottleneck: None,
    }
}

impl Story {
    fn everybody_comes(&mut self) {
        let router = self.world.router();
        let [up, down] = self.paths;
        let feedback = |path: Impairment| if self.is_exact { path.calmed() } else { path };
        let (up_feedback, down_feedback) = (feedback(up), feedback(down));
        for host in 0..u8::try_from(self.draw.between(1, 2)).expect("few") {
            let at = address(1 + host, 4_000);
            self.world.network.impair(at, Direction::ToWorker, up);
            self.world.network.impair(at, Direction::ToPeer, up_feedback);
            let camera = self.rtx_or_not(Stream::vp8(0x1000 + u32::from(host) * 16));
            let microphone = Stream { nack: true, ..Stream::opus(0x2000 + u32::from(host) * 16) };
            let microphone = self.rtx_or_not(microphone);
            let transport = self.world.comedia(router);
            for options in [SourceOptions::camera(camera, at), SourceOptions::microphone(microphone, at)] {
                let options = SourceOptions {
                    first_sequence: self.draw.u16(),
                    first_rtx_sequence: self.draw.u16(),
                    first_timestamp: self.draw.u32(),
                    ..options
                };
                let producer = self.world.produce(transport.id, &options.stream);
                let source = self.world.add_source(options, transport);
                self.origins.push(Origin { source, transport, producer });
            }
        }
        for host in 100..100 + u8::try_from(self.draw.between(1, 4)).expect("few") {
            let at = address(host, 5_000);
            self.world.network.impair(at, Direction::ToPeer, down);
            self.world.network.impair(at, Direction::ToWorker, down_feedback);
            self.watches_all(router, at);
        }
    }

    fn watches_all(&mut self, router: RouterId, at: std::net::SocketAddr) {
        let transport = self.world.connected(router, at);
        for (origin, index) in self.origins.clone().iter().zip(0..) {
            let stream =
                self.world.source(origin.source).options().stream.consumed_as(0xC000_0000 + index * 2);
            let stream = self.rtx_or_not(stream);
            let options = SinkOptions::new(stream, at);
            self.watches.push(self.world.watch_on(transport, origin, options));
        }
    }

    fn rtx_or_not(&mut self, stream: Stream) -> Stream {
        let rtx_ssrc = stream.ssrc + 1;
        if self.draw.chance(600) { stream.with_rtx(rtx_ssrc) } else { stream }
    }

    /// Everything came, but for what was too old when it was asked for the last time.
    fn everything_was_repaired(&self) {
        for watch in &self.watches {
            let stats = self.world.sink(watch.sink).stats();
            let source = self.world.source(self.world.sink(watch.sink).source()).stats();
            assert_eq!(stats.missing, 0, "nothing is waited for any more: {stats:?}");
            assert!(stats.repaired > 0 && stats.resyncs == 0 && stats.unrecorded == 0, "{stats:?}");
            assert!(stats.given_up * 1_000 <= stats.packets + 999, "more than 0.1 % never came: {stats:?}");
            let (first, last) = stats.first_and_last.expect("something came");
            assert_eq!(last + 1, source.packets, "the last one came");
            // What was lost before the first one that came is missed by nobody.
            let at_first = if stats.began_at_key_frame { 0 } else { 5 };
            let never = u64::from(last - first) + 1 - stats.packets;
            assert!(never <= stats.given_up + at_first, "{never} never came: {stats:?}");
            // Who lacks the beginning of a key frame waits a second and asks for another; a new key frame that is whole
            // makes frames unneeded that still wait.
            let all = stats.frames_shown + stats.frames_skipped;
            let excused = stats.key_frame_requests * 40 + u64::from(source.key_frames) * 6;
            assert!(stats.frames_skipped <= excused, "{excused} might be left out: {stats:?}");
            // What was sent before the consumer's first packet is not its business.
            assert!(u64::from(source.frames) - all <= 40, "{all} of {}", source.frames);
        }
    }

    fn upstream_counts_agree(&mut self) {
        let trip = round_trip(self.paths[0]);
        for origin in &self.origins {
            let stats = self.world.producer_stats(origin.producer);
            let source = self.world.source(origin.source);
            let (sent, has_rtx) = (source.stats(), source.options().stream.rtx_ssrc.is_some());
            assert_eq!(sent.forgotten, 0, "it is asked while it remembers");
            assert!(stats.nack_count > 0 && stats.nack_count <= stats.nack_packet_count);
            assert!(stats.packets_repaired <= stats.packets_retransmitted);
            assert!(stats.packet_count <= u64::from(sent.packets) + stats.packets_discarded);
            if self.is_exact {
                assert_eq!(stats.nack_packet_count, sent.nacked);
                assert_eq!(sent.retransmissions, sent.nacked);
                let (arrived, path_lost) = (stats.packets_retransmitted, self.lost(origin.source));
                assert!(arrived <= sent.retransmissions, "{stats:?} {sent:?}");
                let explained = arrived + stats.packets_discarded + path_lost;
                assert!(explained >= sent.retransmissions, "{path_lost} lost: {stats:?} {sent:?}");
                let never = i64::from(sent.packets) - i64::try_from(stats.packet_count).expect("few");
                let discarded = i64::try_from(stats.packets_discarded).expect("few");
                let lost = i64::from(stats.packets_lost);
                if !has_rtx {
                    // Sent again under the same number, a packet counts as received (RFC 3550 A.3).
                    let least = never - discarded - 5;
                    assert!((least..=never - discarded).contains(&lost), "{stats:?} {sent:?}");
                } else {
                    // By RTX it does not (RFC 4588 4).
                    let most = i64::try_from(path_lost).expect("few");
                    assert!((never..=most).contains(&lost), "{path_lost} lost: {stats:?} {sent:?}");
                }
            }
            let measured = Duration::from_micros(stats.round_trip_time_us);
            assert!(trip.contains(&measured), "{measured:?} is not within {trip:?}");
        }
    }

    fn downstream_counts_agree(&mut self) {
        let trip = round_trip(self.paths[1]);
        let mut resent = 0;
        for watch in &self.watches {
            let stats = self.world.consumer_stats(watch.consumer).own;
            let sink = self.world.sink(watch.sink).stats();
            resent += stats.packets_retransmitted;
            assert!(stats.packets_retransmitted <= stats.nack_packet_count);
            assert!(stats.packets_repaired <= stats.packets_retransmitted);
            if self.is_exact {
                assert_eq!(stats.nack_packet_count, sink.nacked, "{sink:?} {stats:?}");
                let at = self.world.sink(watch.sink).options().address;
                let path = self.world.network.path_stats(at, Direction::ToPeer);
                let explained = sink.repaired + sink.duplicates + path.lost + path.lost_in_bursts;
                assert!(stats.packets_retransmitted <= explained, "{sink:?} {stats:?} {path:?}");
            }
            let measured = Duration::from_micros(stats.round_trip_time_us);
            assert!(trip.contains(&measured), "{measured:?} is not within {trip:?}");
        }
        assert_eq!(self.world.metric("packets_resent"), resent);
        let mut sent = 0;
        for watch in &self.watches[..] {
            sent += self.world.transport_stats(watch.transport.id).rtx_sent.packets;
        }
        // Each transport was asked once for each of its consumers.
        assert_eq!(sent, resent * self.origins.len() as u64);
    }
}

impl Story {
    /// What was lost of all that a source's machine sent.
    fn lost(&self, source: SourceId) -> u64 {
        let at = self.world.source(source).options().address;
        let path = self.world.network.path_stats(at, Direction::ToWorker);
        path.lost + path.lost_in_bursts
    }
}

/// There and back: what paths take at least and at most. A worker reads up to 1 ms late, and calm paths keep delays.
fn round_trip(path: Impairment) -> std::ops::RangeInclusive<Duration> {
    let least = path.delay * 2;
    least.saturating_sub(Duration::from_millis(1))
        ..=least + path.jitter * 2 + path.reorder_by * 2 + Duration::from_millis(3)
}
