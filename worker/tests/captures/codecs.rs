//! VP9, H.264 and AV1 of real senders, and what their dependency descriptors say of the same packets.

use std::collections::BTreeSet;

use tidegate_worker::base::sequence::{Serial8, Serial15};
use tidegate_worker::rtp::ExtensionId;
use tidegate_worker::rtp::dependency_descriptor::{
    Change, Descriptor, Indication, Layers, Structure, starts_key_frame, write,
};
use tidegate_worker::rtp::payload::{PictureId, av1, h264, vp9};

use super::{Header, assert_no_sequence_jumps, payload, streams};

type Packets = Vec<(Header, Vec<u8>)>;

/// A stream of a capture, in which no packet is missing.
fn stream(name: &str, ssrc: u32, payload_type: u8) -> Packets {
    let packets = streams(name).remove(&(ssrc, payload_type)).unwrap();
    assert_no_sequence_jumps(&packets);
    packets
}

fn markers(packets: &Packets) -> usize {
    packets.iter().filter(|(header, _)| header.marker).count()
}

fn chromium_vp9() -> Packets {
    stream("chromium-vp9-ksvc-l3t3key-dd.pcap", 0x3BCB_2692, 98)
}

fn chromium_av1() -> Packets {
    stream("chromium-av1-l3t3-dd.pcap", 0x46F6_32F0, 45)
}

fn vp9_descriptors(packets: &Packets) -> Vec<vp9::Descriptor> {
    packets.iter().map(|packet| vp9::Descriptor::parse(payload(packet)).unwrap()).collect()
}

/// Key frames and pictures of a VP9 stream; fails when picture ids do not follow one another, when a packet that ends a
/// picture is not the one with the marker, or when descriptor and frame do not fit.
fn key_frames_and_pictures(packets: &Packets) -> (usize, usize) {
    let descriptors = vp9_descriptors(packets);
    let mut pictures: Vec<Serial15> = Vec::new();
    for (descriptor, (header, packet)) in descriptors.iter().zip(packets) {
        let Some(PictureId::Long(id)) = descriptor.picture_id else { panic!("15 bits: {descriptor:?}") };
        if pictures.last() != Some(&id) {
            assert!(descriptor.start, "a picture begins with the beginning of a frame");
            pictures.push(id);
        }
        assert!(descriptor.end || !header.marker, "a picture ends with the end of a frame");
        assert!(
            !descriptor.start || vp9_frame_begins(&header.payload(packet)[descriptor.header_len.into()..])
        );
    }
    assert!(pictures.windows(2).all(|pair| pair[1] == pair[0].next()), "a picture is missing");
    (descriptors.iter().filter(|descriptor| descriptor.key_frame).count(), pictures.len())
}

/// The frame marker (VP9 bitstream specification 6.2) shows that the descriptor's length is right.
fn vp9_frame_begins(frame: &[u8]) -> bool {
    frame[0] >> 6 == 2
}

#[test]
fn vp9_key_frames_and_picture_ids_are_found() {
    // GStreamer's encoder makes a key frame every 60 pictures, of 240.
    let gstreamer = stream("gst-vp9-pid15.pcap", 0x01FC_A056, 103);
    assert_eq!((key_frames_and_pictures(&gstreamer), markers(&gstreamer)), ((4, 240), 240));
    let sizes: Vec<_> = gstreamer
        .iter()
        .filter_map(|packet| Some((vp9::Descriptor::parse(payload(packet))?.structure?, payload(packet))))
        .map(|(structure, payload)| structure.sizes(payload).collect::<Vec<_>>())
        .collect();
    assert_eq!(sizes, vec![vec![(320, 240)]; 4], "each key frame brings the size");
    let chromium = chromium_vp9();
    assert_eq!((key_frames_and_pictures(&chromium), markers(&chromium)), ((2, 159), 159));
}

#[test]
fn ffmpegs_vp9_key_frames_are_found_though_it_never_sets_p() {
    let packets = stream("ffmpeg-vp9.pcap", 0x01FC_A055, 103);
    let descriptors = vp9_descriptors(&packets);
    assert!(
        descriptors.iter().all(|descriptor| !descriptor.inter_picture && descriptor.picture_id.is_none())
    );
    let key_frames = descriptors.iter().filter(|descriptor| descriptor.key_frame).count();
    let starts = descriptors.iter().filter(|descriptor| descriptor.start).count();
    assert_eq!((key_frames, starts, markers(&packets)), (5, 300, 300), "one of 60 frames is a key frame");
}

#[test]
fn vp9_layers_of_chromium_are_those_that_its_bandwidth_allowed() {
    let packets = chromium_vp9();
    let descriptors = vp9_descriptors(&packets);
    let layers = |of: fn(vp9::Layers) -> u8| -> BTreeSet<u8> {
        descriptors.iter().filter_map(|descriptor| descriptor.layers).map(of).collect()
    };
    assert_eq!(layers(|layers| layers.spatial), [0, 1].into(), "the third was never sent");
    assert_eq!(layers(|layers| layers.temporal), [0, 1, 2].into());
    let key = |index: usize| {
        let descriptor = descriptors.iter().filter(|descriptor| descriptor.key_frame).nth(index).unwrap();
        let at = descriptors.iter().position(|other| other == descriptor).unwrap();
        descriptor.structure.unwrap().sizes(payload(&packets[at])).collect::<Vec<_>>()
    };
    assert_eq!(key(0), [(320, 180)], "bandwidth is not known yet");
    assert_eq!(key(1), [(320, 180), (640, 360)]);
    for descriptor in &descriptors {
        let layers = descriptor.layers.unwrap();
        let below = layers.inter_layer && !descriptor.inter_picture;
        assert!(!below || layers.spatial > 0, "K-SVC: layers are tied by key pictures");
        assert!(descriptor.flexible && descriptor.tl0_picture_index.is_none());
        assert_eq!(descriptor.inter_picture, descriptor.reference_distances[0] > 0);
    }
}

/// A packet's dependency descriptor, read with the structure that was the stream's then.
struct Described {
    value: Vec<u8>,
    structure: Structure,
    descriptor: Descriptor,
}

impl Described {
    fn layers(&self) -> Layers {
        self.descriptor.frame.unwrap().layers
    }
}

/// The descriptors of a stream, whose numbers must rise by one from frame to frame, with start and end where they belong.
fn described(packets: &Packets) -> Vec<Described> {
    let id = ExtensionId::new(13).unwrap();
    let mut structure = None;
    let mut all: Vec<Described> = Vec::new();
    for (header, packet) in packets {
        let value = header.extensions.get(id, packet).unwrap().to_vec();
        structure = Structure::attached(&value).or(structure);
        let descriptor = Descriptor::parse(&value, structure.as_ref()).unwrap();
        assert_eq!(descriptor.key_frame, starts_key_frame(&value));
        all.push(Described { value, structure: structure.unwrap(), descriptor });
    }
    all
}

fn assert_frame_numbers_follow(described: &[Described]) {
    for pair in described.windows(2) {
        let [before, after] = [&pair[0].descriptor, &pair[1].descriptor];
        assert_eq!(before.end_of_frame, after.start_of_frame);
        let expected = if after.start_of_frame { before.frame_number.next() } else { before.frame_number };
        assert_eq!(after.frame_number, expected);
        assert!(after.start_of_frame || pair[0].layers() == pair[1].layers());
    }
}

/// Every value written anew is the same; with another number and bitmask it reads so, and otherwise alike.
fn assert_rewritten(described: &[Described]) {
    let mut out = [0; 255];
    for Described { value, structure, descriptor } in described {
        let mut change = Change { frame_number: descriptor.frame_number, active_decode_targets: None };
        let len = write(value, structure, change, &mut out).unwrap();
        assert_eq!(out[..len], value[..]);
        change = Change { frame_number: change.frame_number.next(), active_decode_targets: Some(1) };
        let len = write(value, structure, change, &mut out).unwrap();
        let copy = Descriptor::parse(&out[..len], Some(structure)).unwrap();
        let (frame, was) = (copy.frame.unwrap(), descriptor.frame.unwrap());
        assert_eq!((copy.frame_number, frame.active_decode_targets), (change.frame_number, Some(1)));
        assert_eq!((copy.template_id, frame.layers), (descriptor.template_id, was.layers));
        assert!(frame.indications(&out[..len], structure).eq(was.indications(value, structure)));
        assert!(frame.references(&out[..len], structure).eq(was.references(value, structure)));
        assert!(frame.chains(&out[..len], structure).eq(was.chains(value, structure)));
    }
}

/// What every frame must be, whatever its codec: it belongs to the decode targets of its own layers only, and refers to
/// frames before it.
fn assert_frames_make_sense(described: &[Described]) {
    for Described { value, structure, descriptor } in described {
        let frame = descriptor.frame.unwrap();
        for (target, indication) in (0..).zip(frame.indications(value, structure)) {
            let highest = structure.target_layers(target);
            let within = frame.layers.spatial <= highest.spatial && frame.layers.temporal <= highest.temporal;
            assert!(within || indication == Indication::NotPresent);
        }
        assert_eq!(frame.indications(value, structure).count(), usize::from(structure.decode_targets()));
        assert_eq!(frame.chains(value, structure).count(), usize::from(structure.chains()));
        let independent = frame.references(value, structure).count() == 0;
        assert!(independent || !descriptor.key_frame, "a key frame refers to nothing");
    }
}

#[test]
fn dependency_descriptor_agrees_with_vp9s_own_packet_by_packet() {
    let packets = chromium_vp9();
    let described = described(&packets);
    for (described, own) in described.iter().zip(vp9_descriptors(&packets)) {
        let (descriptor, layers) = (&described.descriptor, own.layers.unwrap());
        assert_eq!((descriptor.start_of_frame, descriptor.end_of_frame), (own.start, own.end));
        assert_eq!(described.layers(), Layers { spatial: layers.spatial, temporal: layers.temporal });
        assert_eq!(descriptor.key_frame, own.key_frame);
    }
    // Of nine decode targets, by three for a spatial layer: one layer first, then two.
    let active = described.iter().filter_map(|one| one.descriptor.frame.unwrap().active_decode_targets);
    let mut active: Vec<u32> = active.collect();
    active.dedup();
    assert_eq!(active, [0b111, 0b11_1111]);
    assert_frame_numbers_follow(&described);
    assert_frames_make_sense(&described);
    assert_rewritten(&described);
}

#[test]
fn structures_of_chromium_have_three_by_three_layers() {
    for packets in [chromium_vp9(), chromium_av1()] {
        for Described { structure, .. } in described(&packets) {
            assert_eq!((structure.decode_targets(), structure.chains()), (9, 3));
            let targets: Vec<_> = (0..9).map(|target| structure.target_layers(target)).collect();
            let layers = |target: u8| Layers { spatial: target / 3, temporal: target % 3 };
            assert_eq!(targets, (0..9).map(layers).collect::<Vec<_>>());
            let chains: Vec<_> = (0..9).map(|target| structure.protecting_chain(target)).collect();
            assert_eq!(chains, [0, 0, 0, 1, 1, 1, 2, 2, 2].map(Some));
            assert_eq!(structure.targets_within(Layers { spatial: 1, temporal: 0 }), 0b00_1001);
            assert_eq!(structure.sizes().collect::<Vec<_>>(), [(320, 180), (640, 360), (1_280, 720)]);
        }
    }
}

#[test]
fn dependency_descriptor_agrees_with_av1s_own_headers_packet_by_packet() {
    let packets = chromium_av1();
    let described = described(&packets);
    let (mut agreed, mut key_frames) = (0, 0);
    for (described, packet) in described.iter().zip(&packets) {
        let own = av1::Descriptor::parse(payload(packet)).unwrap();
        assert_eq!(described.descriptor.key_frame, own.key_frame);
        assert!(!own.continues || !described.descriptor.start_of_frame);
        assert!(!own.continued || !described.descriptor.end_of_frame);
        key_frames += usize::from(own.key_frame);
        if let Some(layers) = own.layers {
            assert_eq!(described.layers(), Layers { spatial: layers.spatial, temporal: layers.temporal });
            agreed += 1;
        }
    }
    let seen = |of: fn(Layers) -> u8| described.iter().map(|one| of(one.layers())).collect::<BTreeSet<u8>>();
    assert_eq!(seen(|layers| layers.spatial), [0, 1, 2].into());
    assert_eq!(seen(|layers| layers.temporal), [0, 1, 2].into());
    let continuing = packets.iter().filter(|packet| payload(packet)[0] & 0x80 != 0).count();
    // The key frame's first OBU is the sequence header, which has no layers.
    assert_eq!((key_frames, agreed + continuing + 1), (1, packets.len()));
    assert_frame_numbers_follow(&described);
    assert_frames_make_sense(&described);
    assert_rewritten(&described);
}

fn h264_descriptors(packets: &Packets) -> Vec<h264::Descriptor> {
    packets.iter().map(|packet| h264::Descriptor::parse(payload(packet)).unwrap()).collect()
}

/// Key frames, beginnings of IDR pictures, and frames by marker.
fn h264_counts(packets: &Packets) -> (usize, usize, usize) {
    let read = h264_descriptors(packets);
    let count = |of: fn(&h264::Descriptor) -> bool| read.iter().filter(|descriptor| of(descriptor)).count();
    (count(|read| read.key_frame), count(|read| read.idr_start), markers(packets))
}

#[test]
fn h264_key_frames_are_found() {
    let ffmpeg = stream("ffmpeg-h264.pcap", 0x0153_158E, 102);
    assert_eq!(h264_counts(&ffmpeg), (5, 5, 300), "one of 60 frames is a key frame");
    let packings = |packing| h264_descriptors(&ffmpeg).iter().filter(|read| read.packing == packing).count();
    assert_eq!(
        [h264::Packing::Aggregate, h264::Packing::Fragment, h264::Packing::Single].map(packings),
        [300, 15, 2]
    );
    let chromium = stream("chromium-h264.pcap", 0x1E76_ED62, 102);
    assert_eq!(h264_counts(&chromium), (1, 1, 146));
}

#[test]
fn dependency_descriptor_agrees_with_h264_about_key_frames() {
    for (ssrc, key_frames) in [(0x109F_BCC8, 11), (0xBC29_A7EB, 12), (0xC683_014E, 11)] {
        let packets = stream("chromium-h264-simulcast3.pcap", ssrc, 102);
        let described = described(&packets);
        for (described, own) in described.iter().zip(h264_descriptors(&packets)) {
            assert_eq!(described.descriptor.key_frame, own.key_frame);
            assert_eq!(described.layers(), Layers::default());
        }
        let (keys, idrs, frames) = h264_counts(&packets);
        assert_eq!((keys, idrs, frames), (key_frames, key_frames, 150));
        assert_rewritten(&described);
    }
}

#[test]
fn vp9_rewritten_with_its_own_numbers_is_the_same_and_with_others_differs_only_there() {
    for packets in [chromium_vp9(), stream("gst-vp9-pid15.pcap", 0x01FC_A056, 103)] {
        for packet in &packets {
            let (original, mut copy) = (payload(packet), payload(packet).to_vec());
            let descriptor = vp9::Descriptor::parse(original).unwrap();
            let Some(PictureId::Long(id)) = descriptor.picture_id else { panic!("15 bits") };
            assert!(vp9::rewrite(&mut copy, &descriptor, id, Serial8::new(1)));
            assert_eq!(copy, original, "flexible mode, or no layers: there is no base layer index");
            assert!(vp9::rewrite(&mut copy, &descriptor, Serial15::new(!id.wire()), Serial8::new(1)));
            assert_eq!((copy[1] & 0x80, copy[1] ^ original[1], copy[2] ^ original[2]), (0x80, 0x7F, 0xFF));
            assert_eq!((copy[0], &copy[3..]), (original[0], &original[3..]));
        }
    }
}
