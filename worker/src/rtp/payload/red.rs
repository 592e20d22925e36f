//! RED packets (RFC 2198 3): several blocks of audio, the newest last, each with a payload type of its own.
//!
//! Knows the block headers. Does not know codecs, nor what blocks hold. Called by `Producer::admit`, which writes the
//! router's payload types into the headers while nobody else has the packet: consumers have the router's, so all of
//! them get the same bytes, when they are sent again too.
//! Invariant: only the 7 bits of a payload type are ever changed, in all blocks or in none.

/// Most blocks of a packet, as many as can be negotiated. RFC 2198 sets no limit; receivers in the field take this many.
pub const BLOCKS_MAX: usize = 32;

/// Where the blocks of a RED payload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// 1 to [`BLOCKS_MAX`], the primary one included.
    pub blocks: u8,
    /// Of the primary block: the newest, which the packet's timestamp is for.
    pub primary_payload_type: u8,
    /// Where the primary block begins, in bytes from the payload's first.
    pub primary_offset: usize,
}

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// 0 to 127.
    pub payload_type: u8,
    /// How much older than the packet's timestamp, in its units: 0 to 16,383; 0 for the primary block.
    pub timestamp_offset: u16,
    /// What it holds: up to 1,023 bytes, the primary one any number; none is possible.
    pub payload: &'a [u8],
}

impl Descriptor {
    /// Reads the block headers. `None` when they are cut off, more than [`BLOCKS_MAX`], or tell of more bytes than there
    /// are.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut older_bytes = 0;
        for index in 0..BLOCKS_MAX {
            let at = index * OLDER_HEADER_BYTES;
            let first = *payload.get(at)?;
            if first & FOLLOWED == 0 {
                let primary_offset = at + PRIMARY_HEADER_BYTES + older_bytes;
                return (primary_offset <= payload.len()).then_some(Self {
                    blocks: u8::try_from(index + 1).ok()?,
                    primary_payload_type: first,
                    primary_offset,
                });
            }
            older_bytes += usize::from(older(payload.get(at..)?.first_chunk()?).1);
        }
        None
    }

    /// The blocks of the payload that this was read from, oldest first as they stand.
    pub fn blocks(self, payload: &[u8]) -> impl Iterator<Item = Block<'_>> {
        let count = usize::from(self.blocks);
        let mut at = (count - 1) * OLDER_HEADER_BYTES + PRIMARY_HEADER_BYTES;
        (0..count).filter_map(move |index| {
            let header = payload.get(index * OLDER_HEADER_BYTES..)?;
            let first = *header.first()?;
            if first & FOLLOWED == 0 {
                return Some(Block {
                    payload_type: first,
                    timestamp_offset: 0,
                    payload: payload.get(self.primary_offset..)?,
                });
            }
            let (timestamp_offset, bytes) = older(header.first_chunk()?);
            let block = payload.get(at..at + usize::from(bytes))?;
            at += usize::from(bytes);
            Some(Block { payload_type: first & !FOLLOWED, timestamp_offset, payload: block })
        })
    }
}

/// Gives each block of the payload that `descriptor` was read from the payload type that `mapped` says (the low 7 bits
/// of it). False, with nothing changed, when it has none for one of them or the payload is another one.
pub fn rewrite(payload: &mut [u8], descriptor: &Descriptor, mapped: impl Fn(u8) -> Option<u8>) -> bool {
    let count = usize::from(descriptor.blocks);
    let is_mapped = |block: Block<'_>| mapped(block.payload_type).is_some();
    if descriptor.blocks(payload).filter(|block| is_mapped(*block)).count() != count {
        return false;
    }
    for first in payload.iter_mut().step_by(OLDER_HEADER_BYTES).take(count) {
        if let Some(payload_type) = mapped(*first & !FOLLOWED) {
            *first = *first & FOLLOWED | payload_type & !FOLLOWED;
        }
    }
    true
}

/// Timestamp offset (14 bits) and length in bytes (10 bits) in the header of a block that is not the last.
fn older(header: &[u8; OLDER_HEADER_BYTES]) -> (u16, u16) {
    let [_, high, middle, low] = *header;
    (u16::from_be_bytes([high, middle]) >> 2, u16::from_be_bytes([middle & 0x03, low]))
}

/// F: another block's header follows.
const FOLLOWED: u8 = 0x80;
const OLDER_HEADER_BYTES: usize = 4;
const PRIMARY_HEADER_BYTES: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// Opus (111) 20 ms ago, three bytes; now two bytes.
    const TWO: [u8; 10] = [0x80 | 111, 0x0F, 0x00, 3, 111, 0x78, 1, 2, 0x78, 9];

    #[test]
    fn blocks_are_found_with_their_ages() {
        let descriptor = Descriptor::parse(&TWO).unwrap();
        assert_eq!(descriptor, Descriptor { blocks: 2, primary_payload_type: 111, primary_offset: 8 });
        let older = Block { payload_type: 111, timestamp_offset: 960, payload: &[0x78, 1, 2] };
        let primary = Block { payload_type: 111, timestamp_offset: 0, payload: &[0x78, 9] };
        assert!(descriptor.blocks(&TWO).eq([older, primary]));
        let alone = Descriptor { blocks: 1, primary_payload_type: 0, primary_offset: 1 };
        assert_eq!(Descriptor::parse(&[0]), Some(alone), "nothing but a header");
    }

    #[test]
    fn only_payload_types_are_rewritten() {
        let mut payload = TWO;
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert!(rewrite(&mut payload, &descriptor, |given| (given == 111).then_some(100)));
        let mut expected = TWO;
        (expected[0], expected[4]) = (0x80 | 100, 100);
        assert_eq!(payload, expected);
    }

    #[test]
    fn unknown_payload_type_in_any_block_changes_nothing() {
        for at in [0, 4] {
            let mut payload = TWO;
            payload[at] = payload[at] & 0x80 | 5;
            let before = payload;
            let descriptor = Descriptor::parse(&payload).unwrap();
            assert!(!rewrite(&mut payload, &descriptor, |given| (given == 111).then_some(100)));
            assert_eq!(payload, before);
        }
    }

    #[test]
    fn mapped_payload_type_cannot_become_a_flag() {
        let mut payload = TWO;
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert!(rewrite(&mut payload, &descriptor, |_| Some(0xFF)));
        assert_eq!(Descriptor::parse(&payload).unwrap().blocks, 2);
    }

    #[test]
    fn headers_that_promise_too_much_are_refused() {
        assert_eq!(Descriptor::parse(&[]), None);
        for cut in 1..8 {
            assert_eq!(Descriptor::parse(&TWO[..cut]), None, "{cut}");
        }
        assert!(Descriptor::parse(&TWO[..8]).is_some(), "the primary block may be empty");
        let many = |count: usize| [[0x80, 0, 0, 0].repeat(count - 1), vec![0]].concat();
        assert_eq!(Descriptor::parse(&many(BLOCKS_MAX)).map(|red| red.blocks), Some(32));
        assert_eq!(Descriptor::parse(&many(BLOCKS_MAX + 1)), None);
    }
}
