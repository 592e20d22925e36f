//! The autonomous peers of a world, who is at which address, and when each wants to be called.
//!
//! Knows sources, sinks and addresses. Does not know the worker. Called by the world's run loop.
//! Invariant: peers are called in the order of time, and at one time in an order that follows from the seed.

use std::net::SocketAddr;
use std::time::Duration;

use tidegate_worker::base::time::Time;
use tidegate_worker::base::timer::Deadlines;

use super::flights::{Parcel, Tag};
use super::network::SimulatedNetwork;
use super::rtcp::Rtcp;
use super::rtp::RtpView;
use super::sink::Sink;
use super::slots::Slots;
use super::source::Source;
use super::wide::{Counted, Numbers};
use super::{is_rtcp, rtcp};

/// Names a source of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(pub(super) u32);

/// Names a sink of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinkId(pub(super) u32);

/// One of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    Source(u32),
    Sink(u32),
}

/// All autonomous peers.
#[derive(Debug, Default)]
pub(super) struct Actors {
    sources: Slots<Held<Source>>,
    sinks: Slots<Held<Sink>>,
    /// By the network's number of the peer.
    at_peer: Vec<Machine>,
    timers: Deadlines<Actor>,
    /// Of sinks that were taken out.
    checks_before: u64,
}

/// An actor with what is known of it here.
#[derive(Debug)]
struct Held<T> {
    actor: T,
    /// Its peer in the network.
    peer: u32,
    /// The time for which it is in the timers.
    armed: Option<Time>,
}

/// Those who are at one address, and what they count together.
#[derive(Debug, Default)]
struct Machine {
    actors: Vec<Actor>,
    /// Transport-wide numbers, out and in.
    numbers: Numbers,
    counted: Counted,
}

/// What a peer may use while it is called.
#[derive(Debug)]
pub(super) struct Post<'a> {
    pub(super) now: Time,
    /// NTP.
    pub(super) wall: u64,
    network: &'a mut SimulatedNetwork,
    numbers: &'a mut Numbers,
    peer: u32,
}

impl Post<'_> {
    /// Sends a datagram; answers how often it will arrive.
    pub(super) fn send(&mut self, to: SocketAddr, leaves_at: Time, tag: Option<Tag>, bytes: &[u8]) -> u8 {
        self.network.send_from(self.peer, to, leaves_at, tag, bytes)
    }

    /// Sends a datagram that has the machine's next transport-wide number, which was asked for.
    pub(super) fn send_numbered(&mut self, to: SocketAddr, leaves_at: Time, tag: Tag, bytes: &[u8]) -> u8 {
        let arrivals = self.send(to, leaves_at, Some(tag), bytes);
        self.numbers.sent(arrivals > 0);
        arrivals
    }

    /// The transport-wide number of what is sent next.
    pub(super) fn next_wide_number(&self) -> u16 {
        self.numbers.next()
    }
}

impl Actors {
    pub(super) fn next_source(&self) -> u32 {
        self.sources.next_id()
    }

    pub(super) fn add_source(&mut self, actor: Source, network: &mut SimulatedNetwork) -> SourceId {
        let id = self.sources.next_id();
        let peer = self.settle(actor.options().address, Actor::Source(id), network);
        self.sources.insert(Held { actor, peer, armed: None });
        self.arm(Actor::Source(id));
        SourceId(id)
    }

    pub(super) fn add_sink(&mut self, actor: Sink, network: &mut SimulatedNetwork) -> SinkId {
        let id = self.sinks.next_id();
        let peer = self.settle(actor.options().address, Actor::Sink(id), network);
        self.sinks.insert(Held { actor, peer, armed: None });
        self.arm(Actor::Sink(id));
        SinkId(id)
    }

    /// Takes one out, whose sinks were taken out before.
    pub(super) fn remove_source(&mut self, id: SourceId) -> Option<Source> {
        let held = self.sources.remove(id.0)?;
        self.leave(held.peer, Actor::Source(id.0));
        Some(held.actor)
    }

    /// Takes one out, to which nothing is on its way.
    pub(super) fn remove_sink(&mut self, id: SinkId) -> Option<Sink> {
        let held = self.sinks.remove(id.0)?;
        self.leave(held.peer, Actor::Sink(id.0));
        self.checks_before += held.actor.checks();
        Some(held.actor)
    }

    pub(super) fn source(&self, id: SourceId) -> &Source {
        &self.sources.get(id.0).expect("nobody took it out").actor
    }

    pub(super) fn source_mut(&mut self, id: SourceId) -> &mut Source {
        &mut self.sources.get_mut(id.0).expect("nobody took it out").actor
    }

    pub(super) fn sink(&self, id: SinkId) -> &Sink {
        &self.sinks.get(id.0).expect("nobody took it out").actor
    }

    pub(super) fn sink_mut(&mut self, id: SinkId) -> &mut Sink {
        &mut self.sinks.get_mut(id.0).expect("nobody took it out").actor
    }

    /// Nobody sends media any more.
    pub(super) fn stop_all(&mut self) {
        self.sources.iter_mut().for_each(|held| held.actor.stop());
    }

    /// How often a packet, a report or a number was compared with what was sent.
    pub(super) fn checks(&self) -> u64 {
        let now = self.sinks.iter().map(|held| held.actor.checks()).sum::<u64>();
        self.checks_before + now + self.at_peer.iter().map(|machine| machine.counted.checks()).sum::<u64>()
    }

    /// Transport-wide numbers of a machine begin anew: out with this one, in with whatever comes next. What it counted.
    pub(super) fn renumber(&mut self, peer: u32, first: u16) -> (Numbers, Counted) {
        let machine = self.machine(peer);
        let numbers = std::mem::replace(&mut machine.numbers, Numbers::from(first));
        let counted = std::mem::take(&mut machine.counted);
        machine.counted.checked_before(counted.checks());
        (numbers, counted)
    }

    fn machine(&mut self, peer: u32) -> &mut Machine {
        let at = peer as usize;
        if self.at_peer.len() <= at {
            self.at_peer.resize_with(at + 1, Machine::default);
        }
        &mut self.at_peer[at]
    }

    fn settle(&mut self, address: SocketAddr, actor: Actor, network: &mut SimulatedNetwork) -> u32 {
        let peer = network.inhabit(address);
        self.machine(peer).actors.push(actor);
        peer
    }

    fn leave(&mut self, peer: u32, actor: Actor) {
        self.machine(peer).actors.retain(|other| *other != actor);
    }

    /// When a peer next wants to be called; never after it does.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Somebody changed something from outside: looks at everybody's next time again.
    pub(super) fn arm_all(&mut self) {
        let sources: Vec<u32> = self.sources.ids().collect();
        let sinks: Vec<u32> = self.sinks.ids().collect();
        sources.into_iter().for_each(|id| self.arm(Actor::Source(id)));
        sinks.into_iter().for_each(|id| self.arm(Actor::Sink(id)));
    }

    /// Calls whoever is due.
    pub(super) fn on_timers(&mut self, now: Time, wall: u64, network: &mut SimulatedNetwork) {
        while let Some(actor) = self.timers.pop_due(now) {
            let Self { sources, sinks, at_peer, .. } = self;
            match actor {
                Actor::Source(id) => {
                    let Some(held) = sources.get_mut(id) else { continue };
                    held.armed.take_if(|at| *at <= now);
                    if held.actor.next_at().is_some_and(|at| at <= now) {
                        let (peer, numbers) = (held.peer, &mut at_peer[held.peer as usize].numbers);
                        held.actor.on_timer(&mut Post { now, wall, network, numbers, peer });
                    }
                }
                Actor::Sink(id) => {
                    let Some(held) = sinks.get_mut(id) else { continue };
                    held.armed.take_if(|at| *at <= now);
                    if held.actor.next_at().is_some_and(|at| at <= now) {
                        let (peer, numbers) = (held.peer, &mut at_peer[held.peer as usize].numbers);
                        let source = sources.get(held.actor.source().0).map(|held| &held.actor);
                        held.actor.on_timer(source, &mut Post { now, wall, network, numbers, peer });
                    }
                }
            }
            self.arm(actor);
        }
    }

    /// A datagram has reached a peer.
    pub(super) fn on_arrival(
        &mut self,
        parcel: &Parcel,
        now: Time,
        wall: u64,
        network: &mut SimulatedNetwork,
    ) {
        let at = parcel.peer as usize;
        let peer = parcel.peer;
        if is_rtcp(&parcel.bytes) {
            self.on_rtcp(parcel, now, wall, network);
            return;
        }
        let packet = RtpView::read(&parcel.bytes).expect("checked when it was sent");
        let Some(id) = self.sink_for(packet.ssrc, at) else {
            panic!("nobody at peer {at} expects {packet:?}")
        };
        let Self { sinks, sources, at_peer, .. } = self;
        let Some(held) = sinks.get_mut(id) else { return };
        let machine = &mut at_peer[at];
        if !parcel.is_copy
            && let Some(number) = held.actor.wide_number(&packet)
        {
            machine.counted.arrived(number);
        }
        if let Some(source) = sources.get(held.actor.source().0) {
            let numbers = &mut machine.numbers;
            let post = &Post { now, wall, network, numbers, peer };
            held.actor.on_rtp(&packet, parcel, &source.actor, post);
        }
        self.arm(Actor::Sink(id));
    }

    fn on_rtcp(&mut self, parcel: &Parcel, now: Time, wall: u64, network: &mut SimulatedNetwork) {
        let (at, peer) = (parcel.peer as usize, parcel.peer);
        let packets = rtcp::read(&parcel.bytes).expect("checked when it was sent");
        for packet in &packets {
            if let Rtcp::WideFeedback { base, arrivals, .. } = packet {
                self.at_peer[at].numbers.on_feedback(*base, arrivals);
            }
        }
        for place in 0..self.at_peer[at].actors.len() {
            let actor = self.at_peer[at].actors[place];
            let Self { sources, sinks, at_peer, .. } = self;
            let post = &mut Post { now, wall, network, numbers: &mut at_peer[at].numbers, peer };
            match actor {
                Actor::Source(id) => {
                    let Some(held) = sources.get_mut(id) else { continue };
                    held.actor.on_rtcp(&packets, parcel.sent_at, post);
                }
                Actor::Sink(id) => {
                    let Some(held) = sinks.get_mut(id) else { continue };
                    let Some(source) = sources.get(held.actor.source().0) else { continue };
                    held.actor.on_rtcp(&packets, &source.actor, post);
                }
            }
            self.arm(actor);
        }
    }

    /// A datagram from the worker was lost on its way to a peer.
    pub(super) fn on_lost(&mut self, peer: u32, bytes: &[u8]) {
        let at = peer as usize;
        if is_rtcp(bytes) {
            let packets = rtcp::read(bytes).expect("checked when it was sent");
            for place in 0..self.at_peer[at].actors.len() {
                if let Actor::Source(id) = self.at_peer[at].actors[place]
                    && let Some(held) = self.sources.get_mut(id)
                {
                    held.actor.on_lost(&packets);
                }
            }
            return;
        }
        let packet = RtpView::read(bytes).expect("checked when it was sent");
        let held = self.sink_for(packet.ssrc, at).and_then(|id| self.sinks.get_mut(id));
        let Some(held) = held else { return };
        if let Some(number) = held.actor.wide_number(&packet) {
            self.at_peer[at].counted.lost(number);
        }
        held.actor.on_lost(&packet);
    }

    /// The sink at this peer for an SSRC; one that has left only if nobody took its place.
    fn sink_for(&self, ssrc: u32, at: usize) -> Option<u32> {
        let mut left = None;
        for actor in &self.at_peer.get(at)?.actors {
            let Actor::Sink(id) = *actor else { continue };
            let Some(held) = self.sinks.get(id).filter(|held| held.actor.is_for(ssrc)) else { continue };
            if !held.actor.has_vanished() {
                return Some(id);
            }
            left.get_or_insert(id);
        }
        left
    }

    /// Lets a sink ask for a key frame.
    pub(super) fn ask_for_key_frame(
        &mut self,
        id: SinkId,
        now: Time,
        wall: u64,
        network: &mut SimulatedNetwork,
    ) {
        let held = self.sinks.get_mut(id.0).expect("nobody took it out");
        let (peer, numbers) = (held.peer, &mut self.at_peer[held.peer as usize].numbers);
        held.actor.ask_for_key_frame(&mut Post { now, wall, network, numbers, peer });
    }

    /// The worker has got a source's packet.
    pub(super) fn on_worker_got(&mut self, tag: Tag, at: Time) {
        if let Some(held) = self.sources.get_mut(tag.source) {
            held.actor.on_arrival(tag.number, at);
        }
    }

    /// Sets a timer for whoever has none that is early enough.
    fn arm(&mut self, actor: Actor) {
        let times = match actor {
            Actor::Source(id) => self.sources.get_mut(id).map(|held| (held.actor.next_at(), &mut held.armed)),
            Actor::Sink(id) => self.sinks.get_mut(id).map(|held| (held.actor.next_at(), &mut held.armed)),
        };
        let Some((Some(next), armed)) = times else { return };
        if armed.is_none_or(|at| at > next) {
            *armed = Some(next);
            self.timers.schedule(actor, next, Duration::ZERO);
        }
    }
}
