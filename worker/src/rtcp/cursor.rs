//! Reading and writing big-endian fields at the front of a slice.
//!
//! Knows slices only. Called by every file of `rtcp`. Invariant: a failed step moves nothing.

/// Takes `N` bytes off the front; `None`, with `bytes` unchanged, when there are fewer.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// Takes a 32-bit number off the front.
pub(super) fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_be_bytes)
}

/// Takes a 64-bit number off the front.
pub(super) fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_be_bytes)
}

/// Takes `count` bytes off the front.
pub(super) fn take_slice<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

/// Writes fields one after the other into a slice of fixed length.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    rest: &'a mut [u8],
}

impl<'a> Sink<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { rest: out }
    }

    /// `None`, with nothing written, when there is no room.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let (head, rest) = std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())?;
        head.copy_from_slice(bytes);
        self.rest = rest;
        Some(())
    }

    pub(super) fn put_u32(&mut self, number: u32) -> Option<()> {
        self.put(&number.to_be_bytes())
    }

    /// Writes zeros to the end.
    pub(super) fn fill(self) {
        self.rest.fill(0);
    }
}
