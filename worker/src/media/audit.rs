//! Whether all that the tables say of one another is true, and every byte of packet memory accounted for.
//!
//! Walks everything and changes nothing. Far too slow for a live worker: tests call it between turns, through
//! `Worker::audit`. Knows what each room promises to the others. Does not know whose fault a broken promise is.
//! Invariant: a sound worker between two turns has no violation, whatever it went through.

use tidegate_protocol::transport::Protocol;

use crate::base::pool::Pool;
use crate::media::consumer::Consumer;
use crate::media::deadline::Deadline;
use crate::media::demux::LEARNT_MAX;
use crate::media::observer::{Observer, ObserverKey};
use crate::media::producer::Producer;
use crate::media::producer::stream::ReceivedStream;
use crate::media::sockets::Holder;
use crate::media::transport::Transport;
use crate::media::transport::plain::Plain;
use crate::media::transport::webrtc::WebRtc;
use crate::media::webrtc_server::{WebRtcServer, WebRtcServerKey};
use crate::media::{ConsumerKey, EntityKey, ProducerKey, Tables, TransportKey};

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// How many promises were looked at.
    pub checks: u64,
    /// Those that are broken, as sentences.
    pub violations: Vec<String>,
}

impl Audit {
    fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.violations.push(otherwise());
        }
    }

    fn equal(&mut self, what: &str, counted: usize, told: usize) {
        self.check(counted == told, || format!("{what}: {counted} were found, {told} are on record"));
    }
}

/// Audits everything. To be called between two turns.
pub(crate) fn audit(tables: &Tables, pool: &Pool) -> Audit {
    let mut audit = Audit::default();
    audit_ids(tables, &mut audit);
    for (key, transport) in tables.transports.iter() {
        audit_transport(tables, key, transport, &mut audit);
    }
    for (key, producer) in tables.producers.iter() {
        audit_producer(tables, key, producer, &mut audit);
    }
    for (key, consumer) in tables.consumers.iter() {
        audit_consumer(tables, key, consumer, &mut audit);
    }
    for (key, observer) in tables.observers.iter() {
        audit_observer(tables, key, observer, &mut audit);
    }
    for (key, server) in tables.webrtc_servers.iter() {
        audit_webrtc_server(tables, key, server, &mut audit);
    }
    audit_sockets(tables, &mut audit);
    audit_timers(tables, &mut audit);
    audit_memory(tables, pool, &mut audit);
    audit.check(tables.runs.is_idle(), || "a run is left over after its turn".to_owned());
    audit
}

/// Every id leads to the entity that has it, and every entity can be found by its id.
fn audit_ids(tables: &Tables, audit: &mut Audit) {
    for (id, key) in &tables.ids {
        let owner = match *key {
            EntityKey::Router(key) => tables.routers.get(key).map(|router| router.id.into()),
            EntityKey::Transport(key) => tables.transports.get(key).map(|transport| transport.id.into()),
            EntityKey::Producer(key) => tables.producers.get(key).map(|producer| producer.id.into()),
            EntityKey::Consumer(key) => tables.consumers.get(key).map(|consumer| consumer.id.into()),
            EntityKey::Observer(key) => tables.observers.get(key).map(|observer| observer.id.into()),
            EntityKey::WebRtcServer(key) => tables.webrtc_servers.get(key).map(|server| server.id.into()),
        };
        audit.check(owner == Some(*id), || format!("id {id:?} leads to {key:?}, which is {owner:?}"));
    }
    let media = tables.transports.len() + tables.producers.len() + tables.consumers.len();
    let others = tables.routers.len() + tables.observers.len() + tables.webrtc_servers.len();
    audit.equal("ids", media + others, tables.ids.len());
    for (key, router) in tables.routers.iter() {
        let own = |transport: &TransportKey| {
            tables.transports.get(*transport).is_some_and(|transport| transport.router == key)
        };
        audit.check(router.transports.iter().all(own), || {
            format!("{:?} lists a foreign transport", router.id)
        });
        let own = |observer: &ObserverKey| {
            tables.observers.get(*observer).is_some_and(|observer| observer.router == key)
        };
        audit.check(router.observers().iter().all(own), || {
            format!("{:?} lists a foreign observer", router.id)
        });
    }
    let listed = tables.routers.iter().map(|(_, router)| router.observers().len()).sum();
    audit.equal("observers listed by routers", listed, tables.observers.len());
    let listed = tables.routers.iter().map(|(_, router)| router.transports.len()).sum();
    audit.equal("transports listed by routers", listed, tables.transports.len());
}

fn audit_transport(tables: &Tables, key: TransportKey, transport: &Transport, audit: &mut Audit) {
    let id = transport.id;
    let router = tables.routers.get(transport.router);
    audit.check(router.is_some_and(|router| router.transports.contains(&key)), || {
        format!("{id:?} is not in its router's list")
    });
    let own_producer = |producer: ProducerKey| {
        tables.producers.get(producer).is_some_and(|producer| producer.transport == key)
    };
    let own_consumer = |consumer: ConsumerKey| {
        tables.consumers.get(consumer).is_some_and(|consumer| consumer.transport == key)
    };
    audit.check(transport.producers.iter().all(|key| own_producer(*key)), || {
        format!("{id:?} lists a foreign producer")
    });
    audit.check(transport.consumers.iter().all(|key| own_consumer(*key)), || {
        format!("{id:?} lists a foreign consumer")
    });
    let demux = &transport.demux;
    let mut named = demux.ssrcs().map(|(_, key)| key);
    audit.check(named.all(own_producer), || format!("{id:?} takes an SSRC for a foreign producer's"));
    let mut named = demux.mids().chain(demux.rids()).map(|(_, key)| key);
    audit.check(named.all(own_producer), || format!("{id:?} takes a MID or RID for a foreign producer's"));
    audit.check(demux.learnt() <= LEARNT_MAX, || format!("{id:?} has learnt {} SSRCs", demux.learnt()));
    let mut feedback = transport.feedback_to.iter();
    let names = |(ssrc, key): (u32, ConsumerKey)| {
        own_consumer(key)
            && tables
                .consumers
                .get(key)
                .is_some_and(|consumer| consumer.stream.ssrcs().any(|own| own == ssrc))
    };
    audit.check(feedback.all(names), || format!("{id:?} gives feedback to who does not send that SSRC"));
    audit.check(!transport.sender.has_pending(), || format!("{id:?} has something unsent after its turn"));
}

fn audit_producer(tables: &Tables, key: ProducerKey, producer: &Producer, audit: &mut Audit) {
    let id = producer.id;
    let transport = tables.transports.get(producer.transport);
    audit.check(transport.is_some_and(|transport| transport.producers.contains(&key)), || {
        format!("{id:?} is not in its transport's list")
    });
    let own = |consumer: &ConsumerKey| {
        tables.consumers.get(*consumer).is_some_and(|consumer| consumer.producer == key)
    };
    audit.check(producer.consumers.iter().all(own), || format!("{id:?} lists a foreign consumer"));
    audit_observed(tables, key, producer, audit);
    for (index, stream) in producer.streams() {
        audit.check(index < producer.encodings.len(), || format!("{id:?} has a stream of no encoding"));
        audit.check(!stream.has_run(), || format!("{id:?} is in the middle of a run after its turn"));
        audit_stream(stream, &format!("{id:?} stream {index}"), audit);
    }
}

/// Producers and observers name each other, once.
fn audit_observer(tables: &Tables, key: ObserverKey, observer: &Observer, audit: &mut Audit) {
    let id = observer.id;
    for producer_key in observer.producers() {
        let producer = tables.producers.get(producer_key);
        let transport = producer.and_then(|producer| tables.transports.get(producer.transport));
        audit.check(transport.is_some_and(|transport| transport.router == observer.router), || {
            format!("{id:?} observes {producer_key:?}, which is not of its router")
        });
        let observed = producer.and_then(|producer| producer.observed.as_ref());
        let times =
            observed.map_or(0, |observed| observed.observers().iter().filter(|other| **other == key).count());
        audit.equal(&format!("times that {producer_key:?} names {id:?}, which observes it"), times, 1);
    }
    let leads = observer.leads();
    audit.check(leads.is_none_or(|leads| observer.producers().any(|key| key == leads)), || {
        format!("{id:?} takes {leads:?} for the speaker, whom it does not observe")
    });
    audit.check(observer.is_due() == observer.is_active(), || {
        format!("{id:?} is active: {}; an interval runs: {}", observer.is_active(), observer.is_due())
    });
    audit
        .check(observer.is_armed() || !observer.is_due(), || format!("{id:?} has no timer for its interval"));
}

/// Who observes a producer observes it in turn.
fn audit_observed(tables: &Tables, key: ProducerKey, producer: &Producer, audit: &mut Audit) {
    let Some(observed) = &producer.observed else { return };
    let id = producer.id;
    audit.check(!observed.observers().is_empty(), || format!("{id:?} is counted for nobody"));
    for observer in observed.observers() {
        let names = |observer: &Observer| observer.producers().filter(|other| *other == key).count();
        let times = tables.observers.get(*observer).map_or(0, names);
        audit.equal(&format!("times that {observer:?} names {id:?}, which it observes"), times, 1);
    }
}

/// A stream's packets belong to it alone: consumers remember positions, not packets.
fn audit_stream(stream: &ReceivedStream, name: &str, audit: &mut Audit) {
    let mut bytes = 0;
    let mut shared = 0;
    for stored in stream.stored_packets() {
        bytes += stored.packet.class().capacity();
        shared += usize::from(stored.packet.references() != 1);
    }
    audit.equal(&format!("packets of {name} that somebody else holds too"), shared, 0);
    audit.equal(&format!("bytes of packets of {name}"), bytes, stream.held_bytes());
}

fn audit_consumer(tables: &Tables, key: ConsumerKey, consumer: &Consumer, audit: &mut Audit) {
    let id = consumer.id;
    let transport = tables.transports.get(consumer.transport);
    audit.check(transport.is_some_and(|transport| transport.consumers.contains(&key)), || {
        format!("{id:?} is not in its transport's list")
    });
    let known = |ssrc| transport.and_then(|transport| transport.feedback_to.get(ssrc)) == Some(key);
    audit
        .check(consumer.stream.ssrcs().all(known), || format!("{id:?} gets no feedback about what it sends"));
    let producer = tables.producers.get(consumer.producer);
    audit.check(producer.is_some_and(|producer| producer.consumers.contains(&key)), || {
        format!("{id:?} is not in its producer's list")
    });
    let encoding = producer.and_then(|producer| producer.encoding_of(consumer.consumable_ssrc));
    audit.check(encoding.is_some(), || format!("{id:?} consumes an encoding that is not there"));
    let paused = producer.is_some_and(Producer::is_paused);
    audit.check(consumer.is_producer_paused() == paused, || {
        format!("{id:?} is wrong about its producer's pause")
    });
    let unsent = consumer.stream.ring.unsent_count() as usize;
    audit.equal(&format!("packets that {id:?} has not sent after its turn"), unsent, 0);
}

/// A server and the transports on it name each other, and its routes lead to them and to nobody else.
fn audit_webrtc_server(tables: &Tables, key: WebRtcServerKey, server: &WebRtcServer, audit: &mut Audit) {
    let id = server.id;
    let (mut fragments, mut tuples) = (0, 0);
    for transport_key in &server.transports {
        let transport = tables.transports.get(*transport_key);
        let webrtc = transport.and_then(|transport| transport.link.webrtc());
        let Some(webrtc) = webrtc.filter(|webrtc| webrtc.server() == Some(key)) else {
            audit.check(false, || format!("{id:?} lists {transport_key:?}, which is not on it"));
            continue;
        };
        for fragment in webrtc.username_fragments() {
            fragments += 1;
            let leads = server.routes.fragments().any(|route| route == (&fragment, *transport_key));
            audit.check(leads, || format!("{fragment:?} does not lead to {transport_key:?}"));
        }
        for tuple in webrtc.tuples() {
            tuples += 1;
            let owner = server.routes.owner_of(tuple);
            audit.check(owner == Some(*transport_key), || {
                format!("{tuple:?} of {transport_key:?} leads to {owner:?}")
            });
        }
    }
    audit.equal(&format!("fragments that {id:?} knows"), fragments, server.routes.fragments().count());
    audit.equal(&format!("tuples that {id:?} knows"), tuples, server.routes.tuples());
    let on_it = |transport: &Transport| transport.link.webrtc().and_then(WebRtc::server) == Some(key);
    let count = tables.transports.iter().filter(|(_, transport)| on_it(transport)).count();
    audit.equal(&format!("transports on {id:?}"), count, server.transports.len());
}

/// Each connection that is on record is a way of the transport that it is kept for, and the other way round.
fn audit_connections(tables: &Tables, audit: &mut Audit) {
    let mut ways = 0;
    for (_, transport) in tables.transports.iter() {
        let tuples = transport.link.webrtc().into_iter().flat_map(WebRtc::tuples);
        ways += tuples.filter(|tuple| tuple.protocol == Protocol::Tcp).count();
    }
    let mut connections = 0;
    for (socket, port) in tables.sockets.ice_ports().filter(|(socket, port)| port.listener != *socket) {
        connections += 1;
        let Holder::Transport(key) = port.holder else {
            audit.check(false, || format!("connection {socket:?} is nobody's"));
            continue;
        };
        let webrtc = tables.transports.get(key).and_then(|transport| transport.link.webrtc());
        let is_way = webrtc.is_some_and(|own| own.tuples().any(|tuple| tuple.path.socket == socket));
        audit.check(is_way, || format!("connection {socket:?} is no way of {key:?}, for whom it is kept"));
    }
    audit.equal("connections that are ways", ways, connections);
}

/// Each socket is kept for just those who use it.
fn audit_sockets(tables: &Tables, audit: &mut Audit) {
    let mut kept: Vec<_> = tables.sockets.owners().map(|(socket, owner)| (socket, owner.transport)).collect();
    kept.sort_unstable();
    for (socket, owner) in &kept {
        let transport = tables.transports.get(*owner);
        let uses = transport.is_some_and(|transport| transport.link.sockets().any(|own| own == *socket));
        audit.check(uses, || format!("{socket:?} is kept for {owner:?}, who does not use it"));
    }
    for (socket, port) in tables.sockets.ice_ports() {
        let places = match port.holder {
            Holder::Server(key) => tables.webrtc_servers.get(key).map(WebRtcServer::places),
            Holder::Transport(key) => {
                let webrtc = tables.transports.get(key).and_then(|transport| transport.link.webrtc());
                webrtc.map(WebRtc::places).filter(|_| port.listener == socket)
            }
        };
        let is_connection = port.listener != socket;
        let uses = places.is_some_and(|places| places.iter().any(|place| place.socket == socket));
        audit.check(uses || is_connection, || {
            format!("{socket:?} is kept for {:?}, who does not use it", port.holder)
        });
    }
    audit_connections(tables, audit);
    for (key, transport) in tables.transports.iter() {
        for socket in transport.link.plain().into_iter().flat_map(Plain::sockets) {
            let is_kept = kept.binary_search(&(socket, key)).is_ok();
            audit.check(is_kept, || format!("{:?} has a socket that is on nobody's record", transport.id));
        }
    }
}

/// Who believes to have a timer has one.
fn audit_timers(tables: &Tables, audit: &mut Audit) {
    let (mut transports, mut producers): ([Vec<TransportKey>; 5], [Vec<ProducerKey>; 5]) = Default::default();
    let [reports, feedback, limits, handshakes, consents] = &mut transports;
    let [nacks, key_frames, silences, histories, rings] = &mut producers;
    let mut observers: Vec<ObserverKey> = Vec::new();
    for deadline in tables.deadlines.keys() {
        match deadline {
            Deadline::Rtcp(key) => reports.push(key),
            Deadline::WideFeedback(key) => feedback.push(key),
            Deadline::BitrateLimit(key) => limits.push(key),
            Deadline::Dtls(key) => handshakes.push(key),
            Deadline::Consent(key) => consents.push(key),
            Deadline::Nack(key) => nacks.push(key),
            Deadline::KeyFrame(key) => key_frames.push(key),
            Deadline::Silence(key) => silences.push(key),
            Deadline::History(key) => histories.push(key),
            Deadline::Rings(key) => rings.push(key),
            Deadline::Observer(key) => observers.push(key),
            Deadline::Memory | Deadline::Log => {}
        }
    }
    transports.iter_mut().for_each(|keys| keys.sort_unstable());
    producers.iter_mut().for_each(|keys| keys.sort_unstable());
    for (key, observer) in tables.observers.iter() {
        let timers = observers.iter().filter(|timer| **timer == key).count();
        audit.equal(&format!("timers of {:?}", observer.id), timers, usize::from(observer.is_armed()));
    }
    for (key, transport) in tables.transports.iter() {
        let set = transports.each_ref().map(|keys| keys.binary_search(&key).is_ok());
        let (feedback, limit) = transport.congestion.as_ref().map_or((false, false), |own| own.is_armed());
        let (handshake, consent) = transport.link.webrtc().map_or((false, false), WebRtc::is_armed);
        let armed = [transport.rtcp.is_armed(), feedback, limit, handshake, consent];
        audit.check(armed.into_iter().zip(set).all(|(armed, set)| set || !armed), || {
            format!("{:?} waits in vain to report, {armed:?} of {set:?}", transport.id)
        });
    }
    for (key, producer) in tables.producers.iter() {
        let [nacks, key_frames, silences, histories, rings] =
            producers.each_ref().map(|keys| keys.binary_search(&key).is_ok());
        let armed =
            |is_armed: fn(&ReceivedStream) -> bool| producer.streams().any(|(_, stream)| is_armed(stream));
        let timers = [
            (nacks, armed(|stream| stream.nacks_armed.is_some())),
            (key_frames, armed(|stream| stream.key_frames_armed.is_some())),
            (silences, producer.silence_armed()),
            (histories, armed(|stream| stream.history_armed.is_some())),
            (rings, producer.rings_armed()),
        ];
        audit.check(timers.iter().all(|(scheduled, armed)| *scheduled || !*armed), || {
            format!("{:?} waits for a timer that is not set: {timers:?}", producer.id)
        });
    }
}

/// All of packet memory is somebody's.
fn audit_memory(tables: &Tables, pool: &Pool, audit: &mut Audit) {
    let streams = || tables.producers.iter().flat_map(|(_, producer)| producer.streams());
    let packets = streams().map(|(_, stream)| stream.stored_packets().count()).sum();
    audit.equal("packets", packets, pool.in_use());
    let histories: usize = streams().map(|(_, stream)| stream.ring_bytes()).sum();
    let rings: usize = tables.consumers.iter().map(|(_, consumer)| consumer.stream.history_bytes()).sum();
    audit.equal("charged bytes", histories + rings, pool.stats().charged_bytes);
    let (held, limit) = (pool.held_bytes(), pool.limit_bytes());
    audit.check(held <= limit, || format!("{held} bytes of packet memory are held, {limit} are allowed"));
}
