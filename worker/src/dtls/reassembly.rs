//! Handshake messages from their fragments: in any order, overlapping, repeated (RFC 6347, section 4.2.3).
//!
//! Knows message numbers and byte ranges. Does not know what messages mean. Invariant: holds at most
//! [`HELD_BYTES_MAX`] bytes, whatever comes.

use super::wire::Fragment;

/// A whole handshake message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) sequence: u16,
    pub(super) body: Vec<u8>,
}

/// Messages that are not wanted yet, or not whole.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partials: Vec<Partial>,
}

#[derive(Debug)]
struct Partial {
    message: Message,
    /// What is still missing, from and to, in order.
    gaps: Vec<(usize, usize)>,
}

impl Reassembly {
    /// Takes a fragment of message `wanted` or one of the next few.
    pub(super) fn insert(&mut self, fragment: &Fragment<'_>, wanted: u16) {
        let ahead = fragment.sequence.checked_sub(wanted);
        if ahead.is_none_or(|ahead| ahead >= MESSAGES_AHEAD_MAX) || fragment.length > MESSAGE_BYTES_MAX {
            return;
        }
        let same = |partial: &Partial| partial.message.sequence == fragment.sequence;
        let index = self.partials.iter().position(same);
        let differs = |partial: &Partial| {
            partial.message.kind != fragment.kind || partial.message.body.len() != fragment.length
        };
        // One of the two is forged: the later one is taken, for whoever is honest sends again.
        let index = match index {
            Some(index) if self.partials.get(index).is_some_and(differs) => {
                self.partials.swap_remove(index);
                None
            }
            index => index,
        };
        let index = index.or_else(|| self.begin(fragment, wanted));
        if let Some(partial) = index.and_then(|index| self.partials.get_mut(index)) {
            partial.fill(fragment);
        }
    }

    /// Message `wanted`, if it is whole.
    pub(super) fn take(&mut self, wanted: u16) -> Option<Message> {
        let whole = |partial: &Partial| partial.message.sequence == wanted && partial.gaps.is_empty();
        let index = self.partials.iter().position(whole)?;
        let message = self.partials.swap_remove(index).message;
        if self.partials.is_empty() {
            self.partials = Vec::new();
        }
        Some(message)
    }

    /// Makes room for a message; the wanted one displaces those after it.
    fn begin(&mut self, fragment: &Fragment<'_>, wanted: u16) -> Option<usize> {
        let held: usize = self.partials.iter().map(|partial| partial.message.body.len()).sum();
        if held + fragment.length > HELD_BYTES_MAX {
            if fragment.sequence != wanted {
                return None;
            }
            self.partials.clear();
        }
        let whole = (0, fragment.length);
        self.partials.push(Partial {
            message: Message {
                kind: fragment.kind,
                sequence: fragment.sequence,
                body: vec![0; fragment.length],
            },
            gaps: if fragment.length == 0 { Vec::new() } else { vec![whole] },
        });
        self.partials.len().checked_sub(1)
    }
}

impl Partial {
    /// Takes what is missing; what is there already stays as it came first.
    fn fill(&mut self, fragment: &Fragment<'_>) {
        let (start, end) = (fragment.offset, fragment.offset + fragment.body.len());
        let mut left = Vec::with_capacity(self.gaps.len() + 1);
        for &(gap_start, gap_end) in &self.gaps {
            let (from, to) = (start.max(gap_start), end.min(gap_end));
            if from >= to {
                left.push((gap_start, gap_end));
                continue;
            }
            let place = self.message.body.get_mut(from..to);
            if let Some((place, bytes)) = place.zip(fragment.body.get(from - start..to - start)) {
                place.copy_from_slice(bytes);
            }
            left.extend([(gap_start, from), (to, gap_end)].into_iter().filter(|(from, to)| from < to));
        }
        if left.len() <= GAPS_MAX {
            self.gaps = left;
        }
    }
}

/// A certificate chain is the longest message there is; WebRTC's are of one certificate, below 2 kB.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// What one connection holds of a peer's flight.
pub(super) const HELD_BYTES_MAX: usize = 12 * 1024;
/// The longest flight has six messages.
const MESSAGES_AHEAD_MAX: u16 = 8;
/// Datagrams of 256 bytes cut the longest message into so many.
const GAPS_MAX: usize = 32;
const _: () = assert!(MESSAGE_BYTES_MAX <= HELD_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(sequence: u16, length: usize, offset: usize, body: &[u8]) -> Fragment<'_> {
        Fragment { kind: 11, length, sequence, offset, body }
    }

    #[test]
    fn any_order_and_overlap_gives_the_message() {
        let body: Vec<u8> = (0..100).collect();
        let cuts = [(0, 40), (30, 60), (90, 100), (55, 95), (0, 100)];
        for first in 0..cuts.len() {
            let mut reassembly = Reassembly::default();
            for step in 0..cuts.len() {
                let (from, to) = cuts[(first + step) % cuts.len()];
                reassembly.insert(&fragment(3, 100, from, &body[from..to]), 3);
            }
            assert_eq!(reassembly.take(3).unwrap().body, body);
            assert!(reassembly.take(3).is_none() && reassembly.partials.capacity() == 0);
        }
    }

    #[test]
    fn later_messages_wait_and_those_far_ahead_or_past_are_nothing() {
        let mut reassembly = Reassembly::default();
        for sequence in [0, 2, 5, 9, 10, u16::MAX] {
            reassembly.insert(&fragment(sequence, 1, 0, &[7]), 2);
        }
        assert!(reassembly.take(0).is_none() && reassembly.take(10).is_none());
        assert!(reassembly.take(2).is_some() && reassembly.take(5).is_some() && reassembly.take(9).is_some());
    }

    #[test]
    fn what_is_held_is_bounded_and_the_wanted_message_finds_room() {
        let mut reassembly = Reassembly::default();
        for sequence in 1..8 {
            reassembly.insert(&fragment(sequence, MESSAGE_BYTES_MAX, 0, &[1; 100]), 0);
        }
        reassembly.insert(&fragment(0, 1 << 20, 0, &[1; 100]), 0);
        let held: usize = reassembly.partials.iter().map(|partial| partial.message.body.len()).sum();
        assert_eq!(held, MESSAGE_BYTES_MAX);
        reassembly.insert(&fragment(0, MESSAGE_BYTES_MAX, 0, &[2; MESSAGE_BYTES_MAX]), 0);
        assert_eq!(reassembly.take(0).unwrap().body, [2; MESSAGE_BYTES_MAX]);
    }

    #[test]
    fn a_message_of_no_bytes_is_whole_at_once() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(&fragment(0, 0, 0, &[]), 0);
        assert!(reassembly.take(0).unwrap().body.is_empty());
    }
}
