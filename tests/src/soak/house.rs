//! Rooms of four in which people come, pause and go, and the world around them.
//!
//! Knows who sits where and what follows when. Does not know how long it goes on or what is printed. Used by `soak`.
//! Invariant: who is there gets everything of everybody else in the room, and nothing of those who left is kept.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use tidegate_protocol::ids::RouterId;
use tidegate_protocol::request::Command;

use super::stay::{self, Getting, Pace, Sending, Stay};
use super::totals::Totals;
use super::weather::Weather;
use crate::scenarios::draw::Draw;
use crate::world::network::Direction;
use crate::world::peer::address;
use crate::world::run::Origin;
use crate::world::{Beginning, SinkId, SourceId, World};

/// All rooms.
#[derive(Debug)]
pub(super) struct House {
    pub(super) world: World,
    pub(super) totals: Totals,
    rooms: Vec<RouterId>,
    seats: Vec<Seat>,
    plan: BinaryHeap<Reverse<(u64, u64, Act)>>,
    planned: u64,
    stays: u64,
    next_ssrc: u32,
    pace: Pace,
    /// The longest stay.
    stay_ms_max: u32,
    /// The longest time between two stays.
    away_ms_max: u32,
    draw: Draw,
    /// Seconds since 1900 when the world began.
    wall_seconds: u32,
}

/// A place in a room, where one participant after the other sits.
#[derive(Debug)]
struct Seat {
    room: usize,
    address: SocketAddr,
    /// Whoever sits here stays to the end.
    is_taken_for_good: bool,
    stay: Option<Stay>,
}

/// What is planned. Stays and seats by their numbers: what is about a stay that has ended is not done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Join(usize),
    Leave(usize, u64),
    Weather(usize, u64),
    /// Somebody pauses something.
    Pause(usize, u64),
    ResumeConsumer(usize, u64, u64),
    ResumeProducer(usize, u64, usize),
    /// A producer goes on since some seconds: what is lost now is to be asked for.
    Expect(usize, u64, usize),
    /// Nothing is on its way to them any more.
    Bury(Vec<SinkId>, Vec<SourceId>),
}

impl House {
    /// Empty rooms, in which everybody is going to arrive.
    pub(super) fn new(seed: u64, rooms: usize, pace: Pace, virtual_time: Duration) -> Self {
        let mut draw = Draw::of(seed);
        // NTP's era ends soon, and with it the middle of its time wraps.
        let wall_seconds = u32::MAX - draw.between(2, 30);
        let mut world = World::from(Beginning { wall_seconds, ..Beginning::of(seed) });
        world.count_from((1 << 32) - 50);
        let routers: Vec<RouterId> = (0..rooms).map(|_| world.router()).collect();
        let seat = |index: usize| Seat {
            room: index / SEATS,
            address: address(u8::try_from(index + 1).expect("at most 63 rooms"), 4_000),
            is_taken_for_good: index % SEATS < SEATED_FOR_GOOD,
            stay: None,
        };
        // In a short run too people come and go.
        let part = |divisor: u128| u32::try_from(virtual_time.as_millis() / divisor).unwrap_or(u32::MAX);
        let mut house = Self {
            world,
            totals: Totals::default(),
            rooms: routers,
            seats: (0..rooms * SEATS).map(seat).collect(),
            plan: BinaryHeap::new(),
            planned: 0,
            stays: 0,
            next_ssrc: u32::MAX - 60,
            pace,
            stay_ms_max: part(6).clamp(STAY_MS.0 + 1, STAY_MS.1),
            away_ms_max: part(20).clamp(AWAY_MS.0 + 1, AWAY_MS.1),
            draw,
            wall_seconds,
        };
        for seat in 0..house.seats.len() {
            let at = house.draw.millis(0, 2_000);
            house.plan_in(at, Act::Join(seat));
        }
        house
    }

    /// Lets time pass up to `at_ms` since the beginning; what is planned happens on the way.
    pub(super) fn run_until(&mut self, at_ms: u64) {
        while let Some(Reverse((at, ..))) = self.plan.peek()
            && *at <= at_ms
        {
            let Some(Reverse((at, _, act))) = self.plan.pop() else { return };
            self.pass_to(at);
            self.act(act);
        }
        self.pass_to(at_ms);
    }

    /// Participants that are there.
    pub(super) fn present(&self) -> usize {
        self.seats.iter().filter(|seat| seat.stay.is_some()).count()
    }

    /// Nobody comes, goes or pauses any more, and paths are calm: then everybody must have everything.
    pub(super) fn settle(&mut self) {
        self.plan.retain(|Reverse((.., act))| matches!(act, Act::Bury(..)));
        for seat in 0..self.seats.len() {
            self.resume_all(seat);
        }
        self.pass(5_000);
        self.world.settle();
        self.pass(3_000);
        for stay in self.seats.iter().filter_map(|seat| seat.stay.as_ref()) {
            for getting in &stay.gets {
                let sink = self.world.sink(getting.watch.sink);
                let (stats, sent) = (sink.stats(), self.world.source(sink.source()).stats());
                let last = stats.first_and_last.map(|(_, last)| last + 1);
                assert_eq!(stats.missing, 0, "something is missing after the repair window: {stats:?}");
                assert_eq!(last, Some(sent.packets), "the last packets did not come: {stats:?} {sent:?}");
            }
        }
    }

    /// Everybody leaves and the rooms are closed; the worker's tables must be empty.
    pub(super) fn close(&mut self) {
        for seat in 0..self.seats.len() {
            self.leaves(seat);
        }
        self.run_until(self.world.elapsed_ms() + BURY_MS);
        for seat in 0..self.seats.len() {
            self.renumber(seat, 0);
        }
        for router in std::mem::take(&mut self.rooms) {
            self.world.done(Command::CloseRouter { router });
        }
        self.world.take_events();
        self.pass(60_000);
        let compact = (u64::from(self.wall_seconds & 0xFFFF) + self.world.elapsed_ms() / 1_000) >> 16;
        self.totals.wraps.compact_ntp.add(compact);
    }

    fn pass_to(&mut self, at_ms: u64) {
        let now = self.world.elapsed_ms();
        if at_ms > now {
            self.pass(at_ms - now);
        }
    }

    fn pass(&mut self, millis: u64) {
        self.world.run_for(millis);
        self.world.take_events();
    }

    fn plan_in(&mut self, millis: u64, act: Act) {
        let at = self.world.elapsed_ms() + millis;
        self.plan.push(Reverse((at, self.planned, act)));
        self.planned += 1;
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Join(seat) => self.joins(seat),
            Act::Leave(seat, stay) if self.is_there(seat, stay) => self.leaves(seat),
            Act::Weather(seat, stay) if self.is_there(seat, stay) => self.weather_changes(seat),
            Act::Pause(seat, stay) if self.is_there(seat, stay) => self.pauses(seat),
            Act::ResumeConsumer(seat, stay, consumer) if self.is_there(seat, stay) => {
                self.resume_consumer(seat, consumer);
            }
            Act::ResumeProducer(seat, stay, which) if self.is_there(seat, stay) => {
                self.resume_producer(seat, which);
            }
            Act::Expect(seat, stay, which) if self.is_there(seat, stay) => self.expects(seat, which),
            Act::Bury(sinks, sources) => self.buries(&sinks, &sources),
            _ => {}
        }
    }

    fn is_there(&self, seat: usize, stay: u64) -> bool {
        self.seats[seat].stay.as_ref().is_some_and(|there| there.number == stay)
    }

    fn joins(&mut self, seat: usize) {
        let at = self.seats[seat].address;
        let weather = Weather::of(&mut self.draw);
        let first_wide = 0u16.wrapping_sub(u16::try_from(self.draw.between(0, 300)).expect("few"));
        self.renumber(seat, first_wide);
        let transport = self.world.connected(self.rooms[self.seats[seat].room], at);
        let number = self.stays;
        self.stays += 1;
        self.totals.events.joins += 1;
        let mut sends = Vec::new();
        for which in 0..2 {
            let ssrc = self.take_ssrcs();
            let options = stay::sends(which, ssrc, at, self.pace, &mut self.draw);
            let producer = self.world.produce(transport.id, &options.stream);
            let source = self.world.add_source(options, transport);
            sends.push(Sending { origin: Origin { source, transport, producer }, is_paused: false });
        }
        let next_ssrc = u32::MAX - self.draw.between(0, 20);
        let stay = Stay { number, transport, weather, sends, gets: Vec::new(), next_ssrc };
        self.seats[seat].stay = Some(stay);
        self.weather_changes(seat);
        for other in self.others(seat) {
            self.gets_all_of(seat, other);
            self.gets_all_of(other, seat);
        }
        let pause_in = self.draw.millis(3_000, 60_000);
        self.plan_in(pause_in, Act::Pause(seat, number));
        if !self.seats[seat].is_taken_for_good {
            let stays_for = self.stays_for();
            self.plan_in(stays_for, Act::Leave(seat, number));
        }
    }

    /// Most stays are short.
    fn stays_for(&mut self) -> u64 {
        let most = self.draw.between(STAY_MS.0, self.stay_ms_max);
        self.draw.millis(STAY_MS.0, most)
    }

    fn take_ssrcs(&mut self) -> u32 {
        let ssrc = self.next_ssrc;
        self.next_ssrc = ssrc.wrapping_add(2);
        ssrc
    }

    fn others(&self, seat: usize) -> Vec<usize> {
        let room = self.seats[seat].room * SEATS..(self.seats[seat].room + 1) * SEATS;
        room.filter(|other| *other != seat && self.seats[*other].stay.is_some()).collect()
    }

    fn gets_all_of(&mut self, seat: usize, other: usize) {
        let Some(from) = self.seats[other].stay.as_ref() else { return };
        let origins: Vec<(Origin, bool)> =
            from.sends.iter().map(|sending| (sending.origin.clone(), sending.is_paused)).collect();
        let from = from.number;
        let at = self.seats[seat].address;
        let Some(stay) = &mut self.seats[seat].stay else { return };
        for (which, (origin, is_paused)) in origins.into_iter().enumerate() {
            let ssrc = stay.next_ssrc;
            stay.next_ssrc = ssrc.wrapping_add(2);
            let stream = self.world.source(origin.source).options().stream.clone();
            let options = stay::gets(&stream, ssrc, at, stay.weather, self.pace);
            let watch = self.world.watch_on(stay.transport, &origin, options);
            if is_paused {
                self.world.sink_mut(watch.sink).pause();
            }
            stay.gets.push(Getting { watch, of: (from, which), is_paused: false });
        }
    }

    fn leaves(&mut self, seat: usize) {
        let Some(stay) = self.seats[seat].stay.take() else { return };
        self.totals.events.leaves += 1;
        let mut sinks: Vec<SinkId> = stay.gets.iter().map(|getting| getting.watch.sink).collect();
        for other in self.others(seat) {
            let Some(other) = &mut self.seats[other].stay else { continue };
            let of_stay = |getting: &mut Getting| getting.of.0 == stay.number;
            sinks.extend(other.gets.extract_if(.., of_stay).map(|getting| getting.watch.sink));
        }
        let sources: Vec<SourceId> = stay.sends.iter().map(|sending| sending.origin.source).collect();
        self.world.done(Command::CloseTransport { transport: stay.transport.id });
        self.world.take_events();
        sinks.iter().for_each(|sink| self.world.sink_mut(*sink).vanish());
        sources.iter().for_each(|source| self.world.source_mut(*source).vanish());
        self.plan_in(BURY_MS, Act::Bury(sinks, sources));
        let returns_in = self.draw.millis(AWAY_MS.0, self.away_ms_max);
        self.plan_in(returns_in, Act::Join(seat));
    }

    fn buries(&mut self, sinks: &[SinkId], sources: &[SourceId]) {
        for sink in sinks.iter().filter_map(|sink| self.world.remove_sink(*sink)) {
            self.totals.take_sink(&sink);
        }
        for source in sources.iter().filter_map(|source| self.world.remove_source(*source)) {
            self.totals.take_source(&source);
        }
    }

    fn renumber(&mut self, seat: usize, first: u16) {
        let before = self.world.renumber(self.seats[seat].address, first);
        self.totals.take_numbers(&before);
    }

    fn weather_changes(&mut self, seat: usize) {
        let Some(stay) = &self.seats[seat].stay else { return };
        let (number, at) = (stay.number, self.seats[seat].address);
        for way in Direction::BOTH {
            let path = stay.weather.next(&mut self.draw);
            self.world.network.impair(at, way, path);
        }
        self.totals.events.weather_changes += 1;
        let next_in = self.draw.millis(10_000, 120_000);
        self.plan_in(next_in, Act::Weather(seat, number));
    }
}

/// Pauses.
impl House {
    fn pauses(&mut self, seat: usize) {
        let Some(stay) = &self.seats[seat].stay else { return };
        let (number, for_ms) = (stay.number, self.draw.millis(2_000, 15_000));
        if self.draw.chance(600) {
            self.pauses_consumer(seat, for_ms);
        } else {
            self.pauses_producer(seat, for_ms);
        }
        let next_in = self.draw.millis(10_000, 120_000);
        self.plan_in(next_in, Act::Pause(seat, number));
    }

    fn pauses_consumer(&mut self, seat: usize, for_ms: u64) {
        let Some(stay) = &mut self.seats[seat].stay else { return };
        if stay.gets.is_empty() {
            return;
        }
        let index = self.draw.index(stay.gets.len());
        let getting = &mut stay.gets[index];
        if std::mem::replace(&mut getting.is_paused, true) {
            return;
        }
        let (number, consumer, sink) = (stay.number, getting.watch.consumer, getting.watch.sink);
        self.world.done(Command::PauseConsumer { consumer });
        self.world.sink_mut(sink).pause();
        self.totals.events.consumer_pauses += 1;
        self.plan_in(for_ms, Act::ResumeConsumer(seat, number, consumer.0));
    }

    fn resume_consumer(&mut self, seat: usize, consumer: u64) {
        let excused_until = self.world.now() + GRACE;
        let Some(stay) = &mut self.seats[seat].stay else { return };
        let mut gets = stay.gets.iter_mut();
        let Some(getting) = gets.find(|getting| getting.watch.consumer.0 == consumer && getting.is_paused)
        else {
            return;
        };
        getting.is_paused = false;
        let (of, watch) = (getting.of, getting.watch.clone());
        self.world.done(Command::ResumeConsumer { consumer: watch.consumer });
        if !self.is_producer_paused(of) {
            self.world.sink_mut(watch.sink).go_on(excused_until);
        }
    }

    fn is_producer_paused(&self, (stay, which): (u64, usize)) -> bool {
        let mut stays = self.seats.iter().filter_map(|seat| seat.stay.as_ref());
        stays.find(|there| there.number == stay).is_some_and(|there| there.sends[which].is_paused)
    }

    /// A client that pauses sends nothing, or sends on.
    fn pauses_producer(&mut self, seat: usize, for_ms: u64) {
        let Some(stay) = &mut self.seats[seat].stay else { return };
        let which = self.draw.index(stay.sends.len());
        let (number, sending) = (stay.number, &mut stay.sends[which]);
        if std::mem::replace(&mut sending.is_paused, true) {
            return;
        }
        let Origin { source, producer, .. } = sending.origin;
        self.world.done(Command::PauseProducer { producer });
        for sink in self.sinks_of(seat, which) {
            self.world.sink_mut(sink).pause();
        }
        self.world.source_mut(source).excuse(true);
        if self.draw.chance(500) {
            self.world.source_mut(source).stop();
        }
        self.totals.events.producer_pauses += 1;
        self.plan_in(for_ms, Act::ResumeProducer(seat, number, which));
    }

    fn resume_producer(&mut self, seat: usize, which: usize) {
        let now = self.world.now();
        let Some(stay) = &mut self.seats[seat].stay else { return };
        let (number, sending) = (stay.number, &mut stay.sends[which]);
        if !std::mem::replace(&mut sending.is_paused, false) {
            return;
        }
        let Origin { source, producer, .. } = sending.origin;
        self.world.done(Command::ResumeProducer { producer });
        self.world.source_mut(source).go_on(now);
        for sink in self.sinks_of(seat, which) {
            self.world.sink_mut(sink).go_on(now + GRACE);
        }
        self.plan_in(millis(GRACE), Act::Expect(seat, number, which));
    }

    fn expects(&mut self, seat: usize, which: usize) {
        let Some(stay) = &self.seats[seat].stay else { return };
        if !stay.sends[which].is_paused {
            let source = stay.sends[which].origin.source;
            self.world.source_mut(source).excuse(false);
        }
    }

    /// Sinks of a stream whose consumers are not paused themselves.
    fn sinks_of(&self, seat: usize, which: usize) -> Vec<SinkId> {
        let Some(stay) = &self.seats[seat].stay else { return Vec::new() };
        let of = (stay.number, which);
        let others = self.others(seat).into_iter().filter_map(|other| self.seats[other].stay.as_ref());
        let gets = others.flat_map(|other| &other.gets);
        gets.filter(|getting| getting.of == of && !getting.is_paused)
            .map(|getting| getting.watch.sink)
            .collect()
    }

    fn resume_all(&mut self, seat: usize) {
        let Some(stay) = &self.seats[seat].stay else { return };
        let consumers: Vec<u64> = stay.gets.iter().map(|getting| getting.watch.consumer.0).collect();
        let producers = 0..stay.sends.len();
        producers.for_each(|which| self.resume_producer(seat, which));
        consumers.into_iter().for_each(|consumer| self.resume_consumer(seat, consumer));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Of a room.
pub(super) const SEATS: usize = 4;
/// Of a room: two, so that each gets something of somebody for all of the time, and the worker's numbers go far too.
const SEATED_FOR_GOOD: usize = 2;
/// The shortest and the longest stay.
const STAY_MS: (u32, u32) = (8_000, 3_600_000);
/// Longer than anything is on its way.
const BURY_MS: u64 = 2_000;
/// Whoever left comes back after this, and not before what is on its way to them has come.
const AWAY_MS: (u32, u32) = (3_000, 60_000);
/// After a pause a stream begins again, and what was lost around it may stay lost.
const GRACE: Duration = Duration::from_secs(2);
