//! Numbers of a received stream: extended, each with what came under it, what is missing and when to ask for it.
//!
//! Knows sequence numbers and times. Does not know payloads. Used by [`Sink`](super::Sink) alone.
//! Invariant: under each number comes no more than was sent: one packet, and one for each request that arrived.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_worker::base::time::Time;

use crate::world::rtcp::Block;
use crate::world::source::fixed_point;

/// What a sink asks for again, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A gap this old is no reordering.
    pub first_after: Duration,
    /// From request to request.
    pub again_after: Duration,
    /// Then it is given up.
    pub give_up_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_after: Duration::from_millis(10),
            again_after: Duration::from_millis(60),
            give_up_after: Duration::from_millis(900),
        }
    }
}

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Media,
    Rtx,
}

/// What an arrival meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The first under its number, which was not asked for.
    First,
    /// The first under its number, which was asked for.
    Repaired,
    /// It was there already, or is too old to tell.
    Again,
}

/// The numbers of one stream.
#[derive(Debug)]
pub(super) struct Reception {
    window: Vec<Slot>,
    base: i64,
    highest: i64,
    missing: VecDeque<Missing>,
    /// Arrivals under the stream's own numbers, copies included (RFC 3550 A.3).
    received: u64,
    prior: (u64, u64),
    transit: Option<u32>,
    /// In sixteenths.
    jitter: u32,
    last_sr: Option<(u32, Time)>,
    pub(super) given_up: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    number: i64,
    media: u8,
    rtx: u8,
    /// Requests that reached the worker.
    requests: u8,
    /// Arrivals that the path took.
    lost: u8,
    /// When the first and the last request that reached the worker were sent.
    asked_at: Option<(Time, Time)>,
}

impl Slot {
    const fn of(number: i64) -> Self {
        Self { number, media: 0, rtx: 0, requests: 0, lost: 0, asked_at: None }
    }
}

/// A number that is waited for no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenUp {
    pub(super) number: i64,
    /// When the gap showed.
    pub(super) since: Time,
    /// How often the path took it.
    pub(super) lost: u8,
    /// When the first and the last request that reached the worker were sent.
    pub(super) asked_at: Option<(Time, Time)>,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    number: i64,
    since: Time,
    ask_at: Time,
}

impl Reception {
    /// A stream whose first number is this one. What came under the last `remembers` numbers is known.
    pub(super) fn new(first: u16, remembers: usize) -> Self {
        let first = i64::from(first);
        Self {
            window: vec![Slot::of(i64::MIN); remembers.max(1)],
            base: first,
            highest: first - 1,
            missing: VecDeque::new(),
            received: 0,
            prior: (0, 0),
            transit: None,
            jitter: 0,
            last_sr: None,
            given_up: 0,
        }
    }

    /// A number in full: the one closest to the highest so far.
    pub(super) fn extend(&self, sequence: u16) -> i64 {
        let distance = sequence.wrapping_sub(low16(self.highest)).cast_signed();
        self.highest + i64::from(distance)
    }

    /// A packet came. A gap before it is asked for after `ask_after`, if at all.
    pub(super) fn on_packet(
        &mut self,
        number: i64,
        way: Way,
        is_copy: bool,
        ask_after: Option<Duration>,
        now: Time,
    ) -> Came {
        self.received += u64::from(way == Way::Media);
        if number > self.highest {
            self.advance(number, ask_after, now);
        } else if number < self.base {
            self.begin_earlier(number, ask_after, now);
        }
        let Some(slot) = self.slot(number).filter(|_| !is_copy) else { return Came::Again };
        let is_first = slot.media + slot.rtx == 0;
        let was_asked_for = slot.requests > 0;
        let (count, most) = match way {
            Way::Media => (&mut slot.media, 1 + slot.requests),
            Way::Rtx => (&mut slot.rtx, slot.requests),
        };
        *count += 1;
        assert!(*count <= most, "number {number} came {count} times by {way:?}, {most} are explained");
        if is_first && let Ok(at) = self.missing.binary_search_by_key(&number, |missing| missing.number) {
            self.missing.remove(at);
        }
        match (is_first, was_asked_for) {
            (false, _) => Came::Again,
            (true, true) => Came::Repaired,
            (true, false) => Came::First,
        }
    }

    /// A number whose request has so many arrivals at the worker.
    pub(super) fn on_asked(&mut self, number: i64, arrivals: u8, now: Time) {
        if let Some(slot) = self.slot(number) {
            slot.requests = slot.requests.saturating_add(arrivals);
            if arrivals > 0 {
                slot.asked_at = Some((slot.asked_at.map_or(now, |(first, _)| first), now));
            }
        }
    }

    /// The path took a packet with this number.
    pub(super) fn on_lost(&mut self, number: i64) {
        if let Some(slot) = self.slot(number) {
            slot.lost = slot.lost.saturating_add(1);
        }
    }

    /// How often the numbers wrapped.
    pub(super) fn wraps(&self) -> u64 {
        u64::try_from(self.highest >> 16).unwrap_or(0)
    }

    /// Interarrival jitter (RFC 3550 A.8).
    pub(super) fn on_transit(&mut self, timestamp: u32, clock_rate: u32, now: Time) {
        let arrival = u128::from(now.as_nanos()) * u128::from(clock_rate) / 1_000_000_000;
        let transit = u32::try_from(arrival & 0xFFFF_FFFF).unwrap_or(0).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            self.jitter = self.jitter.saturating_add(change).saturating_sub((self.jitter + 8) >> 4);
        }
    }

    pub(super) fn on_sender_report(&mut self, compact_ntp: u32, now: Time) {
        self.last_sr = Some((compact_ntp, now));
    }

    /// Numbers to ask for now.
    pub(super) fn due(
        &mut self,
        patience: &Patience,
        now: Time,
        due: &mut Vec<i64>,
        given_up: &mut Vec<GivenUp>,
    ) {
        let give_up = |missing: &Missing| now.since(missing.since) >= patience.give_up_after;
        while let Some(Missing { number, since, .. }) = self.missing.pop_front_if(|missing| give_up(missing))
        {
            self.given_up += 1;
            let (lost, asked_at) = self.slot(number).map_or((0, None), |slot| (slot.lost, slot.asked_at));
            given_up.push(GivenUp { number, since, lost, asked_at });
        }
        for missing in self.missing.iter_mut().filter(|missing| missing.ask_at <= now).take(REQUEST_MAX) {
            missing.ask_at = now + patience.again_after;
            due.push(missing.number);
        }
    }

    /// When [`due`](Self::due) has something to do.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.missing.iter().map(|missing| missing.ask_at).min()
    }

    pub(super) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Waits for nothing any more that is missing now.
    pub(super) fn forget_missing(&mut self) {
        self.given_up += self.missing.len() as u64;
        self.missing.clear();
    }

    /// The report block of now (RFC 3550 6.4.1, A.3).
    pub(super) fn report(&mut self, ssrc: u32, now: Time) -> Block {
        let expected = u64::try_from(self.highest - self.base + 1).unwrap_or(0);
        let (expected_before, received_before) =
            std::mem::replace(&mut self.prior, (expected, self.received));
        let due = expected - expected_before;
        let lost =
            i64::try_from(due).unwrap_or(0) - i64::try_from(self.received - received_before).unwrap_or(0);
        let fraction_lost = match (u64::try_from(lost), due) {
            (Ok(lost), 1..) => u8::try_from((lost * 256 / due).min(255)).unwrap_or(255),
            _ => 0,
        };
        let all_lost = i64::try_from(expected).unwrap_or(0) - i64::try_from(self.received).unwrap_or(0);
        let (last_sr, delay) = self.last_sr.map_or((0, 0), |(sr, at)| (sr, fixed_point(now.since(at))));
        Block {
            ssrc,
            fraction_lost,
            cumulative_lost: i32::try_from(all_lost.clamp(-0x80_0000, 0x7F_FFFF)).unwrap_or(0),
            extended_highest: u32::try_from(self.highest & 0xFFFF_FFFF).unwrap_or(0),
            jitter: self.jitter >> 4,
            last_sr,
            delay,
        }
    }

    fn advance(&mut self, number: i64, ask_after: Option<Duration>, now: Time) {
        let first = (self.highest + 1).max(number - self.length() + 1);
        for passed in first..=number {
            let place = self.place(passed);
            let slot = &mut self.window[place];
            // Whoever was lost has a slot before it is missed.
            if slot.number != passed {
                *slot = Slot::of(passed);
            }
        }
        let gap = usize::try_from(number - first).unwrap_or(usize::MAX);
        if let Some(ask_after) = ask_after.filter(|_| self.missing.len() + gap <= MISSING_MAX) {
            let ask_at = now + ask_after;
            self.missing.extend((first..number).map(|number| Missing { number, since: now, ask_at }));
        }
        self.highest = number;
    }

    /// The stream began before the first packet that came: so it was overtaken, and maybe others between the two.
    fn begin_earlier(&mut self, number: i64, ask_after: Option<Duration>, now: Time) {
        let overtaken = std::mem::replace(&mut self.base, number);
        if let Some(ask_after) = ask_after.filter(|_| overtaken - number < OVERTAKEN_MAX) {
            let ask_at = now + ask_after;
            for number in (number + 1..overtaken).rev() {
                self.missing.push_front(Missing { number, since: now, ask_at });
            }
        }
    }

    fn length(&self) -> i64 {
        i64::try_from(self.window.len()).unwrap_or(i64::MAX)
    }

    fn place(&self, number: i64) -> usize {
        usize::try_from(number.rem_euclid(self.length())).unwrap_or(0)
    }

    fn slot(&mut self, number: i64) -> Option<&mut Slot> {
        // Below the first one: it was overtaken, and has no slot yet.
        let place = self.place(number);
        let slot = &mut self.window[place];
        if slot.number < number {
            *slot = Slot::of(number);
        }
        Some(slot).filter(|slot| slot.number == number)
    }
}

/// The low 16 bits: what is on the wire.
pub(super) fn low16(number: i64) -> u16 {
    u16::try_from(number & 0xFFFF).unwrap_or(0)
}

/// More than a worker remembers.
pub(super) const REMEMBERS: usize = 8_192;
const MISSING_MAX: usize = 1_000;
/// More than reordering explains.
const OVERTAKEN_MAX: i64 = 100;
/// Numbers in one request: a NACK item each, which fits a datagram.
const REQUEST_MAX: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Option<Duration> = Some(Duration::from_millis(10));

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn due(reception: &mut Reception, at: u64) -> Vec<i64> {
        let mut due = Vec::new();
        reception.due(&Patience::default(), ms(at), &mut due, &mut Vec::new());
        due
    }

    /// A reception to which these numbers came at time 0.
    fn after(numbers: &[u16]) -> Reception {
        let mut reception = Reception::new(numbers[0], REMEMBERS);
        for number in numbers {
            let number = reception.extend(*number);
            assert_eq!(reception.on_packet(number, Way::Media, false, AFTER, ms(0)), Came::First);
        }
        reception
    }

    #[test]
    fn gaps_are_asked_for_over_the_wrap_until_they_are_filled_or_given_up() {
        let mut reception = after(&[65_533, 1]);
        assert_eq!((due(&mut reception, 9), reception.next_due()), (vec![], Some(ms(10))));
        assert_eq!(due(&mut reception, 10), [65_534, 65_535, 65_536]);
        reception.on_asked(65_535, 1, ms(10));
        assert_eq!(reception.on_packet(65_535, Way::Rtx, false, AFTER, ms(20)), Came::Repaired);
        assert_eq!(due(&mut reception, 70), [65_534, 65_536]);
        assert_eq!((due(&mut reception, 900), reception.given_up, reception.missing()), (vec![], 2, 0));
    }

    #[test]
    fn a_stream_whose_first_packets_were_overtaken_began_earlier() {
        let mut reception = after(&[100, 101, 97]);
        assert_eq!(due(&mut reception, 10), [98, 99]);
        assert_eq!(reception.report(7, ms(20)).cumulative_lost, 2);
    }

    #[test]
    fn reports_count_what_was_expected_and_came() {
        let mut reception = after(&[10, 11, 13, 14]);
        let block = reception.report(7, ms(20));
        assert_eq!((block.cumulative_lost, block.fraction_lost, block.extended_highest), (1, 51, 14));
        reception.on_sender_report(0x1234, ms(100));
        let block = reception.report(7, ms(600));
        assert_eq!((block.fraction_lost, block.last_sr, block.delay), (0, 0x1234, 32_768));
    }

    #[test]
    #[should_panic(expected = "came 2 times")]
    fn a_second_packet_that_nobody_asked_for_is_an_error() {
        let mut reception = after(&[10, 11]);
        assert_eq!(
            reception.on_packet(10, Way::Media, true, AFTER, ms(1)),
            Came::Again,
            "the network's copy"
        );
        reception.on_packet(11, Way::Media, false, AFTER, ms(1));
    }
}
