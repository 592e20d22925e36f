//! How time passes in a world: whoever is next acts, and nobody acts before their time.
//!
//! Knows four kinds of things that happen: a datagram reaches a peer, a peer's timer goes off, datagrams wait for the
//! worker, the worker has something due. Those of one instant happen in this order.
//! Invariant: the worker is called as by its event loop, at most `DATAGRAMS_PER_TURN` datagrams at a time.

use std::net::SocketAddr;
use std::time::Duration;

use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId};
use tidegate_worker::base::time::Time;

use super::World;
use super::actors::{SinkId, SourceId};
use super::host::Plain;
use super::network::fork;
use super::sink::{Sink, SinkOptions};
use super::source::{Source, SourceOptions};
use super::wide::{Counted, Numbers};

/// A source with what it has at the worker.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The source.
    pub source: SourceId,
    /// Its transport.
    pub transport: Plain,
    /// Its producer.
    pub producer: ProducerId,
}

/// A sink with what it has at the worker.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The sink.
    pub sink: SinkId,
    /// Its transport.
    pub transport: Plain,
    /// Its consumer.
    pub consumer: ConsumerId,
}

impl World {
    /// Lets time pass: peers and worker do at its time what is due.
    pub fn run_for(&mut self, millis: u64) {
        let end = self.now() + Duration::from_millis(millis);
        self.actors.arm_all();
        // What was sent by hand arrives now, whatever the batch interval.
        if self.network.has_arrivals() {
            self.receive();
        }
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.advance_to(next);
            self.step();
        }
        self.advance_to(end);
    }

    /// A source at its own transport, which learns its peer.
    pub fn originate(&mut self, router: RouterId, options: SourceOptions) -> Origin {
        let transport = self.comedia(router);
        let producer = self.produce(transport.id, &options.stream);
        let source = self.add_source(options, transport);
        Origin { source, transport, producer }
    }

    /// A sink at its own transport, which is connected to it, of what `origin` sends.
    pub fn watch(&mut self, router: RouterId, origin: &Origin, options: SinkOptions) -> Watch {
        let transport = self.connected(router, options.address);
        self.watch_on(transport, origin, options)
    }

    /// A sink at a transport that is there already.
    pub fn watch_on(&mut self, transport: Plain, origin: &Origin, options: SinkOptions) -> Watch {
        // First the sink, which is told the moment of its joining: what the request sets off comes to it.
        let source_stream = self.source(origin.source).options().stream.clone();
        let stream = options.stream.clone();
        let sink = self.add_sink(options, transport, origin.source);
        let consumer = self.consume(transport.id, origin.producer, &source_stream, &stream);
        Watch { sink, transport, consumer }
    }

    /// A source that sends to `to` from now on.
    pub fn add_source(&mut self, options: SourceOptions, to: Plain) -> SourceId {
        let id = self.actors.next_source();
        let random = fork(&mut self.dice);
        let source = Source::new(options, id, (to.rtp, to.rtcp), self.now(), random);
        self.actors.add_source(source, &mut self.network)
    }

    /// A sink of what `source` sends, which sends its RTCP to `to`.
    pub fn add_sink(&mut self, options: SinkOptions, to: Plain, source: SourceId) -> SinkId {
        let random = fork(&mut self.dice);
        let sink = Sink::new(options, source, to.rtcp, self.now(), random);
        self.actors.add_sink(sink, &mut self.network)
    }

    /// A source.
    pub fn source(&self, id: SourceId) -> &Source {
        self.actors.source(id)
    }

    /// A source, to be told something.
    pub fn source_mut(&mut self, id: SourceId) -> &mut Source {
        self.actors.source_mut(id)
    }

    /// A sink.
    pub fn sink(&self, id: SinkId) -> &Sink {
        self.actors.sink(id)
    }

    /// A sink, to be told something.
    pub fn sink_mut(&mut self, id: SinkId) -> &mut Sink {
        self.actors.sink_mut(id)
    }

    /// Takes a source out of the world; its sinks must have been taken out before. `None` when it was out already.
    pub fn remove_source(&mut self, id: SourceId) -> Option<Source> {
        self.actors.remove_source(id)
    }

    /// Takes a sink out of the world that has [vanished](Sink::vanish); nothing may be on its way to it any more. `None`
    /// when it was out already.
    pub fn remove_sink(&mut self, id: SinkId) -> Option<Sink> {
        self.actors.remove_sink(id)
    }

    /// The machine at `address` gives what it sends from now on transport-wide numbers from `first` on, as on a new
    /// transport. Answers what it gave and got before.
    pub fn renumber(&mut self, address: SocketAddr, first: u16) -> (Numbers, Counted) {
        let peer = self.network.peer(address);
        self.actors.renumber(peer, first)
    }

    /// Lets a sink ask for a key frame now, as a user's player may.
    pub fn ask_for_key_frame(&mut self, id: SinkId) {
        let (now, wall) = (self.now(), self.wall());
        self.actors.ask_for_key_frame(id, now, wall, &mut self.network);
    }

    /// Whether every packet of its source, from the first that it got to the last that was sent, came to a sink.
    ///
    /// # Panics
    /// It is not so.
    pub fn assert_complete(&self, id: SinkId) {
        self.sink(id).assert_complete(self.source(self.sink(id).source()));
    }

    /// Brings the world to rest: paths keep their delay and nothing else, sources send on for a while, so that every loss
    /// shows, and stop; then what is missing is repaired.
    pub fn settle(&mut self) {
        self.network.calm();
        self.run_for(400);
        self.actors.stop_all();
        self.run_for(1_500);
    }

    fn next_event(&self) -> Option<Time> {
        let worker = [self.worker.next_deadline(), self.next_reading()];
        let peers = [self.network.next_at_peers(), self.actors.next_at()];
        let next = worker.into_iter().chain(peers).flatten().min()?;
        // What came due while time did not pass happens now.
        Some(next.max(self.now()))
    }

    /// When the worker next reads its sockets because something came.
    fn next_reading(&self) -> Option<Time> {
        Some(self.network.next_at_worker()? + self.batch_interval)
    }

    fn step(&mut self) {
        let (now, wall) = (self.now(), self.wall());
        while let Some((peer, bytes)) = self.network.take_lost() {
            self.actors.on_lost(peer, &bytes);
        }
        while let Some(arrived) = self.network.arrive_at_peers() {
            self.actors.on_arrival(&arrived, now, wall, &mut self.network);
            self.network.recycle(arrived);
        }
        self.actors.on_timers(now, wall, &mut self.network);
        let reads = self.next_reading().is_some_and(|at| at <= now);
        if reads || self.worker.next_deadline().is_some_and(|at| at <= now) {
            self.turn_of_at_most(DATAGRAMS_PER_TURN);
        }
    }

    pub(super) fn advance_to(&mut self, time: Time) {
        self.clock.advance_to(time);
        self.network.now = self.clock.now();
    }
}

/// As the event loop's.
const DATAGRAMS_PER_TURN: usize = 512;
