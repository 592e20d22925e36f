//! Payloads of VP8 and Opus: each against a reader of our own, written from its RFC, and rewriting against reading.
//!
//! Knows the public face of `tidegate_worker::rtp::payload`. Called through [`super::ALL`].
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::base::sequence::{Serial8, Serial15};
use tidegate_worker::rtp::payload::{PictureId, opus, vp8};

/// VP8 (RFC 7741 4.2): the first three bytes are the numbers to write, the others a payload.
pub fn vp8(data: &[u8]) {
    let Some(([high, low, index], payload)) = data.split_first_chunk::<3>() else { return };
    let picture = Serial15::new(u16::from_be_bytes([*high, *low]));
    let parsed = vp8::Descriptor::parse(payload);
    let Some(expected) = Vp8::read(payload) else {
        return assert_eq!(parsed, None, "a descriptor that is cut off was taken");
    };
    let descriptor = parsed.expect("a whole descriptor was refused");
    assert_eq!(Vp8::of(&descriptor), expected);

    let mut rewritten = payload.to_vec();
    assert!(vp8::rewrite(&mut rewritten, &descriptor, picture, Serial8::new(*index)));
    let mut with_numbers = expected.clone();
    with_numbers.picture = expected.picture.map(|(_, is_long)| match is_long {
        true => (picture.wire(), true),
        false => (picture.wire() & 0x7F, false),
    });
    with_numbers.index = expected.index.map(|_| *index);
    assert_eq!(Vp8::read(&rewritten), Some(with_numbers));
    assert_eq!(rewritten[expected.bytes..], payload[expected.bytes..], "the frame itself was changed");
    let differs = rewritten.iter().zip(payload).filter(|(one, other)| one != other).count();
    assert!(differs <= 3, "more than the numbers was changed");

    let mut cut = payload[..expected.bytes - 1].to_vec();
    assert!(!vp8::rewrite(&mut cut, &descriptor, picture, Serial8::new(*index)));
    assert_eq!(cut, payload[..expected.bytes - 1], "changed although refused");
}

/// A VP8 payload descriptor, by another reader.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Vp8 {
    non_reference: bool,
    start: bool,
    partition: u8,
    /// And whether it has two bytes.
    picture: Option<(u16, bool)>,
    index: Option<u8>,
    temporal: Option<(u8, bool)>,
    key_index: Option<u8>,
    key_frame: bool,
    bytes: usize,
}

impl Vp8 {
    fn read(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let mut at = 1;
        let mut next = || {
            at += 1;
            payload.get(at - 1).copied()
        };
        let [has_picture, has_index, has_temporal, has_key] = match first >> 7 {
            0 => [false; 4],
            _ => next().map(|flags| [7, 6, 5, 4].map(|bit| flags >> bit & 1 == 1))?,
        };
        let picture = match has_picture {
            false => None,
            true => Some(match next()? {
                high @ 128.. => (u16::from(high - 128) * 256 + u16::from(next()?), true),
                short => (u16::from(short), false),
            }),
        };
        let index = if has_index { Some(next()?) } else { None };
        let layers = if has_temporal || has_key { next()? } else { 0 };
        let is_inter = payload.get(at).is_none_or(|header| header % 2 == 1);
        Some(Self {
            non_reference: first >> 5 & 1 == 1,
            start: first >> 4 & 1 == 1,
            partition: first % 8,
            picture,
            index,
            temporal: has_temporal.then_some((layers / 64, layers >> 5 & 1 == 1)),
            key_index: has_key.then_some(layers % 32),
            key_frame: first >> 4 & 1 == 1 && first % 8 == 0 && !is_inter,
            bytes: at,
        })
    }

    fn of(descriptor: &vp8::Descriptor) -> Self {
        assert!(descriptor.temporal_layer.is_some() || !descriptor.layer_sync);
        Self {
            non_reference: descriptor.non_reference,
            start: descriptor.start,
            partition: descriptor.partition,
            picture: descriptor.picture_id.map(|id| match id {
                PictureId::Short(id) => (id.wire().into(), false),
                PictureId::Long(id) => (id.wire(), true),
            }),
            index: descriptor.tl0_picture_index.map(Serial8::wire),
            temporal: descriptor.temporal_layer.map(|layer| (layer, descriptor.layer_sync)),
            key_index: descriptor.key_index,
            key_frame: descriptor.key_frame,
            bytes: descriptor.header_len.into(),
        }
    }
}

/// Opus (RFC 6716 3.2): what counts as silence holds no coded audio, and what an encoder sends in silence counts.
pub fn opus(data: &[u8]) {
    let is_silent = frame_lengths(data).is_some_and(|lengths| lengths.iter().all(|length| *length == 0));
    let is_plain = data.first().is_none_or(|toc| toc & 3 != 3) || data.get(1).is_none_or(|count| count < &64);
    if opus::is_dtx(data) {
        assert!(is_silent, "a packet with audio in it counts as silence");
    } else {
        assert!(!is_silent || !is_plain, "a packet of silence counts as audio");
    }
}

/// The lengths of the frames of an Opus packet; `None` when it is malformed. Without the limit of 120 ms.
fn frame_lengths(packet: &[u8]) -> Option<Vec<usize>> {
    let (toc, mut rest) = packet.split_first()?;
    match toc & 3 {
        0 => Some(vec![rest.len()]),
        1 => rest.len().is_multiple_of(2).then(|| vec![rest.len() / 2; 2]),
        2 => {
            let first = length(&mut rest)?;
            Some(vec![first, rest.len().checked_sub(first)?])
        }
        _ => {
            let (count, after) = rest.split_first()?;
            rest = after;
            let frames = usize::from(count % 64);
            if count & 0x40 != 0 {
                let padding = padding(&mut rest)?;
                rest = rest.get(..rest.len().checked_sub(padding)?)?;
            }
            match (frames, count & 0x80) {
                (0, _) => None,
                (_, 0) => rest.len().is_multiple_of(frames).then(|| vec![rest.len() / frames; frames]),
                _ => {
                    let mut lengths =
                        (1..frames).map(|_| length(&mut rest)).collect::<Option<Vec<usize>>>()?;
                    lengths.push(rest.len().checked_sub(lengths.iter().sum())?);
                    Some(lengths)
                }
            }
        }
    }
}

/// RFC 6716 3.2.1: one byte, or two from 252 on.
fn length(rest: &mut &[u8]) -> Option<usize> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    if *first < 252 {
        return Some(usize::from(*first));
    }
    let (second, after) = rest.split_first()?;
    *rest = after;
    Some(usize::from(*second) * 4 + usize::from(*first))
}

/// RFC 6716 3.2.5: 255 stands for 254 bytes and another count.
fn padding(rest: &mut &[u8]) -> Option<usize> {
    let mut bytes = 0;
    loop {
        let (count, after) = rest.split_first()?;
        *rest = after;
        match count {
            255 => bytes += 254,
            _ => return Some(bytes + usize::from(*count)),
        }
    }
}
