//! One stream that a guest gets: what came, what is missing and asked for, what never came; and the transport-wide numbers
//! of all that came.
//!
//! Knows numbers and times. Does not know sockets or keys. Used by `guest`.
//! Invariant: each number between the first and the last that came is received, missing or lost, and counted once.

use std::collections::BTreeMap;

use tidegate_protocol::ids::ConsumerId;
use tidegate_worker::base::sequence::{Extender16, Serial16};

use crate::world::parameters::Stream;
use crate::world::rtcp::{Block, Rtcp};

/// What was counted of received streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) received: u64,
    pub(super) repaired: u64,
    pub(super) lost: u64,
    pub(super) duplicates: u64,
}

impl Counted {
    pub(super) const fn add(&mut self, other: Self) {
        self.received += other.received;
        self.repaired += other.repaired;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
    }
}

/// A consumer's stream at its guest.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) stream: Stream,
    pub(super) consumer: ConsumerId,
    /// What its payloads are stamped with.
    pub(super) stamp: u32,
    pub(super) counted: Counted,
    numbers: Extender16,
    missing: BTreeMap<u64, Missing>,
    /// Middle of the last sender report's time, and when it came.
    last_report: Option<(u32, u64)>,
}

/// A number that has not come.
#[derive(Clone, Copy, Debug)]
struct Missing {
    since_ns: u64,
    asked_ns: Option<u64>,
}

impl Incoming {
    pub(super) fn new(stream: Stream, consumer: ConsumerId, stamp: u32) -> Self {
        Self {
            stream,
            consumer,
            stamp,
            counted: Counted::default(),
            numbers: Extender16::new(),
            missing: BTreeMap::new(),
            last_report: None,
        }
    }

    /// A packet of this number came, by itself or again.
    pub(super) fn arrives(&mut self, sequence: u16, now_ns: u64, is_resend: bool) {
        let before = self.numbers.newest();
        let number = self.numbers.extend(Serial16::new(sequence));
        match before {
            Some(newest) if number <= newest => {
                if self.missing.remove(&number).is_none() {
                    self.counted.duplicates += 1;
                    return;
                }
                self.counted.repaired += u64::from(is_resend);
            }
            Some(newest) => {
                let absent = Missing { since_ns: now_ns, asked_ns: None };
                self.missing.extend((newest + 1..number).map(|number| (number, absent)));
            }
            None => {}
        }
        self.counted.received += 1;
    }

    /// Its sender reported.
    pub(super) fn takes_report(&mut self, ntp: u64, now_ns: u64) {
        let [_, _, a, b, c, d, _, _] = ntp.to_be_bytes();
        self.last_report = Some((u32::from_be_bytes([a, b, c, d]), now_ns));
    }

    /// Gives up what is too old, and says what to ask for now.
    pub(super) fn asks(&mut self, now_ns: u64) -> Vec<u16> {
        let given_up = |_: &u64, missing: &mut Missing| now_ns - missing.since_ns > GIVE_UP_NS;
        self.counted.lost += self.missing.extract_if(.., given_up).count() as u64;
        if !self.stream.nack {
            return Vec::new();
        }
        let mut wanted = Vec::new();
        for (number, missing) in &mut self.missing {
            let since_ns = missing.asked_ns.map_or(missing.since_ns + ASK_AFTER_NS, |at| at + ASK_AGAIN_NS);
            if now_ns >= since_ns && wanted.len() < ASKED_AT_ONCE {
                missing.asked_ns = Some(now_ns);
                let [.., high, low] = number.to_be_bytes();
                wanted.push(u16::from_be_bytes([high, low]));
            }
        }
        wanted
    }

    /// What a receiver report says of it; `None` before its first packet.
    pub(super) fn block(&self, now_ns: u64) -> Option<Block> {
        let [.., a, b, c, d] = self.numbers.newest()?.to_be_bytes();
        let (last_sr, delay) = self.last_report.map_or((0, 0), |(middle, came_ns)| {
            let units = u128::from(now_ns - came_ns) * 65_536 / 1_000_000_000;
            (middle, u32::try_from(units).unwrap_or(u32::MAX))
        });
        Some(Block {
            ssrc: self.stream.ssrc,
            fraction_lost: 0,
            cumulative_lost: i32::try_from(self.counted.lost).unwrap_or(0),
            extended_highest: u32::from_be_bytes([a, b, c, d]),
            jitter: 0,
            last_sr,
            delay,
        })
    }
}

/// Transport-wide numbers that came since they were last told of.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    numbers: Extender16,
    /// The first that was not told of.
    next: Option<u64>,
    /// When, in ticks of 250 us.
    came: BTreeMap<u64, u32>,
    told: u8,
}

impl Arrivals {
    pub(super) fn arrives(&mut self, wide: u16, now_ns: u64) {
        let number = self.numbers.extend(Serial16::new(wide));
        let [.., a, b, c, d] = (now_ns / TICK_NS).to_be_bytes();
        if self.next.is_none_or(|next| number >= next) {
            self.came.insert(number, u32::from_be_bytes([a, b, c, d]));
        }
    }

    /// Feedback about them, in packets that deltas and datagrams allow.
    pub(super) fn feedback(&mut self, sender: u32, media: u32) -> Vec<Rtcp> {
        let came = std::mem::take(&mut self.came);
        let mut packets = Vec::new();
        let mut open: Vec<Option<u32>> = Vec::new();
        let mut base = 0;
        let (Some((first, _)), Some((last, _))) = (came.first_key_value(), came.last_key_value()) else {
            return packets;
        };
        for number in self.next.unwrap_or(*first).max(last.saturating_sub(SPAN_MAX))..=*last {
            let at = came.get(&number).copied();
            if open.is_empty() && at.is_none() {
                continue;
            }
            if open.is_empty() {
                base = number;
            }
            open.push(at);
            if open.len() >= TOLD_AT_ONCE || number == *last {
                packets.push(self.packet(sender, media, base, std::mem::take(&mut open)));
            }
        }
        self.next = Some(last + 1);
        packets
    }

    const fn packet(&mut self, sender: u32, media: u32, base: u64, arrivals: Vec<Option<u32>>) -> Rtcp {
        let [.., high, low] = base.to_be_bytes();
        let count = self.told;
        self.told = count.wrapping_add(1);
        Rtcp::WideFeedback { sender, media, base: u16::from_be_bytes([high, low]), count, arrivals }
    }
}

const ASK_AFTER_NS: u64 = 10_000_000;
const ASK_AGAIN_NS: u64 = 150_000_000;
/// The worker keeps a packet half a second at least, and a busy machine is slow.
const GIVE_UP_NS: u64 = 3_000_000_000;
const ASKED_AT_ONCE: usize = 64;
const TICK_NS: u64 = 250_000;
/// Each takes four bytes.
const TOLD_AT_ONCE: usize = 200;
const SPAN_MAX: u64 = 4_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::rtcp;

    fn camera() -> Incoming {
        Incoming::new(Stream::vp8(10).with_rtx(11), ConsumerId(1), 7)
    }

    #[test]
    fn what_is_missing_is_asked_for_and_counted_once() {
        let mut camera = camera();
        for sequence in [65_534, 65_535, 2] {
            camera.arrives(sequence, 0, false);
        }
        assert!(camera.asks(0).is_empty());
        assert_eq!(camera.asks(ASK_AFTER_NS), [0, 1]);
        assert!(camera.asks(ASK_AFTER_NS).is_empty(), "once is enough for a while");
        camera.arrives(0, ASK_AFTER_NS, true);
        camera.arrives(0, ASK_AFTER_NS, true);
        assert!(camera.asks(GIVE_UP_NS + 1).is_empty());
        let expected = Counted { received: 4, repaired: 1, lost: 1, duplicates: 1 };
        assert_eq!(camera.counted, expected);
        assert_eq!(camera.block(0).unwrap().cumulative_lost, 1);
        assert_eq!(camera.block(0).unwrap().extended_highest & 0xFFFF, 2);
    }

    #[test]
    fn feedback_names_each_number_once_over_the_wrap_around() {
        let mut arrivals = Arrivals::default();
        assert!(arrivals.feedback(1, 2).is_empty());
        for wide in [65_534, 65_535, 1] {
            arrivals.arrives(wide, 1_000_000);
        }
        let told = arrivals.feedback(1, 2);
        let [Rtcp::WideFeedback { base: 65_534, arrivals: ticks, .. }] = &*told else { panic!("{told:?}") };
        assert_eq!(ticks[..], [Some(4), Some(4), None, Some(4)]);
        assert_eq!(rtcp::read(&rtcp::write(&told)), Ok(told));
        arrivals.arrives(3, 2_000_000);
        let told = arrivals.feedback(1, 2);
        assert!(matches!(&*told, [Rtcp::WideFeedback { base: 3, .. }]), "{told:?}");
    }
}
