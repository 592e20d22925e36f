//! Contents of frames that no host writes.
//!
//! Knows bytes. Called by lives, which decode the result themselves to learn what to expect.

use tidegate_protocol::codec::encode_frame;
use tidegate_protocol::frame::FRAME_BYTES_MAX;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::ToWorker;
use tidegate_protocol::request::Command;

use super::Dice;

/// The content of a request's frame with something wrong in it.
pub fn mutated(id: RequestId, command: Command, dice: &mut Dice) -> Vec<u8> {
    let mut content = content_of(id, command);
    match dice.below(7) {
        0 => content.truncate(dice.below(content.len())),
        1 => {
            let more = dice.below(64) + 1;
            content.extend(dice.bytes(more));
        }
        2 => overwrite(&mut content, &u64::MAX.to_le_bytes(), dice),
        3 => overwrite(&mut content, &(1u64 << 20).to_le_bytes(), dice),
        4 => {
            let length = content.len().saturating_sub(HEAD_BYTES);
            content.truncate(HEAD_BYTES);
            content.extend(dice.bytes(length));
        }
        _ => {
            for _ in 0..=dice.below(8) {
                let at = dice.below(content.len());
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    content
}

/// A content without any meaning.
pub fn noise(id: RequestId, dice: &mut Dice) -> Vec<u8> {
    match dice.below(50) {
        40 => vec![0; FRAME_BYTES_MAX],
        0 => vec![0; 1 << 20],
        1 => vec![0xff; 1 << 20],
        2 => dice.bytes(100_000),
        3..10 => deep_counts(id, dice),
        10..14 => Vec::new(),
        14..20 => vec![0; dice.below(200)],
        _ => {
            let length = dice.below(400);
            dice.bytes(length)
        }
    }
}

/// A request whose lists claim more elements than there are bytes, with a megabyte of zeros behind at times.
fn deep_counts(id: RequestId, dice: &mut Dice) -> Vec<u8> {
    let mut content = content_of(id, super::commands::produce(1, 2, true));
    let counts = [u64::MAX, 1 << 32, 65_536, 1_000_000, 65];
    let count = *dice.pick(&counts).unwrap_or(&1);
    // The count of codecs stands right behind transport, producer, kind and the absent MID.
    let at = HEAD_BYTES + 4 + 8 + 8 + 4 + 1;
    content.truncate(at);
    content.extend(count.to_le_bytes());
    content.resize(content.len() + if dice.chance(30) { 1 << 20 } else { 64 }, 0);
    content
}

fn overwrite(content: &mut [u8], bytes: &[u8], dice: &mut Dice) {
    let at = dice.below(content.len());
    for (place, byte) in content.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

/// What the frame of a request holds.
pub fn content_of(id: RequestId, command: Command) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_frame(&ToWorker::Request { id, command }, &mut frame).expect("requests of ours fit a frame");
    frame.split_off(4)
}

/// The tag of a request and its number.
const HEAD_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_protocol::codec::decode;

    #[test]
    fn deep_counts_sit_where_the_list_of_codecs_does() {
        let good = content_of(RequestId(1), super::super::commands::produce(1, 2, true));
        let at = HEAD_BYTES + 4 + 8 + 8 + 4 + 1;
        assert_eq!(good.get(at..at + 8), Some(&2u64.to_le_bytes()[..]), "VP8 and RTX");
        let bad = deep_counts(RequestId(1), &mut Dice::new(1, 1));
        assert!(decode::<ToWorker>(&bad).is_err());
    }
}
