//! The count of one stream at one sink: what of the window came, what twice, what late.
//!
//! Knows packet numbers as the source counts them (they never wrap). Does not know RTP. Called by the sinks.
//! Its invariant: a number inside the window is counted as received at most once, as long as it comes within 1,024
//! numbers of the newest.

use std::ops::Range;

/// What a packet was, by the order in which numbers came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Newer than all before.
    Next,
    /// Older than one before, and not seen yet.
    Late,
    /// Seen before (or so old that it cannot be told).
    Duplicate,
}

/// Counts one stream.
#[derive(Clone, Debug)]
pub struct Tally {
    window: Range<u64>,
    /// One past the newest number.
    next: u64,
    /// Bit `n % 1,024` is set when number `n` of the last 1,024 came.
    seen: [u64; WORDS],
    /// Numbers of the window that came.
    pub received: u64,
    /// Numbers of the window that came again.
    pub duplicates: u64,
    /// Numbers of the window that came after a later one.
    pub disordered: u64,
}

impl Tally {
    /// Nothing came yet, and no window is open.
    pub const fn new() -> Self {
        Self { window: 0..0, next: 0, seen: [0; WORDS], received: 0, duplicates: 0, disordered: 0 }
    }

    /// Counts numbers from `first` on.
    pub const fn open_window(&mut self, first: u64) {
        self.window = first..u64::MAX;
        self.received = 0;
        self.duplicates = 0;
        self.disordered = 0;
    }

    /// Stops counting at `end`: later numbers are not of the window.
    pub const fn close_window(&mut self, end: u64) {
        self.window.end = end;
    }

    /// How many numbers the closed window has.
    pub const fn expected(&self) -> u64 {
        self.window.end.saturating_sub(self.window.start)
    }

    /// A packet came. `None`: it is not of the window.
    pub fn on_packet(&mut self, number: u64) -> Option<Order> {
        let order = self.order(number);
        if !self.window.contains(&number) {
            return None;
        }
        match order {
            Order::Next => self.received += 1,
            Order::Late => {
                self.received += 1;
                self.disordered += 1;
            }
            Order::Duplicate => self.duplicates += 1,
        }
        Some(order)
    }

    fn order(&mut self, number: u64) -> Order {
        if number >= self.next {
            let skipped = number - self.next;
            (0..skipped.min(SPAN)).for_each(|back| self.set(number - 1 - back, false));
            self.set(number, true);
            self.next = number + 1;
            return Order::Next;
        }
        if self.next - number > SPAN || self.is_set(number) {
            return Order::Duplicate;
        }
        self.set(number, true);
        Order::Late
    }

    fn set(&mut self, number: u64, came: bool) {
        let (word, bit) = place(number);
        if came {
            self.seen[word] |= bit;
        } else {
            self.seen[word] &= !bit;
        }
    }

    fn is_set(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.seen[word] & bit != 0
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

fn place(number: u64) -> (usize, u64) {
    let within = number % SPAN;
    (usize::try_from(within / 64).unwrap_or(0), 1 << (within % 64))
}

const WORDS: usize = 16;
const SPAN: u64 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_the_window_opened_does_not_count() {
        let mut tally = Tally::new();
        tally.on_packet(0);
        tally.open_window(10);
        assert_eq!(tally.on_packet(9), None);
        assert_eq!(tally.on_packet(10), Some(Order::Next));
        tally.close_window(12);
        assert_eq!(tally.on_packet(11), Some(Order::Next));
        assert_eq!(tally.on_packet(12), None);
        assert_eq!((tally.expected(), tally.received), (2, 2));
    }

    #[test]
    fn late_and_repeated_packets_are_told_apart() {
        let mut tally = Tally::new();
        tally.open_window(0);
        let orders = [0, 2, 1, 1, 3, 2].map(|number| tally.on_packet(number));
        let expected =
            [Order::Next, Order::Next, Order::Late, Order::Duplicate, Order::Next, Order::Duplicate];
        assert_eq!(orders, expected.map(Some));
        assert_eq!((tally.received, tally.disordered, tally.duplicates), (4, 1, 2));
    }

    #[test]
    fn a_gap_longer_than_the_memory_leaves_no_old_marks() {
        let mut tally = Tally::new();
        tally.open_window(0);
        (0..1_024).for_each(|number| _ = tally.on_packet(number));
        tally.on_packet(5_000);
        assert_eq!(tally.on_packet(4_999), Some(Order::Late));
        assert_eq!(tally.on_packet(5_000 - 1_023), Some(Order::Late));
        assert_eq!(tally.on_packet(10), Some(Order::Duplicate));
    }
}
