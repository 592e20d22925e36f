//! What the worker must know of a codec's payload: key frames, layers, silence.
//!
//! Knows payload descriptors and the first byte of a frame. Does not decode. Called by `Producer::admit` on the payload
//! of a parsed packet, and by `media::consumer` where a descriptor is rewritten.
//!
//! Opus with several streams (`audio/multiopus`) has no module of its own: its packets begin as [`opus`] ones do.

pub mod av1;
pub mod h264;
pub mod h265;
pub mod opus;
mod reader;
pub mod vp8;
pub mod vp9;

use crate::base::sequence::{Serial7, Serial8, Serial15};

/// A picture id in the width that the sender chose; the two are different number spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureId {
    /// M = 0: one byte.
    Short(Serial7),
    /// M = 1: two bytes.
    Long(Serial15),
}

impl PictureId {
    /// M, the first bit of a two-byte picture id.
    const LONG: u8 = 0x80;

    /// Puts `id` at the front of `fields` in this one's width (a 7-bit id takes the low 7 bits); what stands behind it.
    /// `None`, with nothing changed, when there is no room.
    fn overwrite(self, fields: &mut [u8], id: Serial15) -> Option<&mut [u8]> {
        match (self, fields) {
            (Self::Short(_), [byte, rest @ ..]) => {
                let [_, low] = id.wire().to_be_bytes();
                *byte = low & !Self::LONG;
                Some(rest)
            }
            (Self::Long(_), [high, low, rest @ ..]) => {
                [*high, *low] = (id.wire() | 0x8000).to_be_bytes();
                Some(rest)
            }
            _ => None,
        }
    }
}

/// Where a payload has its running numbers.
struct Numbers {
    descriptor_len: u16,
    picture_id_at: usize,
    picture_id: Option<PictureId>,
    /// Bytes from the end of the picture id to TL0PICIDX, where that is there.
    tl0_picture_index_after: Option<usize>,
}

/// Puts new numbers in the place of those that `payload` has, each in the width it has there. False, with nothing
/// changed, when the payload is cut off.
fn overwrite(payload: &mut [u8], at: &Numbers, picture_id: Serial15, tl0_picture_index: Serial8) -> bool {
    let Some(fields) = payload.get_mut(..usize::from(at.descriptor_len)) else { return false };
    let rest = fields.get_mut(at.picture_id_at..).unwrap_or_default();
    let rest = match at.picture_id {
        None => rest,
        Some(width) => match width.overwrite(rest, picture_id) {
            Some(rest) => rest,
            None => return false,
        },
    };
    if let Some(index) = at.tl0_picture_index_after.and_then(|after| rest.get_mut(after)) {
        *index = tl0_picture_index.wire();
    }
    true
}
