//! Bits in the order of the wire, highest first: f(n) and ns(n) of the AV1 RTP specification, A.8.2.
//!
//! Knows bytes and a position in bits. Called by the other files of this folder. Invariant: a reader never passes its
//! end, a writer never its room; a step that cannot be made gives `None`.

/// Reads bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// A reader of `bytes` that begins with bit `at`.
    pub(super) const fn at(bytes: &'a [u8], at: u16) -> Self {
        Self { bytes, at: at as usize }
    }

    /// The position; `None` beyond what any extension value can have.
    pub(super) fn position(&self) -> Option<u16> {
        u16::try_from(self.at).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit != 0)
    }

    /// f(count), of at most 32 bits.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0u32, |number, _| Some(number << 1 | u32::from(self.flag()?)))
    }

    /// f(count), of at most 8 bits.
    pub(super) fn small(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.take(count)?).ok()
    }

    /// ns(values): a number below `values`, which is at least 1. Small numbers may take one bit less than large ones.
    pub(super) fn non_symmetric(&mut self, values: u8) -> Option<u8> {
        let bits = u8::BITS - values.leading_zeros();
        let short = (1u32 << bits) - u32::from(values);
        let number = self.take(bits.checked_sub(1)?)?;
        if number < short {
            return u8::try_from(number).ok();
        }
        u8::try_from((number << 1) + u32::from(self.flag()?) - short).ok()
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        let at = self.at + count;
        self.at = Some(at).filter(|at| *at <= self.bytes.len() * 8)?;
        Some(())
    }
}

/// Writes bits.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The low `count` bits of `number`, at most 32.
    pub(super) fn put(&mut self, count: u32, number: u32) -> Option<()> {
        (0..count).rev().try_for_each(|bit| self.put_flag(number >> bit & 1 != 0))
    }

    /// Copies the bits from `from` to before `to`; none when `to` is not behind `from`.
    pub(super) fn copy(&mut self, bytes: &[u8], from: u16, to: u16) -> Option<()> {
        let mut reader = BitReader::at(bytes, from);
        (from..to).try_for_each(|_| self.put_flag(reader.flag()?))
    }

    /// Bytes written, the last one filled up with zeros.
    pub(super) const fn finish(self) -> usize {
        self.at.div_ceil(8)
    }

    fn put_flag(&mut self, flag: bool) -> Option<()> {
        let byte = self.bytes.get_mut(self.at / 8)?;
        let (shift, first) = (7 - self.at % 8, self.at.is_multiple_of(8));
        *byte = if first { 0 } else { *byte } | u8::from(flag) << shift;
        self.at += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn non_symmetric_numbers_are_those_of_the_specification() {
        // Its table for ns(5): 00 01 10 110 111.
        let mut reader = BitReader::at(&[0b0001_1011, 0b0111_0000], 0);
        let numbers: Vec<_> = (0..5).map(|_| reader.non_symmetric(5).unwrap()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(reader.position(), Some(12));
    }

    #[test]
    fn one_possible_value_takes_no_bits() {
        let mut reader = BitReader::at(&[], 0);
        assert_eq!((reader.non_symmetric(1), reader.position()), (Some(0), Some(0)));
    }

    #[test]
    fn nothing_is_read_or_written_beyond_the_end() {
        let mut reader = BitReader::at(&[0xFF], 5);
        assert_eq!((reader.take(3), reader.take(1), reader.flag()), (Some(7), None, None));
        assert_eq!(BitReader::at(&[0xFF], 5).skip(4), None);
        let mut byte = [0];
        let mut writer = BitWriter::new(&mut byte);
        assert_eq!((writer.put(8, 0xA5), writer.put(1, 1)), (Some(()), None));
        assert_eq!(byte, [0xA5]);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(numbers in proptest::collection::vec((0u32..=32, any::<u32>()), 0..20)) {
            let mut bytes = [0xEE; 80];
            let mut writer = BitWriter::new(&mut bytes);
            for (count, number) in &numbers {
                writer.put(*count, *number).unwrap();
            }
            let bits: u32 = numbers.iter().map(|(count, _)| count).sum();
            prop_assert_eq!(writer.finish(), usize::try_from(bits.div_ceil(8)).unwrap());
            let mut reader = BitReader::at(&bytes, 0);
            for (count, number) in numbers {
                let kept = if count == 32 { number } else { number & ((1 << count) - 1) };
                prop_assert_eq!(reader.take(count), Some(kept));
            }
        }
    }
}
