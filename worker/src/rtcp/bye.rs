//! BYE (RFC 3550 6.6): sources that leave.
//!
//! Knows the fields. The worker does not end a stream because of one: SSRCs come and go under a producer.

use crate::rtcp::cursor::{take, take_slice, take_u32};

/// Packet type of BYE.
pub(super) const BYE: u8 = 203;

/// Most sources of one BYE: the count has 5 bits.
pub const SOURCES_MAX: usize = 31;

/// BYE.
#[derive(Clone, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
    /// Why, as text of nobody's promised encoding.
    pub reason: Option<&'a [u8]>,
}

impl<'a> Bye<'a> {
    /// A reason that is cut off is as good as none.
    pub(super) fn parse(count: u8, mut body: &'a [u8]) -> Option<Self> {
        let sources = take_slice(&mut body, 4 * usize::from(count))?;
        let reason = take(&mut body).and_then(|[bytes]| take_slice(&mut body, usize::from(bytes)));
        Some(Self { sources, reason })
    }

    /// The sources that leave; may be none.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut rest = self.sources;
        std::iter::from_fn(move || take_u32(&mut rest))
    }
}

/// Bytes of the optional reason, its length byte and its padding to whole words included.
pub(super) const fn reason_len(reason: &[u8]) -> usize {
    if reason.is_empty() { 0 } else { (1 + reason.len()).next_multiple_of(4) }
}

#[cfg(test)]
mod tests {
    use crate::rtcp::{CompoundWriter, Packet, packets};

    fn read(bytes: &[u8]) -> (Vec<u32>, Option<Vec<u8>>) {
        match packets(bytes).next() {
            Some(Ok(Packet::Bye(bye))) => (bye.ssrcs().collect(), bye.reason.map(<[u8]>::to_vec)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sources_and_reason_survive_the_way_there_and_back() {
        for (ssrcs, reason, words) in
            [(&[1][..], &b""[..], 1), (&[1, 2], b"abc", 3), (&[1, 2], b"abcd", 4), (&[], b"", 0)]
        {
            let mut buffer = [0xEE; 64];
            let mut writer = CompoundWriter::new(&mut buffer);
            writer.bye(ssrcs, reason).unwrap();
            assert_eq!(writer.bytes()[3], words);
            let reason = (!reason.is_empty()).then(|| reason.to_vec());
            assert_eq!(read(writer.bytes()), (ssrcs.to_vec(), reason));
        }
    }

    #[test]
    fn a_count_beyond_the_body_is_malformed_and_a_cut_reason_is_none() {
        assert!(packets(&[0x82, 203, 0, 1, 0, 0, 0, 1]).next().unwrap().is_err());
        assert_eq!(read(&[0x81, 203, 0, 2, 0, 0, 0, 1, 4, b'a', b'b', b'c']), (vec![1], None));
    }
}
