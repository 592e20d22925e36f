//! Source descriptions (RFC 3550 6.5): the CNAME that ties a sender's streams together.
//!
//! Knows chunks and items. Only the CNAME has a meaning to us. Invariant: text is bytes; nobody promised UTF-8.

use crate::rtcp::cursor::{Sink, take, take_slice, take_u32};

/// Packet type of SDES.
pub(super) const SDES: u8 = 202;

/// Item type of the canonical name (RFC 3550 6.5.1).
pub const CNAME: u8 = 1;

/// Longest text of an item.
pub const TEXT_BYTES_MAX: usize = 255;

/// SDES.
#[derive(Clone, Debug)]
pub struct Sdes<'a> {
    count: u8,
    chunks: &'a [u8],
}

/// What is said about one source.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// SSRC or CSRC.
    pub ssrc: u32,
    items: &'a [u8],
}

impl<'a> Sdes<'a> {
    pub(super) const fn parse(count: u8, body: &'a [u8]) -> Self {
        Self { count, chunks: body }
    }

    /// The chunks, at most 31. A malformed one ends them.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk<'a>> + use<'a> {
        let mut rest = self.chunks;
        let next = move || {
            let ssrc = take_u32(&mut rest)?;
            let items_bytes = items_len(rest)?;
            let items = take_slice(&mut rest, items_bytes)?;
            Some(Chunk { ssrc, items })
        };
        std::iter::from_fn(next).take(usize::from(self.count))
    }

    /// SSRC and CNAME of each source that has one.
    pub fn cnames(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        self.chunks().filter_map(|chunk| Some((chunk.ssrc, chunk.cname()?)))
    }
}

impl<'a> Chunk<'a> {
    /// Item types and texts, in order.
    pub fn items(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.items;
        std::iter::from_fn(move || next_item(&mut rest))
    }

    /// The first CNAME.
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items().find(|(item, _)| *item == CNAME).map(|(_, text)| text)
    }
}

/// Takes an item off; `None` at the end of the list, which is a zero byte, and where the bytes end too early.
fn next_item<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let [item, bytes] = take(rest)?;
    let text = take_slice(rest, usize::from(bytes))?;
    (item != 0).then_some((item, text))
}

/// Length of a chunk's item list: up to the zero byte that ends it, then to a multiple of 4 (RFC 3550 6.5). The chunk
/// starts at such a multiple, and its SSRC is 4 bytes long, so the list's own length tells.
fn items_len(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while *rest.first()? != 0 {
        next_item(&mut rest)?;
    }
    let items = bytes.len().checked_sub(rest.len())?;
    Some((items + 1).next_multiple_of(4))
}

/// Bytes of a chunk with a CNAME of this length.
pub(super) const fn cname_chunk_len(cname_bytes: usize) -> usize {
    // SSRC, item type and length, text, and at least one zero byte.
    (4 + 2 + cname_bytes + 1).next_multiple_of(4)
}

/// Writes a chunk with a CNAME of at most 255 bytes, and zeros to the end of `sink`.
pub(super) fn write_cname_chunk(mut sink: Sink<'_>, ssrc: u32, cname: &[u8]) -> Option<()> {
    sink.put_u32(ssrc)?;
    sink.put(&[CNAME, u8::try_from(cname.len()).ok()?])?;
    sink.put(cname)?;
    sink.fill();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{CompoundWriter, Packet, packets};
    use proptest::prelude::*;

    fn cnames(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        match packets(bytes).next() {
            Some(Ok(Packet::Sdes(sdes))) => sdes.cnames().map(|(ssrc, name)| (ssrc, name.to_vec())).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cname_is_always_followed_by_a_zero_and_padded() {
        for (name, words) in [(&b""[..], 2), (b"a", 2), (b"ab", 3), (b"abcde", 3), (b"abcdef", 4)] {
            let mut buffer = [0xEE; 64];
            let mut writer = CompoundWriter::new(&mut buffer);
            writer.cname(7, name).unwrap();
            let bytes = writer.bytes();
            assert_eq!((bytes[0], bytes[1], bytes[3]), (0x81, 202, words), "{name:?}");
            assert_eq!(bytes.last(), Some(&0));
            assert_eq!(cnames(bytes), [(7, name.to_vec())]);
        }
    }

    #[test]
    fn other_items_and_several_chunks_are_walked_over() {
        let bytes = [
            0x83, 202, 0, 11, // three chunks
            0, 0, 0, 1, 2, 2, b'n', b'm', 1, 3, b'a', b'b', b'c', 0, 0, 0, // NAME, then CNAME
            0, 0, 0, 2, 0, 0, 0, 0, // no item at all
            0, 0, 0, 3, 6, 0, 1, 1, b'z', 0, 0, 0, // TOOL empty, CNAME
            0, 0, 0, 4, 1, 1, b'x', 0, // a chunk beyond the count
        ];
        assert_eq!(cnames(&bytes), [(1, b"abc".to_vec()), (3, b"z".to_vec())]);
    }

    #[test]
    fn a_cut_chunk_ends_the_list_and_keeps_the_ones_before() {
        let bytes = [
            0x82, 202, 0, 5, // two chunks
            0, 0, 0, 1, 1, 1, b'a', 0, //
            0, 0, 0, 2, 1, 200, b'b', b'c', 0, 0, 0, 0,
        ];
        assert_eq!(cnames(&bytes), [(1, b"a".to_vec())]);
    }

    #[test]
    fn a_text_of_256_bytes_is_refused() {
        let mut buffer = [0; 1292];
        let mut writer = CompoundWriter::new(&mut buffer);
        assert!(writer.cname(1, &[b'a'; 256]).is_err());
        assert!(writer.is_empty());
        assert!(writer.cname(1, &[b'a'; 255]).is_ok());
    }

    proptest! {
        #[test]
        fn any_chunks_are_read_without_panic(
            count in 0_u8..32,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let sdes = Sdes::parse(count, &body);
            let items = sdes.chunks().map(|chunk| chunk.items().count()).sum::<usize>();
            prop_assert!(items <= body.len());
        }
    }
}
