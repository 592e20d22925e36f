//! RTP packets: what the worker reads is what two readers of our own read, and what it writes it reads again.
//!
//! Knows the public face of `tidegate_worker::rtp`. Called through [`super::ALL`].
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::base::sequence::Serial16;
use tidegate_worker::rtp::extensions::ExtensionForm;
use tidegate_worker::rtp::rtx::{self, RtxError};
use tidegate_worker::rtp::write::{EXTENSION_VALUES_MAX, ExtensionValueError};
use tidegate_worker::rtp::{
    DatagramKind, ExtensionId, ExtensionValues, Header, HeaderError, NoRoom, Outgoing, header_len,
    packet_len, write_packet,
};

use super::rtp_expected::{Form, Layout, layout};
use crate::fuzz::Dice;
use crate::world::rtp::RtpPacket;

/// `Header::parse`: takes exactly what RFC 3550 allows, finds every part where it is, agrees with the strict reader of
/// the bed on well-formed packets, and a packet written from what was read means the same.
pub fn rtp_header(data: &[u8]) {
    assert_kind(data);
    let parsed = Header::parse(data);
    let Some(layout) = layout(data) else {
        return assert_refused(parsed, data);
    };
    let header = parsed.unwrap_or_else(|error| panic!("a good packet was refused: {error}"));
    assert_header(&header, &layout, data);
    if let Ok(strict) = RtpPacket::read(data) {
        assert_agrees(&header, &strict, data);
    }
    assert_harmless_beside(&header, &data[..data.len() / 2]);
    assert_written_again(&header, data);
}

/// Extension blocks: the bytes after the first are a block of the form that the first one chooses.
pub fn rtp_extensions(data: &[u8]) {
    if !data.is_empty() {
        rtp_header(&packet_with_block(data));
    }
}

/// A packet with a block of header extensions: the first byte chooses its profile and its place, the others fill it.
pub(super) fn packet_with_block(data: &[u8]) -> Vec<u8> {
    let (choice, block) = data.split_first().unwrap_or((&0, &[]));
    let profile: u16 = match choice % 4 {
        0 | 1 => 0xBEDE,
        2 => 0x1000 | u16::from(choice >> 4),
        _ => u16::from_be_bytes([*choice, choice.wrapping_mul(31)]),
    };
    let csrc_count = choice >> 2 & 3;
    let words = u16::try_from(block.len().min(65_000) / 4).expect("at most 16,250");
    let mut packet = vec![0x90 | csrc_count, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    packet.resize(12 + 4 * usize::from(csrc_count), 0xCC);
    packet.extend([profile.to_be_bytes(), words.to_be_bytes()].concat());
    packet.extend(&block[..4 * usize::from(words)]);
    packet.extend([0x61; 5]);
    packet
}

/// `write_packet` on values drawn from the bytes: the length is what was promised, a buffer too short is left alone,
/// and both readers find the values.
pub fn rtp_write(data: &[u8]) {
    let mut dice = Dice::of_bytes(data);
    let (csrcs, payload) = (drawn_bytes(&mut dice, 80), drawn_bytes(&mut dice, 1_500));
    let outgoing = Outgoing {
        marker: dice.chance(50),
        payload_type: dice.byte(),
        sequence: Serial16::new(u16::from_be_bytes([dice.byte(), dice.byte()])),
        timestamp: u32::from_be_bytes([dice.byte(), dice.byte(), dice.byte(), dice.byte()]),
        ssrc: u32::from_be_bytes([dice.byte(), dice.byte(), dice.byte(), dice.byte()]),
        csrcs: &csrcs,
        rtx_osn: dice.chance(30).then(|| Serial16::new(u16::from_be_bytes([dice.byte(), dice.byte()]))),
        payload: &payload,
        padding: if dice.chance(30) { dice.byte() } else { 0 },
    };
    let mut wanted = Vec::new();
    for _ in 0..dice.below(20) {
        let id = if dice.chance(80) { dice.byte() % 14 + 1 } else { dice.byte().max(1) };
        let bytes = if dice.chance(90) { dice.below(18) } else { dice.below(258) };
        wanted.push((id, dice.bytes(bytes)));
    }
    retain_fitting(&mut wanted);
    let values = pushed(&wanted);
    let bytes = written(&outgoing, &values);
    assert_holds(&bytes, &outgoing, &wanted);
}

/// `rtx::unwrap` on any packet: nothing is changed where there is no original inside; else the packet is the original,
/// and the header says what the packet's own reading says. A packet that was wrapped comes out as it was.
pub fn rtx(data: &[u8]) {
    let Some(([s0, s1, s2, s3, payload_type], packet)) = data.split_first_chunk::<5>() else { return };
    let Ok(header) = Header::parse(packet) else { return };
    let (ssrc, media_type) = (u32::from_be_bytes([*s0, *s1, *s2, *s3]), payload_type & 0x7F);
    let (mut unwrapped, mut after) = (packet.to_vec(), header.clone());
    match rtx::unwrap(&mut unwrapped, &mut after, ssrc, *payload_type) {
        Err(error) => {
            assert_eq!(error, RtxError::NoSequence, "the header is this packet's own");
            assert!(header.payload_len() < 2, "an original was inside");
            assert_eq!((unwrapped.as_slice(), &after), (packet, &header), "changed although refused");
        }
        Ok(length) => {
            assert_eq!(length, packet.len() - usize::from(header.padding) - 2);
            let original = unwrapped.get(..length).expect("shorter than before");
            assert_eq!(Header::parse(original).as_ref(), Ok(&after));
            assert_original(&header, packet, &after, original, ssrc, media_type);
        }
    }
    let (mut cut, mut before) = (packet[..packet.len() - 1].to_vec(), header.clone());
    let refused = rtx::unwrap(&mut cut, &mut before, ssrc, media_type).is_err();
    assert!(refused || header.padding > 0, "a cut packet had its original");
    assert_wrapped_and_back(&header, packet, ssrc);
}

fn assert_original(
    header: &Header,
    packet: &[u8],
    after: &Header,
    original: &[u8],
    ssrc: u32,
    media_type: u8,
) {
    let payload = header.payload(packet);
    assert_eq!(after.sequence.wire(), u16::from_be_bytes([payload[0], payload[1]]));
    assert_eq!((after.ssrc, after.payload_type, after.padding), (ssrc, media_type, 0));
    assert_eq!((after.marker, after.timestamp), (header.marker, header.timestamp));
    assert_eq!(after.payload(original), &payload[2..]);
    assert_eq!(after.csrcs(original), header.csrcs(packet));
    assert!(after.extensions.iter(original).eq(header.extensions.iter(packet)));
}

fn assert_wrapped_and_back(header: &Header, packet: &[u8], ssrc: u32) {
    let values = ExtensionValues::new();
    let plain = Outgoing { padding: 0, ..outgoing(header, packet) };
    let wrapped = Outgoing { rtx_osn: Some(plain.sequence), sequence: Serial16::new(7), ssrc, ..plain };
    let mut bytes = written(&wrapped, &values);
    let Ok(mut read) = Header::parse(&bytes) else {
        return assert!(bytes.len() > 65_535, "a written packet is read");
    };
    let length = rtx::unwrap(&mut bytes, &mut read, plain.ssrc, plain.payload_type).expect("wrapped");
    assert_eq!(bytes[..length], written(&plain, &values));
}

/// RFC 7983 7 and RFC 5761 4.
fn assert_kind(data: &[u8]) {
    let expected = match (data.first(), data.get(1)) {
        (Some(0..=3), _) => DatagramKind::Stun,
        (Some(20..=63), _) => DatagramKind::Dtls,
        (Some(128..=191), Some(192..=223)) => DatagramKind::Rtcp,
        (Some(128..=191), Some(_)) => DatagramKind::Rtp,
        _ => DatagramKind::Unknown,
    };
    assert_eq!(DatagramKind::of(data), expected);
}

fn assert_refused(parsed: Result<Header, HeaderError>, data: &[u8]) {
    let error = parsed.expect_err("a broken packet was taken");
    let first = data.first().copied().unwrap_or(0);
    let fits = match error {
        HeaderError::TooShort => data.len() < 12,
        HeaderError::TooLong => data.len() > 65_535,
        HeaderError::Version(version) => version == first >> 6 && version != 2,
        HeaderError::CsrcsTruncated => data.len() < 12 + 4 * usize::from(first % 16),
        HeaderError::ExtensionTruncated => first & 0x10 != 0,
        HeaderError::PaddingAbsent | HeaderError::PaddingTooLong => first & 0x20 != 0,
    };
    assert!(fits, "{error} is not what is wrong");
}

fn assert_header(header: &Header, layout: &Layout, data: &[u8]) {
    assert_eq!(header.sequence.wire(), u16::from_be_bytes([data[2], data[3]]));
    assert_eq!(header.timestamp.wire(), u32::from_be_bytes([data[4], data[5], data[6], data[7]]));
    assert_eq!(header.ssrc, u32::from_be_bytes([data[8], data[9], data[10], data[11]]));
    assert_eq!((header.payload_type, header.marker), (data[1] & 0x7F, data[1] >= 0x80));
    assert_eq!(header.csrcs(data), &data[layout.csrcs.clone()]);
    assert_eq!(usize::from(header.csrc_count) * 4, layout.csrcs.len());
    assert_eq!((header.payload_offset(), header.payload_len()), (layout.payload.start, layout.payload.len()));
    assert_eq!(header.payload(data), &data[layout.payload.clone()]);
    assert_eq!((usize::from(header.padding), header.packet_len()), (layout.padding, data.len()));
    let form = match header.extensions.form() {
        ExtensionForm::Absent => Form::None,
        ExtensionForm::OneByte => Form::One,
        ExtensionForm::TwoByte => Form::Two,
    };
    assert_eq!(form, layout.form);
    assert_eq!(values_of(header, data), layout.values(data));
    for id in 1..=255 {
        assert_eq!(header.extensions.get(extension_id(id), data), layout.value(id, data), "id {id}");
    }
}

/// On what the strict reader takes both must read the same.
fn assert_agrees(header: &Header, strict: &RtpPacket, data: &[u8]) {
    // Id 0 with a length is reserved (RFC 8285 4.2) and not known to the strict reader.
    if data.len() > 65_535 || strict.extensions.iter().any(|(id, _)| *id == 0) {
        return;
    }
    let csrcs: Vec<u8> = strict.csrcs.iter().flat_map(|csrc| csrc.to_be_bytes()).collect();
    assert_eq!(header.csrcs(data), csrcs);
    assert_eq!((header.marker, header.payload_type), (strict.marker, strict.payload_type));
    assert_eq!((header.sequence.wire(), header.timestamp.wire()), (strict.sequence, strict.timestamp));
    assert_eq!((header.ssrc, header.padding), (strict.ssrc, strict.padding));
    assert_eq!(header.payload(data), strict.payload);
    let values = strict.extensions.iter().map(|(id, value)| (*id, value.as_slice()));
    assert!(values_of(header, data).into_iter().eq(values));
}

/// Asked about other bytes a header may answer wrongly, but from inside them.
fn assert_harmless_beside(header: &Header, other: &[u8]) {
    assert!(header.payload(other).len() <= other.len());
    assert!(header.csrcs(other).len() <= other.len());
    assert!(header.extensions.iter(other).count() <= other.len());
    for id in [1, 7, 14, 15, 255] {
        assert!(header.extensions.get(extension_id(id), other).unwrap_or_default().len() <= other.len());
    }
}

fn assert_written_again(header: &Header, data: &[u8]) {
    let mut wanted: Vec<_> =
        values_of(header, data).into_iter().map(|(id, value)| (id, value.to_vec())).collect();
    retain_fitting(&mut wanted);
    let (outgoing, values) = (outgoing(header, data), pushed(&wanted));
    let bytes = written(&outgoing, &values);
    if bytes.len() <= 65_535 {
        assert_holds(&bytes, &outgoing, &wanted);
    }
}

/// Leaves in `wanted` what one packet can hold.
fn retain_fitting(wanted: &mut Vec<(u8, Vec<u8>)>) {
    wanted.retain(|(_, value)| {
        let refused = ExtensionValues::new().push(extension_id(1), value);
        assert_eq!(refused == Err(ExtensionValueError::TooLong), value.len() > 255);
        refused.is_ok()
    });
    wanted.truncate(EXTENSION_VALUES_MAX);
}

fn pushed(wanted: &[(u8, Vec<u8>)]) -> ExtensionValues<'_> {
    let mut values = ExtensionValues::new();
    for (id, value) in wanted {
        values.push(extension_id(*id), value).expect("short, and few enough");
    }
    if wanted.len() == EXTENSION_VALUES_MAX {
        let before = values.block_len();
        assert_eq!(values.push(extension_id(1), b"x"), Err(ExtensionValueError::Full));
        assert_eq!(values.block_len(), before);
    }
    values
}

/// Writes, and checks the promises about lengths.
fn written(outgoing: &Outgoing<'_>, values: &ExtensionValues<'_>) -> Vec<u8> {
    let promised = packet_len(outgoing, values);
    let before_payload = header_len(outgoing, values);
    assert_eq!(promised, before_payload + outgoing.payload.len() + usize::from(outgoing.padding));
    let mut short = vec![UNTOUCHED; promised - 1];
    assert_eq!(write_packet(&mut short, outgoing, values), Err(NoRoom));
    assert!(short.iter().all(|byte| *byte == UNTOUCHED), "written although there is no room");
    let mut bytes = vec![UNTOUCHED; promised + 9];
    assert_eq!(write_packet(&mut bytes, outgoing, values), Ok(promised));
    assert!(bytes[promised..].iter().all(|byte| *byte == UNTOUCHED), "written beyond the packet");
    bytes.truncate(promised);
    bytes
}

/// Both readers find in `bytes` what was to be written.
fn assert_holds(bytes: &[u8], outgoing: &Outgoing<'_>, values: &[(u8, Vec<u8>)]) {
    let header = Header::parse(bytes).expect("a written packet is read");
    let payload = match outgoing.rtx_osn {
        Some(osn) => [&osn.wire().to_be_bytes()[..], outgoing.payload].concat(),
        None => outgoing.payload.to_vec(),
    };
    let whole = outgoing.csrcs.len().min(60) / 4 * 4;
    assert_eq!(header.csrcs(bytes), &outgoing.csrcs[..whole]);
    assert_eq!((header.sequence, header.timestamp.wire()), (outgoing.sequence, outgoing.timestamp));
    assert_eq!((header.ssrc, header.marker), (outgoing.ssrc, outgoing.marker));
    assert_eq!(header.payload_type, outgoing.payload_type & 0x7F);
    assert_eq!((header.payload(bytes), header.padding), (payload.as_slice(), outgoing.padding));
    assert!(values_of(&header, bytes).into_iter().eq(values.iter().map(|(id, value)| (*id, &value[..]))));
    let strict = RtpPacket::read(bytes);
    let twice =
        values.iter().enumerate().any(|(at, (id, _))| values[..at].iter().any(|(other, _)| other == id));
    match strict {
        Ok(strict) => assert_agrees(&header, &strict, bytes),
        Err(error) => assert!(twice, "the strict reader refuses what was written: {error}"),
    }
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

fn values_of<'p>(header: &Header, packet: &'p [u8]) -> Vec<(u8, &'p [u8])> {
    header.extensions.iter(packet).map(|(id, value)| (id.get(), value)).collect()
}

fn extension_id(id: u8) -> ExtensionId {
    ExtensionId::new(id).expect("not zero")
}

fn drawn_bytes(dice: &mut Dice, most: usize) -> Vec<u8> {
    let count = if dice.chance(80) { dice.below(40) } else { dice.below(most) };
    let (first, step) = (dice.byte(), dice.byte());
    (0..count).scan(first, |byte, _| Some(std::mem::replace(byte, byte.wrapping_add(step)))).collect()
}

/// What a buffer is filled with before it is written to.
const UNTOUCHED: u8 = 0xA7;
