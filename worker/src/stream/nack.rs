//! Loss list of one received stream: which sequence numbers to ask for again, and when.
//!
//! Knows sequence numbers, which of them began key frames, and round-trip time. Does not know RTCP bytes (RFC 4585
//! 6.2.1 generic NACK is `rtcp::nack`), whether NACK was negotiated, or what sends it. Called by `Producer::admit`
//! for each packet and by the transport's NACK deadline.
//! Invariant: `missing` is sorted, has at most [`MISSING_MAX`] entries, and each is older than `newest` by at most
//! [`AGE_MAX`] numbers.

use std::time::Duration;

use super::RTT_UNKNOWN;
use crate::base::sequence::Seq;
use crate::base::time::Time;

/// What an arrival meant for the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The newest so far; this many numbers before it were missing and are listed now.
    Newest {
        /// 0 in an orderly stream.
        missing: u16,
    },
    /// It was listed, and had been asked for this many times.
    Found {
        /// 0: it was only reordered.
        requests: u8,
    },
    /// Older than the newest and not listed: nobody waits for it.
    Unlisted,
    /// So much is missing that asking for it is pointless: the list was cleared, a key frame is needed.
    KeyFrameNeeded,
}

/// Decides what to request with NACK. An empty list takes no heap memory until the first loss.
#[derive(Debug, Default)]
pub struct LossList {
    newest: Option<Seq>,
    /// The newest number known to begin, or belong to, a key frame: losses before it do not matter to a decoder.
    key_frame: Option<Seq>,
    missing: Vec<Missing>,
    /// Whether anything was missing since the last [`trim`](LossList::trim).
    used: bool,
    repaired: u64,
    retransmitted: u64,
}

const _: () = assert!(size_of::<LossList>() <= 80);

#[derive(Debug)]
struct Missing {
    seq: Seq,
    /// When to ask, or to give up after the last request.
    due_at: Time,
    requests: u8,
}

const _: () = assert!(size_of::<Missing>() == 24);

impl LossList {
    /// The list of a stream that has not begun.
    pub const fn new() -> Self {
        Self {
            newest: None,
            key_frame: None,
            missing: Vec::new(),
            used: false,
            repaired: 0,
            retransmitted: 0,
        }
    }

    /// Records a packet that arrived under its own SSRC. One that was asked for counts as retransmitted and repaired.
    pub fn on_arrival(&mut self, seq: Seq, now: Time) -> Arrival {
        let arrival = self.admit(seq, now);
        if let Arrival::Found { requests: 1.. } = arrival {
            self.retransmitted += 1;
            self.repaired += 1;
        }
        arrival
    }

    /// Records a packet that arrived through RTX (RFC 4588) by its original number. One that nobody waits for
    /// ([`Arrival::Unlisted`]) is to be dropped; one newer than all is as good as a first arrival: senders probe with such.
    pub fn on_retransmission(&mut self, seq: Seq, now: Time) -> Arrival {
        let arrival = self.admit(seq, now);
        self.retransmitted += 1;
        self.repaired += u64::from(matches!(arrival, Arrival::Found { .. }));
        arrival
    }

    /// Notes that `seq` belongs to a key frame. Best before its [`on_arrival`](Self::on_arrival): when the gap before
    /// it does not fit the list, it is the packet that makes the gap forgettable.
    pub fn on_key_frame(&mut self, seq: Seq) {
        self.key_frame = self.key_frame.max(Some(seq));
    }

    /// Sequence numbers due for a request at `now`, in order, at most one RTCP packet's worth: [`ITEMS_MAX`] items of
    /// 17 numbers. What is not taken from the iterator stays due. `rtt` is the round trip to the sender, if known.
    pub fn due(&mut self, now: Time, rtt: Option<Duration>) -> impl Iterator<Item = Seq> + '_ {
        self.missing.retain(|missing| missing.requests < REQUESTS_MAX || missing.due_at > now);
        let again_at = now + rtt.unwrap_or(RTT_UNKNOWN).clamp(RETRY_MIN, RETRY_MAX);
        let mut items = 0;
        let mut item_end = Seq::new(0);
        self.missing.iter_mut().filter(move |missing| missing.due_at <= now).map_while(move |missing| {
            if missing.seq >= item_end {
                if items == ITEMS_MAX {
                    return None;
                }
                items += 1;
                item_end = missing.seq + ITEM_NUMBERS;
            }
            missing.requests += 1;
            missing.due_at = again_at;
            Some(missing.seq)
        })
    }

    /// When [`due`](Self::due) will next have something to do. Looks at the whole list.
    pub fn next_deadline(&self) -> Option<Time> {
        self.missing.iter().map(|missing| missing.due_at).min()
    }

    /// Forgets everything but the counters (pause, restart): the next arrival begins anew. Gives all memory back.
    pub fn clear(&mut self) {
        let (repaired, retransmitted) = (self.repaired, self.retransmitted);
        *self = Self { repaired, retransmitted, ..Self::new() };
    }

    /// Gives the memory back when nothing was missing since the last call: call it about once a second. (Not as
    /// soon as the list is empty: at one loss a second that would be an allocation for each.)
    pub fn trim(&mut self) {
        if !self.used && self.missing.is_empty() {
            self.missing = Vec::new();
        }
        self.used = !self.missing.is_empty();
    }

    /// Whether anything arrived since the beginning or since all was forgotten: what is listed is behind that.
    pub const fn has_begun(&self) -> bool {
        self.newest.is_some()
    }

    /// How many numbers are missing.
    pub const fn len(&self) -> usize {
        self.missing.len()
    }

    /// Whether no number is missing.
    pub const fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// Packets that were missing and came after a request.
    pub const fn packets_repaired(&self) -> u64 {
        self.repaired
    }

    /// Packets that came again: all through RTX, and the requested ones without.
    pub const fn packets_retransmitted(&self) -> u64 {
        self.retransmitted
    }

    fn admit(&mut self, seq: Seq, now: Time) -> Arrival {
        let Some(newest) = self.newest else {
            self.newest = Some(seq);
            return Arrival::Newest { missing: 0 };
        };
        if seq <= newest {
            return self.find(seq);
        }
        self.newest = Some(seq);
        self.forget_before(Seq::new(seq.extended().saturating_sub(AGE_MAX)));
        self.list(newest.next(), seq, now)
    }

    fn find(&mut self, seq: Seq) -> Arrival {
        match self.missing.binary_search_by_key(&seq, |missing| missing.seq) {
            Ok(index) => Arrival::Found { requests: self.missing.remove(index).requests },
            Err(_) => Arrival::Unlisted,
        }
    }

    /// Lists the numbers from `first` up to, not including, `end`.
    fn list(&mut self, first: Seq, end: Seq, now: Time) -> Arrival {
        let mut first = first;
        if !self.fits(first, end)
            && let Some(key_frame) = self.key_frame
        {
            self.forget_before(key_frame);
            first = first.max(key_frame);
        }
        if !self.fits(first, end) {
            self.missing.clear();
            return Arrival::KeyFrameNeeded;
        }
        let due_at = now + FIRST_REQUEST_AFTER;
        let numbers = first.extended()..end.extended();
        let missing = u16::try_from(end.since(first)).unwrap_or(u16::MAX);
        self.missing.extend(numbers.map(|number| Missing { seq: Seq::new(number), due_at, requests: 0 }));
        self.used |= missing > 0;
        Arrival::Newest { missing }
    }

    fn fits(&self, first: Seq, end: Seq) -> bool {
        self.missing.len() as u64 + end.since(first) <= MISSING_MAX as u64
    }

    fn forget_before(&mut self, seq: Seq) {
        let count = self.missing.partition_point(|missing| missing.seq < seq);
        self.missing.drain(..count);
    }
}

/// One second of 1 Mb/s video in 125-byte packets. A longer list is repaired by a key frame.
pub const MISSING_MAX: usize = 1_000;
/// Numbers further behind the newest are not asked for any more.
pub const AGE_MAX: u64 = 10_000;
/// How often one number is asked for.
pub const REQUESTS_MAX: u8 = 10;
/// A gap may be reordering: it is asked for when it is this old.
pub const FIRST_REQUEST_AFTER: Duration = Duration::from_millis(10);
/// Numbers per NACK item: one and a mask of 16 (RFC 4585 6.2.1).
pub const ITEM_NUMBERS: u64 = 17;
/// Items of one request: 1,024 bytes, which fits an RTCP packet of 1,292 with room for its headers and SRTCP's tail.
pub const ITEMS_MAX: usize = 256;

/// On a very short path ten requests would else be used up within one burst of loss.
const RETRY_MIN: Duration = Duration::from_millis(20);
/// Whatever the peer says of the round trip: a repair that comes later is of no use to anybody.
const RETRY_MAX: Duration = Duration::from_millis(1_000);

#[cfg(test)]
mod tests;
