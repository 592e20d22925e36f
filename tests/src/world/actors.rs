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
use super::rtp::RtpView;
use super::sink::Sink;
use super::source::Source;
use super::{is_rtcp, rtcp};

/// Names a source of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceId(pub(super) u32);

/// Names a sink of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub(super) sources: Vec<Source>,
    pub(super) sinks: Vec<Sink>,
    /// The peer in the network of each source and sink.
    peers_of_sources: Vec<u32>,
    peers_of_sinks: Vec<u32>,
    /// Who is where, by the network's number of the peer.
    at_peer: Vec<Vec<Actor>>,
    timers: Deadlines<Actor>,
    /// The time for which each is in `timers`.
    armed_sources: Vec<Option<Time>>,
    armed_sinks: Vec<Option<Time>>,
}

/// What a peer may use while it is called.
#[derive(Debug)]
pub(super) struct Post<'a> {
    pub(super) now: Time,
    /// NTP.
    pub(super) wall: u64,
    network: &'a mut SimulatedNetwork,
    peer: u32,
}

impl Post<'_> {
    /// Sends a datagram; answers how often it will arrive.
    pub(super) fn send(&mut self, to: SocketAddr, leaves_at: Time, tag: Option<Tag>, bytes: &[u8]) -> u8 {
        self.network.send_from(self.peer, to, leaves_at, tag, bytes)
    }
}

impl Actors {
    pub(super) fn add_source(&mut self, source: Source, network: &mut SimulatedNetwork) -> SourceId {
        let index = u32::try_from(self.sources.len()).expect("few sources");
        let peer = self.settle(source.options().address, Actor::Source(index), network);
        self.sources.push(source);
        self.peers_of_sources.push(peer);
        self.armed_sources.push(None);
        self.arm(Actor::Source(index));
        SourceId(index)
    }

    pub(super) fn add_sink(&mut self, sink: Sink, network: &mut SimulatedNetwork) -> SinkId {
        let index = u32::try_from(self.sinks.len()).expect("few sinks");
        let peer = self.settle(sink.options().address, Actor::Sink(index), network);
        self.sinks.push(sink);
        self.peers_of_sinks.push(peer);
        self.armed_sinks.push(None);
        self.arm(Actor::Sink(index));
        SinkId(index)
    }

    fn settle(&mut self, address: SocketAddr, actor: Actor, network: &mut SimulatedNetwork) -> u32 {
        let peer = network.inhabit(address);
        let at = peer as usize;
        if self.at_peer.len() <= at {
            self.at_peer.resize(at + 1, Vec::new());
        }
        self.at_peer[at].push(actor);
        peer
    }

    /// When a peer next wants to be called; never after it does.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Somebody changed something from outside: looks at everybody's next time again.
    pub(super) fn arm_all(&mut self) {
        (0..).take(self.sources.len()).for_each(|index| self.arm(Actor::Source(index)));
        (0..).take(self.sinks.len()).for_each(|index| self.arm(Actor::Sink(index)));
    }

    /// Calls whoever is due.
    pub(super) fn on_timers(&mut self, now: Time, wall: u64, network: &mut SimulatedNetwork) {
        while let Some(actor) = self.timers.pop_due(now) {
            let (next, armed) = self.times_of(actor);
            armed.take_if(|at| *at <= now);
            if next.is_some_and(|at| at <= now) {
                match actor {
                    Actor::Source(index) => {
                        let peer = self.peers_of_sources[index as usize];
                        self.sources[index as usize].on_timer(&mut Post { now, wall, network, peer });
                    }
                    Actor::Sink(index) => {
                        let peer = self.peers_of_sinks[index as usize];
                        self.sinks[index as usize].on_timer(&mut Post { now, wall, network, peer });
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
            let packets = rtcp::read(&parcel.bytes).expect("checked when it was sent");
            for place in 0..self.at_peer[at].len() {
                let actor = self.at_peer[at][place];
                let post = &mut Post { now, wall, network, peer };
                match actor {
                    Actor::Source(index) => {
                        self.sources[index as usize].on_rtcp(&packets, parcel.sent_at, post);
                    }
                    Actor::Sink(index) => self.sinks[index as usize].on_rtcp(&packets, &self.sources, post),
                }
                self.arm(actor);
            }
            return;
        }
        let packet = RtpView::read(&parcel.bytes).expect("checked when it was sent");
        let Some(index) = self.sink_for(packet.ssrc, at) else {
            panic!("nobody at peer {at} expects {packet:?}")
        };
        let Self { sinks, sources, .. } = self;
        let sink = &mut sinks[index as usize];
        sink.on_rtp(&packet, parcel, sources, &Post { now, wall, network, peer });
        self.arm(Actor::Sink(index));
    }

    /// The sink at this peer for an SSRC; one that has left only if nobody took its place.
    fn sink_for(&self, ssrc: u32, at: usize) -> Option<u32> {
        let sinks = self.at_peer[at].iter().filter_map(|actor| match actor {
            Actor::Sink(index) => Some(*index),
            Actor::Source(_) => None,
        });
        let whose = sinks.filter(|index| self.sinks[*index as usize].is_for(ssrc));
        whose.min_by_key(|index| self.sinks[*index as usize].has_vanished())
    }

    /// Lets a sink ask for a key frame.
    pub(super) fn ask_for_key_frame(
        &mut self,
        id: SinkId,
        now: Time,
        wall: u64,
        network: &mut SimulatedNetwork,
    ) {
        let peer = self.peers_of_sinks[id.0 as usize];
        self.sinks[id.0 as usize].ask_for_key_frame(&mut Post { now, wall, network, peer });
    }

    /// The worker has got a source's packet.
    pub(super) fn on_worker_got(&mut self, tag: Tag, at: Time) {
        if let Some(source) = self.sources.get_mut(tag.source as usize) {
            source.on_arrival(tag.number, at);
        }
    }

    fn times_of(&mut self, actor: Actor) -> (Option<Time>, &mut Option<Time>) {
        match actor {
            Actor::Source(index) => {
                let next = self.sources[index as usize].next_at();
                (next, &mut self.armed_sources[index as usize])
            }
            Actor::Sink(index) => {
                (self.sinks[index as usize].next_at(), &mut self.armed_sinks[index as usize])
            }
        }
    }

    /// Sets a timer for whoever has none that is early enough.
    fn arm(&mut self, actor: Actor) {
        let (Some(next), armed) = self.times_of(actor) else { return };
        if armed.is_none_or(|at| at > next) {
            *armed = Some(next);
            self.timers.schedule(actor, next, Duration::ZERO);
        }
    }
}
