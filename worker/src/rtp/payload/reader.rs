//! Taking the fields of a payload descriptor off the front of a payload.
//!
//! Knows bytes. Does not know which codec's they are. Called by the descriptors of this folder.
//! Invariant: the position never passes the end, so what was read was there.

use super::PictureId;
use crate::base::sequence::{Serial7, Serial15};

/// A payload and how much of it was read.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }

    /// Bytes read so far.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.payload.get(self.at..).unwrap_or_default()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.payload.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// 16 bits in network order.
    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, _) = self.rest().split_at_checked(count)?;
        self.at += count;
        Some(taken)
    }

    /// A picture id, as VP8 (RFC 7741 4.2) and VP9 (RFC 9628 4.2) have it.
    pub(super) fn picture_id(&mut self) -> Option<PictureId> {
        let first = self.byte()?;
        if first & PictureId::LONG == 0 {
            return Some(PictureId::Short(Serial7::new(first)));
        }
        let id = u16::from_be_bytes([first & !PictureId::LONG, self.byte()?]);
        Some(PictureId::Long(Serial15::new(id)))
    }
}
