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
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const RTT: Option<Duration> = Some(Duration::from_millis(50));

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    /// A list to which these numbers arrived at time 0.
    fn after(numbers: &[u64]) -> LossList {
        let mut list = LossList::new();
        for &number in numbers {
            list.on_arrival(Seq::new(number), ms(0));
        }
        list
    }

    fn due(list: &mut LossList, at: u64, rtt: Option<Duration>) -> Vec<u64> {
        list.due(ms(at), rtt).map(Seq::extended).collect()
    }

    #[test]
    fn a_gap_is_asked_for_after_ten_milliseconds_and_then_each_round_trip() {
        let mut list = after(&[70_000, 70_003]);
        assert_eq!(list.next_deadline(), Some(ms(10)));
        assert_eq!(due(&mut list, 9, RTT), []);
        assert_eq!(due(&mut list, 10, RTT), [70_001, 70_002]);
        assert_eq!(list.next_deadline(), Some(ms(60)));
        assert_eq!(due(&mut list, 59, RTT), []);
        assert_eq!(due(&mut list, 60, None), [70_001, 70_002]);
        assert_eq!(list.next_deadline(), Some(ms(160)), "100 ms when the round trip is unknown");
        assert_eq!(due(&mut list, 160, Some(Duration::ZERO)), [70_001, 70_002]);
        assert_eq!(list.next_deadline(), Some(ms(180)), "no sooner than after 20 ms");
        assert_eq!(due(&mut list, 180, Some(Duration::from_secs(60))), [70_001, 70_002]);
        assert_eq!(list.next_deadline(), Some(ms(1_180)), "no later than after a second");
    }

    #[test]
    fn a_number_is_asked_for_ten_times_and_awaited_once_more() {
        let mut list = after(&[100, 102]);
        let asked = (0..100).filter(|turn| !due(&mut list, 10 + turn * 50, RTT).is_empty()).count();
        assert_eq!(asked, 10);
        assert!(list.is_empty());
        assert_eq!(list.next_deadline(), None);

        let mut list = after(&[100, 102]);
        assert!(!list.is_empty());
        for turn in 0..10 {
            due(&mut list, 10 + turn * 50, RTT);
        }
        assert_eq!(due(&mut list, 479, RTT), []);
        assert_eq!(list.on_retransmission(Seq::new(101), ms(480)), Arrival::Found { requests: 10 });
    }

    #[test]
    fn a_list_begins_with_the_first_arrival_and_again_after_all_was_forgotten() {
        let mut list = LossList::new();
        assert!(!list.has_begun());
        list.on_arrival(Seq::new(70_000), ms(0));
        assert!(list.has_begun());
        list.clear();
        assert!(!list.has_begun());
    }

    #[test]
    fn reordering_is_no_repair() {
        let mut list = after(&[100, 102]);
        assert_eq!(list.on_arrival(Seq::new(101), ms(3)), Arrival::Found { requests: 0 });
        assert_eq!(list.on_arrival(Seq::new(101), ms(4)), Arrival::Unlisted);
        assert_eq!((list.packets_repaired(), list.packets_retransmitted()), (0, 0));
    }

    #[test]
    fn repairs_are_counted_with_and_without_rtx() {
        let mut list = after(&[100, 103]);
        due(&mut list, 10, RTT);
        list.on_arrival(Seq::new(101), ms(40));
        assert_eq!((list.packets_repaired(), list.packets_retransmitted()), (1, 1));
        list.on_retransmission(Seq::new(102), ms(40));
        assert_eq!(list.on_retransmission(Seq::new(102), ms(41)), Arrival::Unlisted);
        assert_eq!((list.packets_repaired(), list.packets_retransmitted()), (2, 3));
        assert_eq!(list.on_retransmission(Seq::new(105), ms(50)), Arrival::Newest { missing: 1 });
        list.clear();
        assert_eq!(
            (list.packets_repaired(), list.packets_retransmitted()),
            (2, 4),
            "counters outlive a pause"
        );
    }

    #[test]
    fn overflow_forgets_what_is_before_the_newest_key_frame() {
        let mut list = after(&[1_000, 1_601]);
        list.on_key_frame(Seq::new(1_500));
        assert_eq!(list.on_arrival(Seq::new(2_102), ms(1)), Arrival::Newest { missing: 500 });
        assert_eq!(list.len(), 601);
        assert_eq!(due(&mut list, 11, RTT)[0], 1_500);
    }

    #[test]
    fn overflow_without_a_key_frame_asks_for_one() {
        let mut list = after(&[1_000]);
        assert_eq!(list.on_arrival(Seq::new(2_001), ms(1)), Arrival::Newest { missing: 1_000 });
        assert_eq!(list.on_arrival(Seq::new(2_003), ms(1)), Arrival::KeyFrameNeeded);
        assert!(list.is_empty());
        assert_eq!(list.on_arrival(Seq::new(2_005), ms(2)), Arrival::Newest { missing: 1 });
    }

    #[test]
    fn a_key_frame_after_a_long_gap_makes_the_gap_forgettable() {
        let mut list = after(&[1_000]);
        list.on_key_frame(Seq::new(3_500));
        assert_eq!(list.on_arrival(Seq::new(3_500), ms(1)), Arrival::Newest { missing: 0 });
    }

    #[test]
    fn numbers_ten_thousand_behind_are_given_up() {
        let mut list = after(&[1_000, 1_002]);
        for number in 1_003..=11_001 {
            list.on_arrival(Seq::new(number), ms(0));
        }
        assert_eq!(list.len(), 1);
        list.on_arrival(Seq::new(11_002), ms(0));
        assert_eq!(list.len(), 0);
    }

    #[test]
    fn one_request_fits_one_packet_and_the_rest_stays_due() {
        let mut list = LossList::new();
        let mut number = 70_000;
        for _ in 0..=400 {
            list.on_arrival(Seq::new(number), ms(0));
            // Two neighbours missing, then 20 present: an item for each pair.
            (number + 3..number + 23).for_each(|present| {
                list.on_arrival(Seq::new(present), ms(0));
            });
            number += 23;
        }
        assert_eq!(due(&mut list, 10, RTT).len(), 2 * ITEMS_MAX);
        assert_eq!(list.next_deadline(), Some(ms(10)));
        assert_eq!(due(&mut list, 10, RTT).len(), list.len() - 2 * ITEMS_MAX);
        assert_eq!(due(&mut list, 10, RTT), []);
    }

    #[test]
    fn memory_is_taken_at_the_first_loss_and_given_back_when_quiet() {
        let mut list = after(&[100, 101]);
        assert_eq!(list.missing.capacity(), 0);
        list.on_arrival(Seq::new(103), ms(0));
        list.on_arrival(Seq::new(102), ms(1));
        list.trim();
        assert!(list.missing.capacity() > 0, "lost something within the last second");
        list.on_arrival(Seq::new(104), ms(1_000));
        list.trim();
        assert_eq!(list.missing.capacity(), 0);
    }

    /// The rules on a plain map from number to (due at, requests).
    #[derive(Default)]
    struct Model {
        newest: Option<u64>,
        key_frame: u64,
        missing: BTreeMap<u64, (Time, u8)>,
    }

    impl Model {
        fn on_arrival(&mut self, number: u64, now: Time) -> Arrival {
            let Some(newest) = self.newest.replace(number) else { return Arrival::Newest { missing: 0 } };
            if number <= newest {
                self.newest = Some(newest);
                let found = self.missing.remove(&number);
                return found.map_or(Arrival::Unlisted, |(_, requests)| Arrival::Found { requests });
            }
            let mut gap: Vec<u64> = (newest + 1..number).collect();
            self.missing.retain(|&missing, _| missing + AGE_MAX >= number);
            if self.missing.len() + gap.len() > MISSING_MAX {
                self.missing.retain(|&missing, _| missing >= self.key_frame);
                gap.retain(|&missing| missing >= self.key_frame);
            }
            if self.missing.len() + gap.len() > MISSING_MAX {
                self.missing.clear();
                return Arrival::KeyFrameNeeded;
            }
            self.missing.extend(gap.iter().map(|&missing| (missing, (now + FIRST_REQUEST_AFTER, 0))));
            Arrival::Newest { missing: u16::try_from(gap.len()).unwrap() }
        }

        fn due(&mut self, now: Time) -> Vec<u64> {
            self.missing.retain(|_, (at, requests)| *requests < REQUESTS_MAX || *at > now);
            let due: Vec<u64> =
                self.missing.iter().filter(|(_, (at, _))| *at <= now).map(|(&n, _)| n).collect();
            let (mut asked, mut item_starts) = (Vec::new(), Vec::<u64>::new());
            for number in due {
                if item_starts.last().is_none_or(|&start| number > start + 16) {
                    item_starts.push(number);
                }
                if item_starts.len() <= ITEMS_MAX {
                    asked.push(number);
                }
            }
            for number in &asked {
                let entry = self.missing.get_mut(number).unwrap();
                *entry = (now + Duration::from_millis(50), entry.1 + 1);
            }
            asked
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Ahead(u64),
        Behind(u64),
        KeyFrame,
        Wait(u64),
        Clear,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            20 => Just(Op::Ahead(1)),
            10 => (1..30_u64).prop_map(Op::Ahead),
            2 => (1..2_999_u64).prop_map(Op::Ahead),
            10 => (0..40_u64).prop_map(Op::Behind),
            1 => (0..1_500_u64).prop_map(Op::Behind),
            2 => Just(Op::KeyFrame),
            12 => (0..40_u64).prop_map(Op::Wait),
            1 => Just(Op::Clear),
        ]
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        #[test]
        fn asks_for_what_the_rules_say(ops in prop::collection::vec(op(), 1..500)) {
            let (mut list, mut model) = (after(&[1 << 16]), Model::default());
            model.on_arrival(1 << 16, ms(0));
            let (mut top, mut now) = (1 << 16, ms(0));
            for op in ops {
                match op {
                    Op::Ahead(step) => {
                        top += step;
                        prop_assert_eq!(list.on_arrival(Seq::new(top), now), model.on_arrival(top, now));
                    }
                    Op::Behind(step) => {
                        let number = top - step;
                        prop_assert_eq!(list.on_retransmission(Seq::new(number), now), model.on_arrival(number, now));
                    }
                    Op::KeyFrame => {
                        list.on_key_frame(Seq::new(top));
                        model.key_frame = model.key_frame.max(top);
                    }
                    Op::Wait(millis) => {
                        now = now + Duration::from_millis(millis);
                        prop_assert_eq!(due(&mut list, now.as_millis(), RTT), model.due(now));
                    }
                    Op::Clear => {
                        list.clear();
                        model = Model::default();
                        prop_assert_eq!(list.on_arrival(Seq::new(top), now), Arrival::Newest { missing: 0 });
                        model.newest = Some(top);
                    }
                }
                prop_assert!(list.len() <= MISSING_MAX);
                prop_assert_eq!(list.len(), model.missing.len());
                prop_assert_eq!(list.next_deadline(), model.missing.values().map(|&(at, _)| at).min());
            }
        }
    }
}
