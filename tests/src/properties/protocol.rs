//! The pipe: frames however their bytes arrive, and messages both ways.
//!
//! Knows `tidegate_protocol`. Called through [`super::ALL`].
//! Invariant: a property panics only where the protocol's code is wrong, whatever the bytes are.

use serde::{Deserialize, Serialize};
use tidegate_protocol::codec::{decode, encode_frame, greeting_version, request_id};
use tidegate_protocol::frame::{BrokenFraming, FRAME_BYTES_MAX, FrameReader};
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, ToWorker};

use crate::fuzz::Dice;

/// `FrameReader`: a stream drawn from the bytes, pushed in pieces, gives the frames that slicing the whole of it gives;
/// memory is bounded by what has arrived.
pub fn frames(data: &[u8]) {
    let mut dice = Dice::of_bytes(data);
    let stream = drawn_stream(&mut dice);
    let (expected, broken) = sliced(&stream);
    let mut reader = FrameReader::default();
    let (mut seen, mut pushed, mut most_waiting) = (0, 0, 0);
    let mut consumed = 0;
    while pushed < stream.len() {
        let piece = drawn_size(&mut dice).clamp(1, stream.len() - pushed);
        reader.push(&stream[pushed..pushed + piece]);
        pushed += piece;
        most_waiting = most_waiting.max(pushed - consumed);
        // Not every push is followed by reading, as long as there are choices.
        let reads = if dice.is_used_up() { 4 } else { dice.below(4) };
        for _ in 0..reads {
            let ends: usize = expected.iter().take(seen + 1).map(|frame| frame.len() + 4).sum();
            let is_whole = seen < expected.len() && ends <= pushed;
            let is_broken = broken.is_some() && seen == expected.len() && ends + 4 <= pushed;
            assert_eq!(reader.has_frame(), is_whole || is_broken);
            match reader.next_frame() {
                Ok(Some(content)) => {
                    assert!(is_whole && content == expected[seen], "frame {seen} is not what was sent");
                    (seen, consumed) = (seen + 1, ends);
                }
                Ok(None) => assert!(!is_whole && !is_broken),
                Err(error) => return assert_eq!((is_broken, Some(error)), (true, broken)),
            }
        }
        let held = reader.held_bytes();
        assert!(held <= 2 * (most_waiting + COMPACT_BYTES) + 64, "{held} bytes for {most_waiting} waiting");
        match dice.below(16) {
            0 => reader.shrink(),
            1 => reader.reclaim(),
            _ => {}
        }
    }
    assert_rest(reader, &expected[seen..], broken);
}

/// What is left comes out, and nothing else.
fn assert_rest(mut reader: FrameReader, left: &[&[u8]], broken: Option<BrokenFraming>) {
    for content in left {
        assert_eq!(reader.next_frame(), Ok(Some(*content)));
    }
    match broken {
        Some(error) => assert_eq!(reader.next_frame(), Err(error)),
        None => assert_eq!(reader.next_frame(), Ok(None)),
    }
}

/// The frames of a whole stream, and what breaks it behind the last.
fn sliced(stream: &[u8]) -> (Vec<&[u8]>, Option<BrokenFraming>) {
    let (mut found, mut rest) = (Vec::new(), stream);
    while let [a, b, c, d, after @ ..] = rest {
        let announced = u32::from_le_bytes([*a, *b, *c, *d]);
        let length = announced as usize;
        if length > FRAME_BYTES_MAX {
            return (found, Some(BrokenFraming(announced)));
        }
        if length > after.len() {
            break;
        }
        let (content, behind) = after.split_at(length);
        found.push(content);
        rest = behind;
    }
    (found, None)
}

fn drawn_stream(dice: &mut Dice) -> Vec<u8> {
    let mut stream = Vec::new();
    // At times so much that a reader which kept what was read would be found out.
    let least = if dice.below(32) == 31 { 60_000 } else { 0 };
    for _ in 0..dice.below(12) {
        let size = least + drawn_size(dice);
        let announced = u32::try_from(size).expect("below a megabyte");
        match dice.below(16) {
            0 => stream.extend(dice.bytes(size.min(16))),
            1 => stream.extend([dice.byte(), dice.byte(), dice.byte(), dice.byte()]),
            2 => stream.extend((4_194_303 + u32::from(dice.byte() % 3)).to_le_bytes()),
            _ => {
                stream.extend(announced.to_le_bytes());
                let fill = dice.byte();
                stream.extend((0..size).map(|at| fill.wrapping_add(at.to_le_bytes()[0])));
            }
        }
    }
    stream
}

/// Mostly small; seldom so large that the reader has to move bytes out of its way.
fn drawn_size(dice: &mut Dice) -> usize {
    match dice.below(64) {
        0 => 20_000 + dice.below(60_000),
        1..12 => dice.below(4_000),
        12..40 => dice.below(200),
        _ => dice.below(16),
    }
}

/// What a host sends: bytes that are a message are the bytes of that message; of others the request's number is read
/// when it is there.
pub fn requests(data: &[u8]) {
    let message = assert_canonical::<ToWorker>(data);
    let number = match data {
        [0, 0, 0, 0, number @ ..] => {
            number.first_chunk().map_or(RequestId::NONE, |number| RequestId(u64::from_le_bytes(*number)))
        }
        _ => RequestId::NONE,
    };
    assert_eq!(request_id(data), number);
    if let Some(ToWorker::Request { id, .. }) = message {
        assert_eq!(id, number);
    }
}

/// What a worker sends: the same, with the version of a greeting for a number.
pub fn messages(data: &[u8]) {
    let message = assert_canonical::<FromWorker>(data);
    let version = match data {
        [0, 0, 0, 0, version @ ..] => version.first_chunk().map(|version| u32::from_le_bytes(*version)),
        _ => None,
    };
    assert_eq!(greeting_version(data), version);
    if let Some(FromWorker::Hello(hello)) = message {
        assert_eq!(Some(hello.protocol_version), version);
    }
}

/// There is one way to write a message, and one message that bytes stand for.
fn assert_canonical<M>(data: &[u8]) -> Option<M>
where
    M: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    let message: M = match decode(data) {
        Ok(message) => message,
        Err(error) => {
            assert!(!error.0.is_empty() && error.0.len() < 2_000, "{error}");
            return None;
        }
    };
    let mut frame = vec![1, 2, 3];
    encode_frame(&message, &mut frame).expect("it came in a frame");
    let length = u32::try_from(data.len()).expect("a frame").to_le_bytes();
    assert_eq!(frame, [&[1, 2, 3][..], &length, data].concat(), "{message:?} is written otherwise");
    assert!(decode::<M>(&[data, &[0]].concat()).is_err(), "a trailing byte was taken");
    let cut = data.get(..data.len().saturating_sub(1)).unwrap_or_default();
    assert!(decode::<M>(cut).is_err(), "a message without its last byte was taken");
    Some(message)
}

/// How many read bytes a reader may leave in its way.
const COMPACT_BYTES: usize = 64 << 10;
