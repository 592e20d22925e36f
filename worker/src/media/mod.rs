//! Entities and the path of packets through them.
//!
//! Entities live in flat tables and refer to one another by typed keys with generations: a closed entity is a
//! `None`, not an accident. They hold no pointers and no descriptors. Verbs are functions over [`Tables`], because
//! most of them touch more than one entity; what concerns one entity alone is its method.
//!
//! * [`receive`] takes a datagram to its producer, [`forward`] a turn's packets to consumers and out of transports;
//! * [`feedback`] takes received RTCP to consumers and producers;
//! * [`sockets`] and [`demux`] say whose a datagram and whose a packet is.

pub(crate) mod audit;
pub(crate) mod consumer;
pub(crate) mod deadline;
pub(crate) mod demux;
pub(crate) mod feedback;
pub(crate) mod forward;
pub(crate) mod ice_routes;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod observer;
pub(crate) mod parameters;
pub(crate) mod producer;
pub(crate) mod receive;
pub(crate) mod refused;
pub(crate) mod router;
pub(crate) mod sender_clock;
pub(crate) mod sockets;
pub(crate) mod ssrc_table;
pub(crate) mod trace;
pub(crate) mod traffic;
pub(crate) mod transport;
pub(crate) mod webrtc_server;

use tidegate_protocol::ids::{ConsumerId, EntityId, ObserverId, ProducerId, RouterId, TransportId};

use crate::base::table::{Key, Table};
use crate::base::timer::Deadlines;
use crate::dtls::{FLIGHTS_A_TURN, Flights};
use crate::media::consumer::Consumer;
use crate::media::deadline::Deadline;
use crate::media::forward::Runs;
use crate::media::metrics::Metrics;
use crate::media::observer::{Observer, ObserverKey};
use crate::media::producer::Producer;
use crate::media::refused::Refused;
use crate::media::router::Router;
use crate::media::sockets::Sockets;
use crate::media::transport::Transport;
use crate::media::transport::webrtc::context::DtlsContext;
use crate::media::webrtc_server::{WebRtcServer, WebRtcServerKey};
use crate::random::{KeyedMap, Random, shrink_when_sparse};

/// Names a router.
pub(crate) type RouterKey = Key<Router>;
/// Names a transport.
pub(crate) type TransportKey = Key<Transport>;
/// Names a producer.
pub(crate) type ProducerKey = Key<Producer>;
/// Names a consumer.
pub(crate) type ConsumerKey = Key<Consumer>;

/// All entities, and what finds them.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) ids: KeyedMap<EntityId, EntityKey>,
    pub(crate) routers: Table<Router>,
    pub(crate) transports: Table<Transport>,
    pub(crate) producers: Table<Producer>,
    pub(crate) consumers: Table<Consumer>,
    pub(crate) observers: Table<Observer>,
    pub(crate) webrtc_servers: Table<WebRtcServer>,
    /// What all handshakes share.
    pub(crate) dtls: DtlsContext,
    /// How many costly steps of handshakes this turn still bears.
    pub(crate) flights: Flights,
    pub(crate) sockets: Sockets,
    pub(crate) deadlines: Deadlines<Deadline>,
    pub(crate) runs: Runs,
    pub(crate) metrics: Metrics,
}

/// An entity of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntityKey {
    Router(RouterKey),
    Transport(TransportKey),
    Producer(ProducerKey),
    Consumer(ConsumerKey),
    Observer(ObserverKey),
    WebRtcServer(WebRtcServerKey),
}

impl Tables {
    /// No entities. `any_port` is the range for transports that do not name a port.
    pub(crate) fn new(any_port: (u16, u16), random: &mut Random) -> Self {
        Self {
            ids: KeyedMap::with_hasher(random.hasher()),
            routers: Table::new(),
            transports: Table::new(),
            producers: Table::new(),
            consumers: Table::new(),
            observers: Table::new(),
            webrtc_servers: Table::new(),
            dtls: DtlsContext::default(),
            flights: Flights::new(FLIGHTS_A_TURN),
            sockets: Sockets::new(any_port, random.hasher()),
            deadlines: Deadlines::new(),
            runs: Runs::default(),
            metrics: Metrics::default(),
        }
    }

    /// Takes an id out of use. It must not come again, but its place in the table may.
    pub(crate) fn forget(&mut self, id: impl Into<EntityId>) {
        self.ids.remove(&id.into());
        shrink_when_sparse(&mut self.ids);
    }

    /// Refuses an id that names something already, and any when there are too many entities.
    pub(crate) fn check_unused(&self, id: EntityId) -> Result<(), Refused> {
        if self.ids.contains_key(&id) {
            return Err(Refused::duplicate(format!("id {} is in use; never use an id twice", id.0)));
        }
        if self.ids.len() >= ENTITIES_MAX {
            return Err(Refused::limit(format!(
                "the worker has {ENTITIES_MAX} entities, which is the most; close some or start another worker"
            )));
        }
        Ok(())
    }

    pub(crate) fn router(&self, id: RouterId) -> Result<RouterKey, Refused> {
        match self.ids.get(&EntityId::from(id)) {
            Some(EntityKey::Router(key)) => Ok(*key),
            _ => Err(Refused::not_found(format!(
                "no router has id {}; create it first, or it was closed",
                id.0
            ))),
        }
    }

    pub(crate) fn transport(&self, id: TransportId) -> Result<TransportKey, Refused> {
        match self.ids.get(&EntityId::from(id)) {
            Some(EntityKey::Transport(key)) => Ok(*key),
            _ => Err(Refused::not_found(format!(
                "no transport has id {}; create it first, or it was closed",
                id.0
            ))),
        }
    }

    pub(crate) fn producer(&self, id: ProducerId) -> Result<ProducerKey, Refused> {
        match self.ids.get(&EntityId::from(id)) {
            Some(EntityKey::Producer(key)) => Ok(*key),
            _ => Err(Refused::not_found(format!(
                "no producer has id {}; produce it first, or it was closed",
                id.0
            ))),
        }
    }

    pub(crate) fn consumer(&self, id: ConsumerId) -> Result<ConsumerKey, Refused> {
        match self.ids.get(&EntityId::from(id)) {
            Some(EntityKey::Consumer(key)) => Ok(*key),
            _ => Err(Refused::not_found(format!(
                "no consumer has id {}; consume it first, or it was closed",
                id.0
            ))),
        }
    }

    pub(crate) fn observer(&self, id: ObserverId) -> Result<ObserverKey, Refused> {
        match self.ids.get(&EntityId::from(id)) {
            Some(EntityKey::Observer(key)) => Ok(*key),
            _ => Err(Refused::not_found(format!(
                "no observer has id {}; create it first, or it was closed",
                id.0
            ))),
        }
    }

    pub(crate) fn consumer_ids<'a>(
        &'a self,
        keys: &'a [ConsumerKey],
    ) -> impl Iterator<Item = ConsumerId> + 'a {
        keys.iter().filter_map(|key| Some(self.consumers.get(*key)?.id))
    }

    pub(crate) fn producer_ids<'a>(
        &'a self,
        keys: &'a [ProducerKey],
    ) -> impl Iterator<Item = ProducerId> + 'a {
        keys.iter().filter_map(|key| Some(self.producers.get(*key)?.id))
    }
}

/// Entities of all kinds together. As many ids fit a dump.
const ENTITIES_MAX: usize = 65_536;
