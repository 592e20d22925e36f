//! Transport-wide numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01) of one machine, those that it gives and
//! those that it gets, each accounted for.
//!
//! Knows numbers and what became of each. Does not know packets or bytes. Used by `Actors`.
//! Invariant: what feedback calls arrived was carried; of what the worker numbered each number arrived or was lost.

/// Numbers that a machine gives to what it sends.
#[derive(Debug, Default)]
pub struct Numbers {
    /// The low 16 bits are on the wire.
    next: u64,
    first: u64,
    /// Of the last numbers: whether the path carried it. Made with the first.
    carried: Vec<u64>,
    /// Reports about them.
    pub feedback: u64,
}

impl Numbers {
    /// Beginning with this number.
    pub(super) fn from(first: u16) -> Self {
        Self { next: first.into(), first: first.into(), carried: Vec::new(), feedback: 0 }
    }

    /// How often the numbers wrapped.
    pub fn wraps(&self) -> u64 {
        self.next.saturating_sub(1) >> 16
    }

    pub(super) fn next(&self) -> u16 {
        low(self.next)
    }

    pub(super) fn sent(&mut self, is_carried: bool) {
        if self.carried.is_empty() {
            self.carried = vec![0; WORDS];
        }
        let (word, bit) = place(self.next);
        self.carried[word] = self.carried[word] & !bit | if is_carried { bit } else { 0 };
        self.next += 1;
    }

    /// The worker says when each number from `base` on arrived. (What was sent before the numbers began anew may still be
    /// reported on.)
    pub(super) fn on_feedback(&mut self, base: u16, arrivals: &[Option<u32>]) {
        self.feedback += 1;
        let behind = u64::from(low(self.next).wrapping_sub(base));
        let Some(begin) = self.next.checked_sub(behind).filter(|begin| *begin >= self.first) else { return };
        let end = begin + arrivals.len() as u64;
        assert!(end <= self.next, "feedback tells of number {end}, {} are sent", self.next);
        for (number, _) in (begin..end).zip(arrivals).filter(|(_, arrival)| arrival.is_some()) {
            let (word, bit) = place(number);
            assert!(
                self.carried[word] & bit != 0,
                "feedback says that number {number} arrived, which was lost"
            );
        }
    }
}

/// Numbers that the worker gave to what it sent here.
#[derive(Debug, Default)]
pub struct Counted {
    /// The first, once one came; the low 16 bits are on the wire.
    first: Option<u64>,
    highest: u64,
    /// Of the last numbers: whether it arrived or was lost.
    known: Vec<u64>,
    checks: u64,
    checks_before: u64,
}

impl Counted {
    /// How often the numbers wrapped.
    pub fn wraps(&self) -> u64 {
        self.first.map_or(0, |_| self.highest >> 16)
    }

    pub(super) fn checks(&self) -> u64 {
        self.checks + self.checks_before
    }

    pub(super) fn checked_before(&mut self, checks: u64) {
        self.checks_before = checks;
    }

    /// It came, or it will never come; each is told once. Every number far enough behind must be known.
    fn note(&mut self, number: u16, what: &str) {
        let Some(first) = self.first else {
            self.known = vec![0; WORDS];
            (self.first, self.highest) = (Some(number.into()), number.into());
            let (word, bit) = place(number.into());
            self.known[word] |= bit;
            return;
        };
        let ahead = i64::from(number.wrapping_sub(low(self.highest)).cast_signed());
        let Some(full) = self.highest.checked_add_signed(ahead).filter(|full| *full >= first) else { return };
        while self.highest < full {
            self.highest += 1;
            let (word, bit) = place(self.highest);
            self.known[word] &= !bit;
            if let Some(old) = self.highest.checked_sub(SETTLED).filter(|old| *old >= first + OVERTAKEN) {
                let (word, bit) = place(old);
                self.checks += 1;
                assert!(self.known[word] & bit != 0, "transport-wide number {old} neither came nor was lost");
            }
        }
        let (word, bit) = place(full);
        assert!(
            self.known[word] & bit == 0,
            "transport-wide number {full} {what} though it was known before"
        );
        self.known[word] |= bit;
    }

    pub(super) fn arrived(&mut self, number: u16) {
        self.note(number, "came");
    }

    pub(super) fn lost(&mut self, number: u16) {
        self.note(number, "was lost");
    }
}

fn low(number: u64) -> u16 {
    u16::try_from(number & 0xFFFF).unwrap_or(0)
}

fn place(number: u64) -> (usize, u64) {
    (usize::try_from(number / 64).unwrap_or(0) % WORDS, 1 << (number % 64))
}

/// Half of all numbers, so that none is mistaken for the one before it.
const WORDS: usize = 512;
/// So far behind nothing is on its way any more: at 1,000 packets a second, four seconds.
const SETTLED: u64 = 4_096;
/// Before the first that came may be others on their way.
const OVERTAKEN: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_came_or_were_lost_are_accounted_for_over_the_wrap() {
        let mut counted = Counted::default();
        for number in 65_000..140_000_u64 {
            if number % 7 == 0 { counted.lost(low(number)) } else { counted.arrived(low(number)) }
        }
        assert_eq!(counted.wraps(), 2);
        assert!(counted.checks() > 70_000);
    }

    #[test]
    #[should_panic(expected = "number 66000 neither came nor was lost")]
    fn a_number_that_nobody_saw_is_an_error() {
        let mut counted = Counted::default();
        (65_000..80_000_u64).filter(|number| *number != 66_000).for_each(|n| counted.arrived(low(n)));
    }

    #[test]
    #[should_panic(expected = "came though it was known")]
    fn a_number_that_comes_twice_is_an_error() {
        let mut counted = Counted::default();
        [1, 2, 3, 2].into_iter().for_each(|number| counted.arrived(number));
    }

    #[test]
    #[should_panic(expected = "number 65537 arrived, which was lost")]
    fn feedback_about_what_was_lost_is_an_error() {
        let mut numbers = Numbers::from(65_535);
        [true, true, false, true].into_iter().for_each(|is_carried| numbers.sent(is_carried));
        numbers.on_feedback(65_535, &[Some(1), Some(2), None, Some(3)]);
        assert_eq!((numbers.wraps(), numbers.feedback), (1, 1));
        numbers.on_feedback(0, &[Some(2), Some(3)]);
    }
}
