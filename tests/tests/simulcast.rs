//! Several encodings of one source, and how a stream is known that nobody announced: by MID, by RID, by payload type.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::collections::BTreeMap;

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::{Event, StreamScore};
use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::request::Command;
use tidegate_protocol::stats::RtpStreamStats;
use tidegate_tests::world::World;
use tidegate_tests::world::host::Plain;
use tidegate_tests::world::parameters::{MID, REPAIRED_RID, RID, Stream, produce_simulcast};
use tidegate_tests::world::peer::{CONSUMED, Call, Receiver, Sender, address, receiver};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::rtp::RtpPacket;

const RIDS: [&str; 3] = ["l", "m", "h"];
const MID_ID: u8 = 1;
const RID_ID: u8 = 2;
const RRID_ID: u8 = 3;

/// A camera's encodings, known by their names alone.
fn encodings(mid: &'static str, first_ssrc: u32) -> Vec<Stream> {
    let encoding = |(rid, ssrc)| {
        Stream::vp8(ssrc)
            .with_rtx(ssrc + 0x100)
            .with_mid(mid)
            .with_rid(rid)
            .with_extensions(&[(MID, MID_ID), (RID, RID_ID), (REPAIRED_RID, RRID_ID)])
            .unannounced()
    };
    RIDS.into_iter().zip(first_ssrc..).map(encoding).collect()
}

/// A simulcast camera and who watches each of its encodings.
struct Studio {
    world: World,
    inbound: Plain,
    producer: ProducerId,
    cameras: Vec<Sender>,
    watchers: Vec<Receiver>,
}

impl Studio {
    fn of(encodings: &[Stream]) -> Self {
        let mut world = World::new();
        let router = world.router();
        let inbound = world.comedia(router);
        let producer = world.produce_simulcast(inbound.id, encodings);
        let sender = |stream: &Stream| Sender::new(address(1, 4_000), inbound.rtp, stream.clone());
        let cameras: Vec<Sender> = encodings.iter().map(sender).collect();
        let watchers = encodings.iter().zip(2..).map(|(stream, host)| {
            let (outbound, watcher) = receiver(&mut world, router, address(host, 5_000));
            world.consume(outbound.id, producer, stream, &stream.consumed_as(CONSUMED + u32::from(host)));
            watcher
        });
        let watchers = watchers.collect();
        Self { world, inbound, producer, cameras, watchers }
    }

    /// One frame of each of these encodings, then 33 ms.
    fn frames(&mut self, of: &[usize]) {
        for index in of {
            let packets = self.named_frame(*index);
            self.cameras[*index].sends(&mut self.world, &packets);
        }
        self.world.run_for(33);
    }

    fn frames_for(&mut self, of: &[usize], millis: u64) {
        let end = self.world.elapsed_ms() + millis;
        while self.world.elapsed_ms() < end {
            self.frames(of);
        }
    }

    fn named_frame(&mut self, index: usize) -> Vec<RtpPacket> {
        let camera = &mut self.cameras[index];
        let packets = camera.frame(true, &[500, 300]);
        packets.into_iter().map(|packet| named(packet, &camera.stream)).collect()
    }

    fn stats(&mut self) -> Vec<RtpStreamStats> {
        match self.world.request(Command::GetProducerStats { producer: self.producer }) {
            Ok(tidegate_protocol::response::Reply::ProducerStats(stats)) => stats.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn table(&mut self) -> BTreeMap<u32, ProducerId> {
        let dump = self.world.transport_dump(self.inbound.id);
        dump.ssrc_table.iter().map(|entry| (entry.ssrc, entry.producer)).collect()
    }

    /// Scores as told since the last time, the newest of each encoding last.
    fn told_scores(&mut self) -> Vec<Vec<StreamScore>> {
        let events = self.world.take_events().into_iter();
        let scores = events.filter_map(|event| match event {
            Event::ProducerScore { scores, .. } => Some(scores.to_vec()),
            _ => None,
        });
        scores.collect()
    }
}

/// With the names of its stream; of a retransmission, those that it has.
fn named(packet: RtpPacket, stream: &Stream) -> RtpPacket {
    let rid_id = if packet.payload_type == stream.rtx_payload_type { RRID_ID } else { RID_ID };
    let name = |id, name: Option<&str>| name.map(|name| (id, name.as_bytes().to_vec()));
    let extensions = [name(MID_ID, stream.mid), name(rid_id, stream.rid)];
    RtpPacket { extensions: extensions.into_iter().flatten().collect(), ..packet }
}

/// The last block about each stream in reports.
fn blocks(heard: &[Rtcp]) -> BTreeMap<u32, Block> {
    let reports = heard.iter().filter_map(|packet| match packet {
        Rtcp::ReceiverReport { blocks, .. } => Some(blocks),
        _ => None,
    });
    reports.flatten().map(|block| (block.ssrc, *block)).collect()
}

#[test]
fn encodings_known_by_rid_have_streams_reports_and_statistics_of_their_own() {
    let mut studio = Studio::of(&encodings("v", 0x1000));
    studio.frames_for(&[0, 1, 2], 400);
    // Once learnt a stream needs no name any more.
    let plain = studio.cameras[1].frame(false, &[200]);
    studio.cameras[1].sends(&mut studio.world, &plain);
    studio.frames_for(&[0, 1, 2], 600);
    let got: Vec<usize> =
        studio.watchers.clone().iter().map(|watcher| watcher.gets(&mut studio.world).len()).collect();
    assert_eq!((got[0], got[2]), (got[1] - 1, got[1] - 1));
    let stats = studio.stats();
    for ((index, stats), ssrc) in stats.iter().enumerate().zip(0x1000..) {
        assert_eq!((stats.ssrc, stats.rid.as_deref()), (ssrc, Some(RIDS[index])));
        assert_eq!((stats.packet_count, stats.packets_lost), (got[index] as u64, 0));
    }
    let heard = studio.cameras[0].hears(&mut studio.world);
    assert_eq!(blocks(&heard).into_keys().collect::<Vec<_>>(), [0x1000, 0x1001, 0x1002]);
}

#[test]
fn encodings_known_by_ssrc_are_told_apart() {
    let announced = [0x10, 0x20, 0x30].map(|ssrc| Stream::vp8(ssrc).with_rtx(ssrc + 1));
    let mut studio = Studio::of(&announced);
    studio.frames_for(&[0, 2], 300);
    let lost = studio.cameras[2].frame(true, &[700]);
    studio.frames_for(&[0, 1, 2], 100);
    assert!(studio.cameras[2].nacked(&mut studio.world).contains(&lost[0].sequence));
    studio.watchers.clone().iter().for_each(|watcher| drop(watcher.gets(&mut studio.world)));
    let again = studio.cameras[2].retransmission(&lost[0]);
    studio.cameras[2].sends(&mut studio.world, &[again]);
    let got: Vec<_> = studio.watchers.clone().iter().map(|w| w.gets(&mut studio.world)).collect();
    assert_eq!((got[0].len(), got[1].len()), (0, 0));
    assert_eq!(got[2][0].payload, lost[0].payload);
    let repaired: Vec<_> = studio.stats().iter().map(|stats| (stats.ssrc, stats.packets_repaired)).collect();
    assert_eq!(repaired, [(0x10, 0), (0x20, 0), (0x30, 1)]);
}

#[test]
fn retransmissions_known_by_repaired_rid_repair_that_encoding() {
    let mut studio = Studio::of(&encodings("v", 0x1000));
    studio.frames_for(&[0, 1, 2], 100);
    let lost = studio.named_frame(1);
    studio.frames_for(&[0, 1, 2], 100);
    studio.watchers.clone().iter().for_each(|watcher| drop(watcher.gets(&mut studio.world)));
    for packet in &lost {
        let again = studio.cameras[1].retransmission(packet);
        let again = named(again, &studio.cameras[1].stream);
        studio.cameras[1].sends(&mut studio.world, &[again]);
    }
    let got: Vec<_> = studio.watchers.clone().iter().map(|w| w.gets(&mut studio.world)).collect();
    assert_eq!([got[0].len(), got[1].len(), got[2].len()], [0, 2, 0]);
    assert_eq!(got[1][0].payload, lost[0].payload);
    let stats = studio.stats();
    let rtx: Vec<_> = stats.iter().map(|stats| (stats.rtx_ssrc, stats.packets_repaired)).collect();
    assert_eq!(rtx, [(None, 0), (Some(0x1101), 2), (None, 0)]);
}

#[test]
fn each_encoding_has_a_score_that_falls_when_it_alone_stops() {
    let mut studio = Studio::of(&encodings("v", 0x1000));
    studio.frames_for(&[0, 1, 2], 2_000);
    studio.told_scores();
    studio.frames_for(&[0, 2], 2_000);
    let told = studio.told_scores();
    assert_eq!(told.len(), 1, "{told:?}");
    let scores: Vec<_> =
        told[0].iter().map(|each| (each.encoding_idx, each.ssrc, each.rid.as_deref(), each.score)).collect();
    let of = |index: u32, score| (index, 0x1000 + index, Some(RIDS[index as usize]), score);
    assert_eq!(scores, [of(0, 10), of(1, 0), of(2, 10)]);
    studio.frames(&[1]);
    assert_eq!(studio.told_scores().concat()[1].score, 10, "back at once");
}

#[test]
fn retransmissions_known_by_mid_alone_do_not_take_the_medias_place() {
    let stream = Stream::vp8(0x10).with_rtx(0x20).with_mid("v").with_extensions(&[(MID, MID_ID)]);
    let mut world = World::new();
    let mut call = Call::of(&mut world, &stream.unannounced());
    let frame = |call: &mut Call| -> Vec<RtpPacket> {
        let packets = call.sender.frame(true, &[400]);
        packets.into_iter().map(|packet| named(packet, &call.sender.stream)).collect()
    };
    // Bandwidth is probed with retransmissions before the first packet of the media itself comes through.
    let early = frame(&mut call);
    let early = named(call.sender.retransmission(&early[0]), &call.sender.stream);
    call.sender.sends(&mut world, &[early]);
    for _ in 0..3 {
        let packets = frame(&mut call);
        call.sender.sends(&mut world, &packets);
    }
    assert_eq!(call.receiver.gets(&mut world).len(), 3);
    let lost = frame(&mut call);
    let packets = frame(&mut call);
    call.sender.sends(&mut world, &packets);
    let again = named(call.sender.retransmission(&lost[0]), &call.sender.stream);
    call.sender.sends(&mut world, &[again]);
    assert_eq!(call.receiver.gets(&mut world).len(), 2);
    let stats = world.producer_stats(call.producer);
    assert_eq!((stats.ssrc, stats.rtx_ssrc, stats.packets_repaired), (0x10, Some(0x20), 1));
    let transport = world.transport_stats(call.inbound.id);
    assert_eq!((transport.rtp_received.packets, transport.rtx_received.packets), (4, 2));
}

#[test]
fn payload_type_that_was_not_agreed_takes_no_place() {
    let stream = Stream::vp8(0x10).with_mid("v").with_extensions(&[(MID, MID_ID)]).unannounced();
    let mut world = World::new();
    let mut call = Call::of(&mut world, &stream);
    let foreign = RtpPacket { payload_type: 50, ssrc: 0x99, payload: vec![1; 9], ..RtpPacket::default() };
    call.sender.sends(&mut world, &[named(foreign, &stream)]);
    let packets: Vec<_> =
        call.sender.frame(true, &[400]).into_iter().map(|packet| named(packet, &stream)).collect();
    call.sender.sends(&mut world, &packets);
    assert_eq!(call.receiver.gets(&mut world).len(), 1);
    assert_eq!(world.transport_stats(call.inbound.id).dropped.unknown_ssrc, 1);
}

#[test]
fn two_producers_may_have_the_same_rids_under_different_mids() {
    let mut studio = Studio::of(&encodings("a", 0x1000));
    let other = encodings("b", 0x2000);
    let second = studio.world.produce_simulcast(studio.inbound.id, &other);
    studio.frames(&[0, 1, 2]);
    for stream in &other {
        let mut camera = Sender::new(address(1, 4_000), studio.inbound.rtp, stream.clone());
        let packets: Vec<_> = camera.frame(true, &[200]).into_iter().map(|p| named(p, stream)).collect();
        camera.sends(&mut studio.world, &packets);
    }
    let first = studio.producer;
    let expected = (0..3).flat_map(|index| [(0x1000 + index, first), (0x2000 + index, second)]);
    assert_eq!(studio.table(), expected.collect());
    assert_eq!(studio.world.producer_stats(second).ssrc, 0x2000);
}

#[test]
fn rid_that_two_producers_have_names_neither_until_one_of_them_is_closed() {
    let mut studio = Studio::of(&encodings("a", 0x1000));
    let second = studio.world.produce_simulcast(studio.inbound.id, &encodings("b", 0x2000));
    let without_mid = |studio: &mut Studio| {
        let mut packets = studio.cameras[0].frame(true, &[200]);
        packets[0].extensions = vec![(RID_ID, RIDS[0].as_bytes().to_vec())];
        studio.cameras[0].sends(&mut studio.world, &packets);
    };
    without_mid(&mut studio);
    assert_eq!(studio.table(), BTreeMap::new());
    let first = studio.producer;
    studio.world.done(Command::CloseProducer { producer: first });
    without_mid(&mut studio);
    assert_eq!(studio.table(), BTreeMap::from([(0x1000, second)]));
}

#[test]
fn rid_alone_names_the_producer_that_has_no_mid() {
    let nameless: Vec<Stream> =
        encodings("", 0x2000).into_iter().map(|stream| Stream { mid: None, ..stream }).collect();
    let mut studio = Studio::of(&nameless);
    let second = studio.world.produce_simulcast(studio.inbound.id, &encodings("a", 0x1000));
    studio.frames(&[2]);
    assert_eq!(studio.table(), BTreeMap::from([(0x2002, studio.producer)]));
    assert_ne!(second, studio.producer);
    let third = ProducerId(studio.world.new_id());
    let refused = studio.world.refusal(produce_simulcast(studio.inbound.id, third, &nameless));
    assert_eq!(refused, ErrorKind::Duplicate, "which of two without a MID?");
}

#[test]
fn sender_that_begins_anew_under_another_ssrc_takes_the_place_of_the_silent_one() {
    let mut studio = Studio::of(&encodings("v", 0x1000));
    studio.frames_for(&[0, 1, 2], 1_000);
    let lost = studio.named_frame(2);
    studio.frames_for(&[0, 1, 2], 50);
    let again = studio.cameras[2].retransmission(&lost[0]);
    let again = named(again, &studio.cameras[2].stream);
    studio.cameras[2].sends(&mut studio.world, &[again]);
    let before = studio.watchers[2].gets_numbers(&mut studio.world).into_iter().max().unwrap();
    studio.cameras[2].hears(&mut studio.world);
    let old = studio.cameras[2].clone();

    (studio.cameras[2].stream.ssrc, studio.cameras[2].stream.rtx_ssrc) = (0x7777, Some(0x8888));
    studio.cameras[2].sequence = 40_000;
    studio.cameras[2].timestamp = 5;
    studio.frames_for(&[0, 1, 2], 1_400);
    assert_eq!(studio.watchers[2].gets(&mut studio.world), [], "the first one may come back");
    studio.told_scores();
    studio.frames_for(&[0, 1, 2], 600);
    let got = studio.watchers[2].gets(&mut studio.world);
    assert!(got.len() > 10);
    assert_eq!(got[0].sequence, before.wrapping_add(1), "without a seam");
    assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    let scores = studio.told_scores();
    assert_eq!(scores.last().unwrap()[2].ssrc, 0x7777);
    assert_eq!(scores.last().unwrap()[2].score, 10);
    assert!(!studio.table().contains_key(&0x1002) && !studio.table().contains_key(&0x1102));

    studio.frames_for(&[0, 1, 2], 1_500);
    let heard = studio.cameras[2].hears(&mut studio.world);
    let block = blocks(&heard)[&0x7777];
    assert_eq!((block.cumulative_lost, block.extended_highest >> 16), (0, 0), "{block:?}");
    assert!(block.extended_highest > 40_000);

    // Its retransmissions have another SSRC, too.
    let lost = studio.named_frame(2);
    studio.frames_for(&[0, 1, 2], 50);
    studio.watchers[2].gets(&mut studio.world);
    let again = studio.cameras[2].retransmission(&lost[0]);
    let again = named(again, &studio.cameras[2].stream);
    studio.cameras[2].sends(&mut studio.world, &[again]);
    assert_eq!(studio.watchers[2].gets(&mut studio.world)[0].payload, lost[0].payload);
    let stats = &studio.stats()[2];
    assert_eq!((stats.ssrc, stats.rtx_ssrc), (0x7777, Some(0x8888)));

    // What is left of the old one disturbs nobody.
    let mut old = old;
    let late: Vec<_> = old.frame(true, &[100]).into_iter().map(|p| named(p, &old.stream)).collect();
    old.sends(&mut studio.world, &late);
    assert_eq!(studio.watchers[2].gets(&mut studio.world), []);
}

#[test]
fn announced_ssrc_is_not_replaced_by_one_that_only_has_its_names() {
    let stream = Stream::vp8(0x10).with_mid("v").with_extensions(&[(MID, MID_ID)]);
    let mut world = World::new();
    let mut call = Call::of(&mut world, &stream);
    call.sender.sends_key_frame(&mut world);
    world.run_for(5_000);
    call.receiver.gets(&mut world);
    let mut other = call.sender.clone();
    other.stream.ssrc = 0x99;
    let packets: Vec<_> = other.frame(true, &[400]).into_iter().map(|p| named(p, &stream)).collect();
    other.sends(&mut world, &packets);
    assert_eq!(call.receiver.gets(&mut world), []);
    call.sender.sends_key_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world).len(), 3);
}

#[test]
fn ten_thousand_ssrcs_under_one_name_take_its_place_in_turn_and_no_more_than_that() {
    let mut studio = Studio::of(&encodings("v", 0x1000));
    let mut camera = studio.cameras[0].clone();
    for ssrc in 0..10_000 {
        camera.stream.ssrc = 0x10_0000 + ssrc;
        let packets: Vec<_> =
            camera.frame(true, &[100]).into_iter().map(|p| named(p, &camera.stream)).collect();
        camera.sends(&mut studio.world, &packets);
        if ssrc % 1_000 == 999 {
            studio.world.run_for(2_000);
        }
    }
    assert_eq!(studio.table().len(), 1);
    assert_eq!(studio.stats()[0].packet_count, 10, "one each time that the one before was silent");
}
