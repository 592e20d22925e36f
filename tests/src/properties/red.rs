//! RED (RFC 2198): against a reader of our own, and rewriting against reading.
//!
//! Knows the public face of `tidegate_worker::rtp::payload::red`. Called through [`super::ALL`].
//! Invariant: the property panics only where the worker is wrong, whatever the bytes are.

use tidegate_protocol::red::BLOCKS_MAX;
use tidegate_worker::rtp::payload::red::{self, Descriptor, rewrite};

const _: () = assert!(BLOCKS_MAX == red::BLOCKS_MAX, "what is negotiated is what is read");

/// The first byte says how payload types are mapped, the second which one is not; the others are a payload.
pub fn red(data: &[u8]) {
    let Some(([mapping, unknown], payload)) = data.split_first_chunk::<2>() else { return };
    let mapped = |payload_type: u8| payload_type ^ mapping & 0x7F;
    let parsed = Descriptor::parse(payload);
    let Some(expected) = blocks(payload) else {
        return assert_eq!(parsed, None, "a payload that does not hold its blocks was taken");
    };
    let descriptor = parsed.expect("a whole payload was refused");
    assert_eq!(usize::from(descriptor.blocks), expected.len());
    let primary = expected.last().expect("there is a primary block");
    assert_eq!(descriptor.primary_payload_type, primary.0);
    assert_eq!(payload.get(descriptor.primary_offset..), Some(primary.2));
    let read = |payload| -> Vec<(u8, u16, Vec<u8>)> {
        let blocks = descriptor.blocks(payload);
        blocks.map(|block| (block.payload_type, block.timestamp_offset, block.payload.to_vec())).collect()
    };
    let wanted = |mapped: &dyn Fn(u8) -> u8| -> Vec<(u8, u16, Vec<u8>)> {
        let blocks = expected.iter();
        blocks.map(|(payload_type, age, block)| (mapped(*payload_type), *age, block.to_vec())).collect()
    };
    assert_eq!(read(payload), wanted(&|payload_type| payload_type));

    let mut rewritten = payload.to_vec();
    assert!(rewrite(&mut rewritten, &descriptor, |payload_type| Some(mapped(payload_type))));
    assert_eq!(read(&rewritten), wanted(&mapped));
    assert_eq!(
        Descriptor::parse(&rewritten).map(|read| read.primary_offset),
        Some(descriptor.primary_offset)
    );
    let differs = rewritten.iter().zip(payload).filter(|(one, other)| one != other).count();
    assert!(differs <= expected.len(), "more than the payload types was changed");

    let known = |payload_type: u8| (payload_type != unknown & 0x7F).then(|| mapped(payload_type));
    let all_known = expected.iter().all(|block| known(block.0).is_some());
    let mut partly = payload.to_vec();
    assert_eq!(rewrite(&mut partly, &descriptor, known), all_known);
    assert_eq!(partly, if all_known { rewritten } else { payload.to_vec() }, "changed although refused");

    let mut cut = payload[..descriptor.primary_offset - 1].to_vec();
    assert!(!rewrite(&mut cut, &descriptor, |payload_type| Some(mapped(payload_type))));
    assert_eq!(cut, payload[..descriptor.primary_offset - 1], "changed although refused");
}

/// Payload type, age and bytes of each block.
fn blocks(payload: &[u8]) -> Option<Vec<(u8, u16, &[u8])>> {
    let mut headers = Vec::new();
    let mut rest = payload;
    let primary = loop {
        match rest {
            [last @ 0..=127, after @ ..] => {
                rest = after;
                break *last;
            }
            [first, a, b, c, after @ ..] => {
                let bits = u32::from_be_bytes([0, *a, *b, *c]);
                headers.push((first - 128, u16::try_from(bits / 1_024).ok()?, bits as usize % 1_024));
                rest = after;
            }
            _ => return None,
        }
    };
    if headers.len() >= BLOCKS_MAX {
        return None;
    }
    let mut blocks = Vec::new();
    for (payload_type, age, length) in headers {
        let (block, after) = rest.split_at_checked(length)?;
        blocks.push((payload_type, age, block));
        rest = after;
    }
    blocks.push((primary, 0, rest));
    Some(blocks)
}
