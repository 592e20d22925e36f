//! Writing an extension value anew with another frame number or other active decode targets.
//!
//! Knows the value and its structure; everything else is copied bit by bit. Does not know why. Invariant: a value
//! written without a change has the same bits.

use super::bits::BitWriter;
use super::{Descriptor, HAS_ACTIVE, MANDATORY_BYTES, STRUCTURE_AT, Structure};
use crate::base::sequence::Serial16;

/// What is to be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The frame's number at the receiver.
    pub frame_number: Serial16,
    /// Which decode targets the receiver gets; `None`: as the value has it. Without it, a
    /// structure makes all of them active (A.4), so a receiver that does not get all needs it in each such packet.
    pub active_decode_targets: Option<u32>,
}

/// Writes `value` with a change into `out`, and says how many bytes that takes: at most 5 more than `value` has.
/// `known` is the structure that `value` is parsed with. `None` when `value` is cut off, means another structure, or does
/// not fit; `out` may hold anything then.
pub fn write(value: &[u8], known: &Structure, change: Change, out: &mut [u8]) -> Option<usize> {
    let frame = Descriptor::parse(value, Some(known))?.frame?;
    let mut writer = BitWriter::new(out);
    writer.copy(value, 0, 8)?;
    writer.put(16, change.frame_number.wire().into())?;
    let flags = value.get(MANDATORY_BYTES).copied();
    if flags.is_none() && change.active_decode_targets.is_none() {
        return Some(writer.finish());
    }
    let flags = flags.unwrap_or(0);
    let added = if change.active_decode_targets.is_some() { HAS_ACTIVE } else { 0 };
    writer.put(5, u32::from((flags | added) >> 3))?;
    // The structure: nothing stands there in a value without one.
    writer.copy(value, STRUCTURE_AT, frame.active_at)?;
    let targets = u16::from(frame.decode_targets);
    let had = if flags & HAS_ACTIVE != 0 { targets } else { 0 };
    match change.active_decode_targets {
        Some(active) => writer.put(targets.into(), active)?,
        None => writer.copy(value, frame.active_at, frame.active_at + had)?,
    }
    writer.copy(value, frame.active_at + had, frame.custom.end)?;
    Some(writer.finish())
}

/// Puts another frame number into `value`. False, with nothing changed, when it is cut off.
pub fn set_frame_number(value: &mut [u8], number: Serial16) -> bool {
    let [_, high, low, ..] = value else { return false };
    [*high, *low] = number.wire().to_be_bytes();
    true
}
