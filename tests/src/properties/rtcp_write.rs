//! Writing compounds: packets drawn from the bytes go into a buffer of any size, and come out again.
//!
//! Knows `tidegate_worker::rtcp::CompoundWriter`. Called through [`super::ALL`], `drawn` also by `super::drawn`.
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use std::collections::BTreeSet;

use tidegate_worker::base::sequence::Serial16;
use tidegate_worker::rtcp::{COMPOUND_BYTES_MAX, CompoundWriter, WriteError};

use super::rtcp::{length, write};
use super::rtcp_expected::{Read, XrBlock, as_strict, compound, numbers};
use crate::fuzz::Dice;
use crate::world;
use crate::world::rtcp::Block;

/// Whatever is added: it is there whole, or the compound is as it was and the reason is the right one.
pub fn rtcp_write(data: &[u8]) {
    let mut dice = Dice::of_bytes(data);
    let room = if dice.chance(50) { dice.below(200) } else { dice.below(2 * COMPOUND_BYTES_MAX) };
    let mut buffer = vec![0xA7; room];
    let mut writer = CompoundWriter::new(&mut buffer);
    let mut held = Vec::new();
    while !dice.is_used_up() && held.len() < PACKETS_MAX {
        let before = writer.bytes().to_vec();
        let room = room.min(COMPOUND_BYTES_MAX) - before.len();
        let outcome = match dice.below(8) {
            0 => asked_again(&mut writer, &mut dice, room, &mut held),
            _ => added(&mut writer, drawn(&mut dice), room, &mut held),
        };
        assert!(writer.bytes().starts_with(&before), "what was written before was changed");
        assert!(outcome.is_ok() || writer.len() == before.len(), "{outcome:?} left a trace");
        assert!(writer.len() <= COMPOUND_BYTES_MAX && writer.is_empty() == held.is_empty());
    }
    let read = compound(writer.bytes());
    assert_eq!(read, held);
    if let Some(strict) = as_strict(&read).filter(|strict| !strict.is_empty()) {
        assert_eq!(world::rtcp::read(writer.bytes()), Ok(strict));
    }
    super::rtcp::rtcp_compound(writer.bytes());
    writer.clear();
    assert!(writer.is_empty() && writer.bytes().is_empty());
}

fn added(
    writer: &mut CompoundWriter<'_>,
    packet: Read,
    room: usize,
    held: &mut Vec<Read>,
) -> Result<(), WriteError> {
    let outcome = write(writer, &packet).expect("only what can be written is drawn");
    let expected = match &packet {
        Read::SenderReport { blocks, .. } | Read::ReceiverReport { blocks, .. } if blocks.len() > 31 => {
            Err(WriteError::Count)
        }
        Read::Bye { reason: Some(text), .. } if text.len() > 255 => Err(WriteError::TextTooLong),
        Read::Bye { ssrcs, .. } if ssrcs.len() > 31 => Err(WriteError::Count),
        Read::Sdes(chunks) if chunks[0].1[0].1.len() > 255 => Err(WriteError::TextTooLong),
        Read::Fir { entries, .. } if entries.is_empty() => Err(WriteError::Count),
        Read::Xr { blocks, .. } if blocks[0] == XrBlock::Dlrr(Vec::new()) => Err(WriteError::Count),
        _ if length(&packet) > room => Err(WriteError::NoRoom),
        _ => Ok(()),
    };
    assert_eq!(outcome, expected, "{packet:?} with room for {room}");
    if outcome.is_ok() {
        held.push(packet);
    }
    outcome
}

/// A NACK of any numbers in any order: those that were taken are named, and no others.
fn asked_again(
    writer: &mut CompoundWriter<'_>,
    dice: &mut Dice,
    room: usize,
    held: &mut Vec<Read>,
) -> Result<(), WriteError> {
    let mut number = u16::from_be_bytes([dice.byte(), dice.byte()]);
    let wanted: Vec<u16> = (0..dice.below(60))
        .map(|_| {
            number = match dice.below(8) {
                0 => number.wrapping_sub(dice.byte().into()),
                1 => u16::from_be_bytes([dice.byte(), dice.byte()]),
                2 => number.wrapping_add(dice.byte().into()),
                _ => number.wrapping_add(1),
            };
            number
        })
        .collect();
    let serials: Vec<_> = wanted.iter().copied().map(Serial16::new).collect();
    let start = writer.len();
    let taken = writer.nack(7, 9, &serials);
    let fits = room >= 16;
    assert_eq!(taken == Err(WriteError::Count), wanted.is_empty());
    assert_eq!(taken == Err(WriteError::NoRoom), !wanted.is_empty() && !fits);
    let taken = taken?;
    let read = compound(&writer.bytes()[start..]);
    let [Read::Nack { sender: 7, media: 9, items }] = &read[..] else { panic!("{read:?}") };
    let named: BTreeSet<u16> = items.iter().flat_map(numbers).collect();
    assert_eq!(named, wanted[..taken].iter().copied().collect());
    assert!(
        taken == wanted.len() || writer.len() - start + 4 > room,
        "{taken} taken, there was room for more"
    );
    assert!(items.len() <= taken);
    held.extend(read);
    Ok(())
}

/// A packet that the writer has a word for.
pub(super) fn drawn(dice: &mut Dice) -> Read {
    let mut word = || u32::from_be_bytes([dice.byte(), dice.byte(), dice.byte(), dice.byte()]);
    let (ssrc, media) = (word(), word());
    match dice.below(9) {
        0 => {
            let info = [0; 5].map(|_: u32| word_of(dice));
            Read::SenderReport { ssrc, info, blocks: drawn_blocks(dice) }
        }
        1 => Read::ReceiverReport { ssrc, blocks: drawn_blocks(dice) },
        2 => Read::Sdes(vec![(ssrc, vec![(1, drawn_text(dice))])]),
        3 => {
            let reason = Some(drawn_text(dice)).filter(|reason| !reason.is_empty());
            Read::Bye { ssrcs: (0..dice.below(34)).map(|_| word_of(dice)).collect(), reason }
        }
        4 => {
            let mut first = u16::from_be_bytes([dice.byte(), dice.byte()]);
            let item = |_| {
                first = first.wrapping_add(17 + u16::from(dice.byte()));
                (first, u16::from_be_bytes([dice.byte(), dice.byte()]))
            };
            // One item at least, and all of them in any compound that is not full.
            Read::Nack { sender: ssrc, media, items: (0..1).map(item).collect() }
        }
        5 => Read::Pli { sender: ssrc, media },
        6 => {
            let entries = (0..dice.below(5)).map(|_| (word_of(dice), dice.byte())).collect();
            Read::Fir { sender: ssrc, entries }
        }
        7 => {
            let ntp = u64::from(word_of(dice)) << 32 | u64::from(media);
            Read::Xr { ssrc, blocks: vec![XrBlock::ReferenceTime(ntp)] }
        }
        _ => {
            let reports = (0..dice.below(6)).map(|_| [0; 3].map(|_: u32| word_of(dice))).collect();
            Read::Xr { ssrc, blocks: vec![XrBlock::Dlrr(reports)] }
        }
    }
}

fn drawn_blocks(dice: &mut Dice) -> Vec<Block> {
    let count = if dice.chance(80) { dice.below(4) } else { dice.below(34) };
    let block = |_| Block {
        ssrc: word_of(dice),
        fraction_lost: dice.byte(),
        cumulative_lost: word_of(dice).cast_signed() >> 8,
        extended_highest: word_of(dice),
        jitter: word_of(dice),
        last_sr: word_of(dice),
        delay: word_of(dice),
    };
    (0..count).map(block).collect()
}

fn drawn_text(dice: &mut Dice) -> Vec<u8> {
    let count = if dice.chance(90) { dice.below(20) } else { dice.below(260) };
    let first = dice.byte();
    (0..count).map(|at| b'a' + (first.wrapping_add(at.to_le_bytes()[0])) % 26).collect()
}

fn word_of(dice: &mut Dice) -> u32 {
    u32::from_be_bytes([dice.byte(), dice.byte(), dice.byte(), dice.byte()])
}

/// As many as fit into a compound, of the shortest kind, and some.
const PACKETS_MAX: usize = 400;
