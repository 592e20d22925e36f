//! What must exist, by the requests that were answered with success.
//!
//! Knows ids and what belongs to whom. Does not know the worker. Asked and changed by the actions, one for one.
//! Invariant: what a thing belongs to exists.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tidegate_protocol::rtp::MediaKind;

use crate::world::host::Plain;
use crate::world::parameters::Stream;
use crate::world::peer::Sender;

/// A transport.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    pub(super) router: u64,
    pub(super) plain: Plain,
    pub(super) comedia: bool,
    /// Where its peer is, or will be.
    pub(super) peer: SocketAddr,
    pub(super) connected: bool,
}

/// A producer.
#[derive(Debug)]
pub(super) struct Producer {
    pub(super) transport: u64,
    pub(super) sender: Sender,
    pub(super) paused: bool,
    /// Packets that it should have counted.
    pub(super) packets: u64,
}

/// A consumer.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) transport: u64,
    pub(super) producer: u64,
    pub(super) stream: Stream,
    pub(super) paused: bool,
    pub(super) priority: u8,
}

/// Everything, by id. Routers have their transports in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) routers: BTreeMap<u64, Vec<u64>>,
    pub(super) transports: BTreeMap<u64, Transport>,
    pub(super) producers: BTreeMap<u64, Producer>,
    pub(super) consumers: BTreeMap<u64, Consumer>,
}

impl Model {
    /// Whether an id is in use, by whatever.
    pub(super) fn has(&self, id: u64) -> bool {
        self.routers.contains_key(&id)
            || self.transports.contains_key(&id)
            || self.producers.contains_key(&id)
            || self.consumers.contains_key(&id)
    }

    /// Every id in use, of whatever kind.
    pub(super) fn ids(&self) -> Vec<u64> {
        let ids = self.routers.keys().chain(self.transports.keys());
        ids.chain(self.producers.keys()).chain(self.consumers.keys()).copied().collect()
    }

    /// The router of a producer.
    pub(super) fn router_of(&self, producer: &Producer) -> u64 {
        self.transports[&producer.transport].router
    }

    /// Consumers of a producer, in the order of their ids, which is that in which they came.
    pub(super) fn consumers_of(&self, producer: u64) -> Vec<u64> {
        let consumers = self.consumers.iter().filter(|(_, consumer)| consumer.producer == producer);
        consumers.map(|(id, _)| *id).collect()
    }

    /// Producers on a transport, in their order.
    pub(super) fn producers_on(&self, transport: u64) -> Vec<u64> {
        let producers = self.producers.iter().filter(|(_, producer)| producer.transport == transport);
        producers.map(|(id, _)| *id).collect()
    }

    /// Consumers on a transport, in their order.
    pub(super) fn consumers_on(&self, transport: u64) -> Vec<u64> {
        let consumers = self.consumers.iter().filter(|(_, consumer)| consumer.transport == transport);
        consumers.map(|(id, _)| *id).collect()
    }

    /// Whether a transport's producers have this SSRC.
    pub(super) fn is_received(&self, transport: u64, ssrc: u32) -> bool {
        let mut on = self.producers.values().filter(|producer| producer.transport == transport);
        on.any(|producer| producer.sender.stream.ssrc == ssrc)
    }

    /// Whether a transport's consumers have this SSRC.
    pub(super) fn is_sent(&self, transport: u64, ssrc: u32) -> bool {
        let mut on = self.consumers.values().filter(|consumer| consumer.transport == transport);
        on.any(|consumer| consumer.stream.ssrc == ssrc)
    }

    /// Whether packets of its producer go to a consumer.
    pub(super) fn is_open(&self, consumer: &Consumer) -> bool {
        let producer_paused = self.producers[&consumer.producer].paused;
        !consumer.paused && !producer_paused && self.transports[&consumer.transport].connected
    }

    /// Closes a producer; its consumers go too, and are told: which.
    pub(super) fn close_producer(&mut self, id: u64) -> Vec<u64> {
        self.producers.remove(&id);
        let told = self.consumers_of(id);
        self.consumers.retain(|_, consumer| consumer.producer != id);
        told
    }

    /// Closes a transport: its consumers without a word, its producers with theirs elsewhere, who are told.
    pub(super) fn close_transport(&mut self, id: u64) -> Vec<u64> {
        self.consumers.retain(|_, consumer| consumer.transport != id);
        let told = self.producers_on(id).into_iter().flat_map(|producer| self.close_producer(producer));
        let told = told.collect();
        self.transports.remove(&id);
        self.routers.values_mut().for_each(|transports| transports.retain(|other| *other != id));
        told
    }

    /// Closes a router and its transports, in their order.
    pub(super) fn close_router(&mut self, id: u64) -> Vec<u64> {
        let transports = self.routers.remove(&id).unwrap_or_default();
        transports.into_iter().flat_map(|transport| self.close_transport(transport)).collect()
    }

    /// How a stream of this kind is described.
    pub(super) fn stream(kind: MediaKind, ssrc: u32) -> Stream {
        match kind {
            MediaKind::Audio => Stream::opus(ssrc),
            MediaKind::Video => Stream::vp8(ssrc),
        }
    }
}
