//! Transport-wide feedback: what is told of arrivals is what arrived, number by number, against a model that keeps all.
//!
//! Knows `tidegate_worker::bwe::feedback` and the bed's own reader of RTCP. Called through [`super::ALL`], [`play`] also
//! by `tests/congestion.rs`, for long.
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_worker::base::sequence::{Serial16, Serial32};
use tidegate_worker::base::time::Time;
use tidegate_worker::bwe::feedback::Arrivals;
use tidegate_worker::rtcp::{COMPOUND_BYTES_MAX, CompoundWriter, WideFeedbackHead};

use super::rtcp_expected::{Read, Wide, compound};
use crate::fuzz::Dice;
use crate::world;
use crate::world::rtcp::Rtcp;

/// Packets that come, are lost, come late or twice, as the bytes choose.
pub fn arrivals(data: &[u8]) {
    let mut dice = Dice::of_bytes(data);
    let mut model = Model::begin(&mut dice);
    while !dice.is_used_up() {
        model.step(&mut dice);
    }
    model.report();
}

/// What [`play`] went through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Played {
    /// Numbers that were sent.
    pub numbers: u64,
    /// How often they began again at 0.
    pub wraps: u64,
    /// Arrivals.
    pub arrived: u64,
    /// Of those, after later ones were told.
    pub late: u64,
    /// Feedback packets.
    pub packets: u64,
}

/// The same, for so many steps.
pub fn play(dice: &mut Dice, steps: usize) -> Played {
    let mut model = Model::begin(dice);
    for _ in 0..steps {
        model.step(dice);
    }
    model.report();
    Played {
        numbers: model.newest - model.first,
        wraps: (model.newest >> 16) - (model.first >> 16),
        ..model.played
    }
}

/// What arrived, in plain numbers.
struct Model {
    arrivals: Arrivals,
    now_us: u64,
    report_us: u64,
    first: u64,
    /// That was sent, arrived or not.
    newest: u64,
    newest_arrived: u64,
    arrived: BTreeMap<u64, u64>,
    /// Numbers that have not arrived yet, and when they were sent.
    missing: Vec<(u64, u64)>,
    untold: BTreeSet<u64>,
    /// What the next report must begin with.
    next: u64,
    played: Played,
}

impl Model {
    fn begin(dice: &mut Dice) -> Self {
        let first = 0x1_0000 + u64::from(u16::from_be_bytes([dice.byte(), dice.byte()]));
        // The ticks of 250 us wrap at 2^32 of them.
        let now_us = if dice.chance(50) { 250 * ((1 << 32) - 4_000) } else { 1_000_000 };
        let mut model = Self {
            arrivals: Arrivals::new(),
            now_us,
            report_us: now_us + REPORT_US,
            first,
            newest: first,
            newest_arrived: first,
            arrived: BTreeMap::new(),
            missing: Vec::new(),
            untold: BTreeSet::new(),
            next: first,
            played: Played::default(),
        };
        model.arrive(first, 0);
        model
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(16) {
            0..6 => self.send(1, u64::from(dice.byte()) * 100, dice),
            6..9 => self.send(1 + dice.below(100), 100 + u64::from(dice.byte()), dice),
            9 | 10 => self.lose(1 + dice.below(20)),
            11 | 12 => {
                let at = dice.below(self.missing.len());
                let late = self.missing.get(at).filter(|(_, sent)| self.now_us - sent < STILL_US).copied();
                if let Some((number, _)) = late {
                    self.missing.swap_remove(at);
                    self.arrive(number, 0);
                }
            }
            13 | 14 => {
                let number = self.newest.saturating_sub(dice.below(50) as u64);
                if self.arrived.get(&number).is_some_and(|at| self.now_us - at < STILL_US) {
                    self.arrive(number, 0);
                }
            }
            _ => self.pass(20_000 * u64::from(dice.byte())),
        }
    }

    /// Sends packets that arrive, so many microseconds apart; the turn that takes them comes up to 5 ms later.
    fn send(&mut self, count: usize, apart_us: u64, dice: &mut Dice) {
        for _ in 0..count {
            self.pass(apart_us.max(100));
            self.newest += 1;
            self.arrive(self.newest, dice.below(5_000) as u64);
        }
    }

    fn lose(&mut self, count: usize) {
        for _ in 0..count {
            self.pass(100);
            self.newest += 1;
            self.missing.push((self.newest, self.now_us));
        }
    }

    fn pass(&mut self, micros: u64) {
        let end = self.now_us + micros;
        while self.report_us <= end {
            self.now_us = self.report_us;
            self.report_us += REPORT_US;
            self.report();
        }
        self.now_us = end;
    }

    fn arrive(&mut self, number: u64, before_us: u64) {
        let at = self.now_us - before_us;
        self.arrivals.on_packet(serial(number), Time::from_nanos(1_000 * at));
        if self.arrived.contains_key(&number) {
            return;
        }
        self.arrived.insert(number, at);
        self.untold.insert(number);
        self.played.arrived += 1;
        self.played.late += u64::from(number < self.next);
        self.next = self.next.min(number);
        self.newest_arrived = self.newest_arrived.max(number);
    }

    /// All that arrived is told, as it arrived; of nothing else is said that it arrived, or that it did not.
    fn report(&mut self) {
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let mut written = CompoundWriter::new(&mut buffer);
        while self.arrivals.write_next(&mut written, 7, 9) {
            let read = world::rtcp::read(written.bytes()).expect("what was written can be read");
            let [Rtcp::WideFeedback { sender: 7, media: 9, base, count, arrivals }] = &read[..] else {
                panic!("{read:?}")
            };
            assert_eq!((*base, u64::from(*count)), (serial(self.next).wire(), self.played.packets % 256));
            for tick in arrivals {
                let at = self.arrived.get(&self.next);
                assert_eq!(*tick, at.map(|at| ticks(*at)), "number {} of {}", self.next, self.first);
                self.untold.remove(&self.next);
                self.next += 1;
            }
            self.played.packets += 1;
            written.clear();
        }
        assert_eq!(self.untold.first(), None, "an arrival was not told");
        assert_eq!(self.next, self.newest_arrived + 1);
        self.arrivals.forget(Time::from_nanos(1_000 * self.now_us));
        self.missing.retain(|(_, sent)| self.now_us - sent < STILL_US);
        if self.arrived.len() > 2 * REMEMBERED {
            self.arrived = self.arrived.split_off(&(self.newest - REMEMBERED as u64));
        }
    }
}

/// What feedback says can be said again by our writer, in one packet or more, and is read the same.
pub(super) fn assert_told_again(wide: &Wide) {
    let arrivals = wide.arrivals();
    let (mut base, mut from) = (Serial16::new(wide.base), 0);
    while arrivals[from..].iter().any(Option::is_some) {
        let mut buffer = [0xA7; COMPOUND_BYTES_MAX + 8];
        let mut writer = CompoundWriter::new(&mut buffer);
        let head =
            WideFeedbackHead { sender_ssrc: wide.sender, media_ssrc: wide.media, base, count: wide.count };
        let rest = arrivals[from..].iter().map(|tick| tick.map(Serial32::new));
        let taken = writer.wide_feedback(&head, rest).expect("a compound has room for one that arrived");
        let end = from + usize::from(taken);
        assert!(end == arrivals.len() || writer.len() + 8 > COMPOUND_BYTES_MAX, "room was left");
        assert!(writer.len() <= COMPOUND_BYTES_MAX);
        let read = compound(writer.bytes());
        let [Read::WideFeedback(again)] = &read[..] else { panic!("{read:?}") };
        assert_eq!(again.arrivals(), arrivals[from..end]);
        assert_eq!((again.base, again.count, again.sender), (base.wire(), wide.count, wide.sender));
        assert!(world::rtcp::read(writer.bytes()).is_ok(), "the strict reader refuses it");
        (base, from) = (base.add(taken), end);
    }
}

fn serial(number: u64) -> Serial16 {
    Serial16::new(u16::try_from(number & 0xFFFF).expect("16 bits"))
}

/// The nearest tick, in 32 bits.
fn ticks(micros: u64) -> u32 {
    u32::try_from(((micros + 125) / 250) & 0xFFFF_FFFF).expect("32 bits")
}

const REPORT_US: u64 = 100_000;
/// Late and repeated packets come within this time: after half a second they would not be told any more.
const STILL_US: u64 = 400_000;
const REMEMBERED: usize = 10_000;
