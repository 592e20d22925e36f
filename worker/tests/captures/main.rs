//! Real senders' packets through the wire code: what libwebrtc, ffmpeg and GStreamer sent is parsed, written anew from
//! the parsed values, and must be the same bytes. The expected counts are those of the captures themselves.

#![expect(clippy::tests_outside_test_module, reason = "a file of tests/ is a test module as a whole")]

mod codecs;

use std::collections::BTreeMap;
use std::path::Path;

use tidegate_worker::base::sequence::Serial16;
use tidegate_worker::rtcp::{self, CompoundWriter, Packet, XrBlock};
use tidegate_worker::rtp::payload::{opus, vp8};
use tidegate_worker::rtp::{
    DatagramKind, ExtensionId, ExtensionValues, Header, Outgoing, packet_len, rtx, write_packet,
};

/// UDP payloads of a classic little-endian pcap file with Ethernet frames and IPv4, in order.
fn datagrams(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/captures").join(name);
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(file[..4], [0xD4, 0xC3, 0xB2, 0xA1], "{name}: not a little-endian pcap");
    assert_eq!(file[20..24], [1, 0, 0, 0], "{name}: not Ethernet");
    let mut rest = &file[24..];
    let mut found = Vec::new();
    while let Some((record, after)) = rest.split_first_chunk::<16>() {
        let bytes = u32::from_le_bytes(record[8..12].try_into().unwrap());
        let (frame, after) = after.split_at(usize::try_from(bytes).unwrap());
        rest = after;
        found.extend(udp_payload(frame).map(<[u8]>::to_vec));
    }
    found
}

fn udp_payload(frame: &[u8]) -> Option<&[u8]> {
    const ETHERNET_BYTES: usize = 14;
    let ip = frame.get(ETHERNET_BYTES..).filter(|_| frame[12..14] == [0x08, 0x00])?;
    let udp = ip.get(4 * usize::from(ip[0] & 0x0F)..).filter(|_| ip[9] == 17)?;
    udp.get(8..)
}

/// RTP packets, with their headers, by SSRC and payload type.
type Streams = BTreeMap<(u32, u8), Vec<(Header, Vec<u8>)>>;

/// The streams of a capture; each packet is also written anew and compared.
fn streams(name: &str) -> Streams {
    let mut streams = Streams::new();
    for packet in datagrams(name).into_iter().filter(|packet| DatagramKind::of(packet) == DatagramKind::Rtp) {
        let header = Header::parse(&packet).unwrap();
        assert_same_when_written(&header, &packet);
        streams.entry((header.ssrc, header.payload_type)).or_default().push((header, packet));
    }
    streams
}

fn outgoing<'p>(header: &Header, packet: &'p [u8]) -> Outgoing<'p> {
    Outgoing {
        marker: header.marker,
        payload_type: header.payload_type,
        sequence: header.sequence,
        timestamp: header.timestamp.wire(),
        ssrc: header.ssrc,
        csrcs: header.csrcs(packet),
        rtx_osn: None,
        payload: header.payload(packet),
        padding: header.padding,
    }
}

fn extension_values<'p>(header: &Header, packet: &'p [u8]) -> ExtensionValues<'p> {
    let mut values = ExtensionValues::new();
    for (id, value) in header.extensions.iter(packet) {
        values.push(id, value).unwrap();
    }
    values
}

fn assert_same_when_written(header: &Header, packet: &[u8]) {
    let (outgoing, values) = (outgoing(header, packet), extension_values(header, packet));
    let mut copy = vec![0xEE; packet_len(&outgoing, &values)];
    assert_eq!(write_packet(&mut copy, &outgoing, &values), Ok(packet.len()));
    assert_eq!(copy, packet);
}

fn counts(name: &str) -> Vec<(u32, u8, usize)> {
    streams(name)
        .into_iter()
        .map(|((ssrc, payload_type), packets)| (ssrc, payload_type, packets.len()))
        .collect()
}

fn assert_no_sequence_jumps(packets: &[(Header, Vec<u8>)]) {
    for pair in packets.windows(2) {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.next());
    }
}

fn payload((header, packet): &(Header, Vec<u8>)) -> &[u8] {
    header.payload(packet)
}

/// Key frames and pictures of a VP8 stream; fails when picture ids do not follow one another.
fn key_frames_and_pictures(packets: &[(Header, Vec<u8>)]) -> (usize, usize) {
    let (mut key_frames, mut pictures) = (0, Vec::new());
    for (header, packet) in packets {
        let descriptor = vp8::Descriptor::parse(header.payload(packet)).unwrap();
        key_frames += usize::from(descriptor.key_frame);
        let Some(vp8::PictureId::Long(id)) = descriptor.picture_id else {
            panic!("all of these senders use 15-bit picture ids: {descriptor:?}");
        };
        if pictures.last() != Some(&id) {
            pictures.push(id);
        }
    }
    for pair in pictures.windows(2) {
        assert_eq!(pair[1], pair[0].next(), "a picture is missing");
    }
    (key_frames, pictures.len())
}

#[test]
fn packet_counts_per_stream_are_those_of_the_captures() {
    assert_eq!(
        counts("chromium-vp8-opus.pcap"),
        [(0x1FB4_4217, 97, 14), (0xB80A_7DBE, 111, 400), (0xFF46_B5CA, 96, 241)]
    );
    assert_eq!(counts("ffmpeg-vp8.pcap"), [(0x00A9_8AC7, 101, 309)]);
    assert_eq!(counts("ffmpeg-opus.pcap"), [(0x03F9_40AA, 100, 487)]);
    assert_eq!(counts("gst-vp8-pid15.pcap"), [(0x00A9_8AC8, 101, 240)]);
    assert_eq!(counts("gst-vp9-pid15.pcap"), [(0x01FC_A056, 103, 240)]);
    assert_eq!(counts("ffmpeg-vp9.pcap"), [(0x01FC_A055, 103, 370)]);
    assert_eq!(counts("ffmpeg-h264.pcap"), [(0x0153_158E, 102, 317)]);
    assert_eq!(counts("chromium-h264.pcap"), [(0x1E76_ED62, 102, 148), (0x5DF1_80C2, 103, 13)]);
    assert_eq!(
        counts("chromium-h264-simulcast3.pcap"),
        [
            (0x109F_BCC8, 102, 193),
            (0x24D9_14C5, 103, 1),
            (0x27FB_1627, 103, 9),
            (0xBC29_A7EB, 102, 173),
            (0xC683_014E, 102, 150),
        ]
    );
    assert_eq!(counts("chromium-vp9-ksvc-l3t3key-dd.pcap"), [(0x3BCB_2692, 98, 353), (0x8EC3_10FE, 99, 405)]);
    assert_eq!(counts("chromium-av1-l3t3-dd.pcap"), [(0x284B_DA40, 46, 47), (0x46F6_32F0, 45, 612)]);
}

#[test]
fn vp8_key_frames_and_picture_ids_are_found() {
    for (name, stream, key_frames, pictures) in [
        ("chromium-vp8-opus.pcap", (0xFF46_B5CA, 96), 1, 240),
        ("ffmpeg-vp8.pcap", (0x00A9_8AC7, 101), 5, 296),
        ("gst-vp8-pid15.pcap", (0x00A9_8AC8, 101), 4, 240),
    ] {
        let packets = &streams(name)[&stream];
        assert_no_sequence_jumps(packets);
        assert_eq!(key_frames_and_pictures(packets), (key_frames, pictures), "{name}");
    }
}

#[test]
fn opus_speech_is_no_silence() {
    for (name, stream) in
        [("chromium-vp8-opus.pcap", (0xB80A_7DBE, 111)), ("ffmpeg-opus.pcap", (0x03F9_40AA, 100))]
    {
        let packets = &streams(name)[&stream];
        assert_no_sequence_jumps(packets);
        assert!(packets.iter().all(|(header, packet)| !opus::is_dtx(header.payload(packet))), "{name}");
    }
}

#[test]
fn extension_counts_are_those_of_the_capture() {
    let streams = streams("chromium-vp8-opus.pcap");
    let with = |stream, id| {
        let id = ExtensionId::new(id).unwrap();
        streams[&stream].iter().filter(|(header, packet)| header.extensions.get(id, packet).is_some()).count()
    };
    let (audio, video) = ((0xB80A_7DBE, 111), (0xFF46_B5CA, 96));
    assert_eq!([2, 4, 9, 14].map(|id| with(audio, id)), [400, 400, 123, 400]);
    assert_eq!([2, 4, 9, 8, 3, 7, 10].map(|id| with(video, id)), [241, 241, 15, 1, 1, 39, 0]);
}

#[test]
fn libwebrtc_rtx_gives_back_packets_of_the_stream_it_repairs() {
    let streams = streams("chromium-vp8-opus.pcap");
    let originals = &streams[&(0xFF46_B5CA, 96)];
    let (mut repaired, mut probes) = (0, 0);
    for (header, packet) in &streams[&(0x1FB4_4217, 97)] {
        let (mut header, mut packet) = (header.clone(), packet.clone());
        match rtx::unwrap(&mut packet, &mut header, 0xFF46_B5CA, 96) {
            Ok(len) => {
                let original = originals.iter().find(|(other, _)| other.sequence == header.sequence).unwrap();
                assert_eq!(header.payload(&packet[..len]), original.0.payload(&original.1));
                assert_eq!(header.timestamp, original.0.timestamp);
                repaired += 1;
            }
            Err(rtx::RtxError::NoSequence) => probes += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((repaired, probes), (3, 11), "a bandwidth probe of padding only has no original packet");
}

/// Writes what was parsed; `None` when the compound has something that the worker never writes.
fn written_again(compound: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; rtcp::COMPOUND_BYTES_MAX];
    let mut writer = CompoundWriter::new(&mut buffer);
    for packet in rtcp::packets(compound) {
        match packet.unwrap() {
            Packet::SenderReport(report) => {
                writer
                    .sender_report(report.ssrc, &report.info, &report.blocks().collect::<Vec<_>>())
                    .unwrap();
            }
            Packet::ReceiverReport(report) => {
                writer.receiver_report(report.ssrc, &report.blocks().collect::<Vec<_>>()).unwrap();
            }
            Packet::Sdes(sdes) => {
                for (ssrc, cname) in sdes.cnames() {
                    writer.cname(ssrc, cname).unwrap();
                }
            }
            Packet::Xr(xr) => match &xr.blocks().collect::<Vec<_>>()[..] {
                [XrBlock::Rrtr(time)] => writer.receiver_reference_time(xr.ssrc, time.ntp).unwrap(),
                [XrBlock::Dlrr(dlrr)] => writer.dlrr(xr.ssrc, &dlrr.reports().collect::<Vec<_>>()).unwrap(),
                _ => return None,
            },
            Packet::Nack(nack) => {
                let sequences = nack.sequences().collect::<Vec<Serial16>>();
                assert_eq!(writer.nack(nack.sender_ssrc, nack.media_ssrc, &sequences), Ok(sequences.len()));
            }
            Packet::Pli(pli) => writer.pli(pli.sender_ssrc, pli.media_ssrc).unwrap(),
            // Libwebrtc fills the last word of feedback as padding: see the next test.
            Packet::WideFeedback(_) | Packet::Remb(_) => return None,
            Packet::Bye(_) | Packet::Fir(_) | Packet::Unknown(_) => return None,
        }
    }
    Some(writer.bytes().to_vec())
}

#[test]
fn rtcp_of_real_senders_is_written_back_byte_for_byte() {
    for (name, kinds_expected, same_expected) in [
        ("chromium-vp8-opus.pcap", [10, 11, 10, 20, 128], 21),
        ("ffmpeg-vp8.pcap", [2, 0, 0, 0, 0], 2),
        ("ffmpeg-opus.pcap", [2, 0, 0, 0, 0], 2),
    ] {
        let (mut kinds, mut same) = ([0; 5], 0);
        for compound in datagrams(name).iter().filter(|bytes| DatagramKind::of(bytes) == DatagramKind::Rtcp) {
            for packet in rtcp::packets(compound) {
                let kind = match packet.unwrap() {
                    Packet::SenderReport(_) => 0,
                    Packet::ReceiverReport(_) => 1,
                    Packet::Sdes(_) => 2,
                    Packet::Xr(_) => 3,
                    Packet::WideFeedback(_) => 4,
                    other => panic!("{name}: {other:?}"),
                };
                kinds[kind] += 1;
            }
            if let Some(copy) = written_again(compound) {
                assert_eq!(copy, *compound, "{name}");
                same += 1;
            }
        }
        assert_eq!(
            (kinds, same),
            (kinds_expected, same_expected),
            "{name}: SR, RR, SDES, XR, transport-wide feedback"
        );
    }
}

#[test]
fn feedback_of_libwebrtc_says_the_same_in_our_words_and_no_more_bytes() {
    let (mut counts, mut told) = (Vec::new(), 0);
    for compound in datagrams("chromium-vp8-opus.pcap").iter().filter(|bytes| bytes.get(1) == Some(&205)) {
        let Some(Ok(Packet::WideFeedback(theirs))) = rtcp::packets(compound).next() else { continue };
        let received: Vec<_> = theirs.received().collect();
        let mut arrivals = vec![None; theirs.status_count.into()];
        for (number, tick) in &received {
            arrivals[usize::try_from(number.distance_from(theirs.head.base)).unwrap()] = Some(*tick);
        }
        let mut buffer = [0; rtcp::COMPOUND_BYTES_MAX];
        let mut writer = CompoundWriter::new(&mut buffer);
        assert_eq!(writer.wide_feedback(&theirs.head, arrivals.into_iter()), Ok(theirs.status_count));
        assert!(writer.len() <= compound.len());
        let Some(Ok(Packet::WideFeedback(ours))) = rtcp::packets(writer.bytes()).next() else { panic!() };
        assert_eq!(ours.received().collect::<Vec<_>>(), received);
        counts.push(theirs.head.count);
        told += received.len();
    }
    assert!(counts.len() > 100 && told > 500, "{} packets of {told} arrivals", counts.len());
    let in_order = |pair: &[u8]| pair[1] == pair[0].wrapping_add(1);
    assert!(counts.windows(2).filter(|pair| in_order(pair)).count() + 4 > counts.len(), "{counts:?}");
}
