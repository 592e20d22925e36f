//! What the worker must hold by now, as far as requests and answers tell.
//!
//! Knows ids, parents and what closing takes along. Does not know how requests are drawn. Called by lives.
//! Invariant: an entity is in a list from the answer that created it until a request is *sent* that closes it: requests
//! run in order, so whatever is sent afterwards meets a worker without it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use tidegate_protocol::ids::EntityId;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::{MediaKind, RtpParameters};
use tidegate_protocol::transport::{PlainTransportOptions, Protocol};
use tidegate_protocol::webrtc::{WebRtcCommand, WebRtcDump, WebRtcListen};

use super::commands::produce;

/// Entities alive, and ids that were.
#[derive(Debug, Default)]
pub struct Model {
    /// Routers.
    pub routers: Vec<u64>,
    /// Transports.
    pub transports: Vec<Transport>,
    /// Producers.
    pub producers: Vec<Producer>,
    /// Consumers.
    pub consumers: Vec<Consumer>,
    /// Observers.
    pub observers: Vec<Observer>,
    /// WebRTC servers.
    pub servers: Vec<Server>,
    /// Ids that a request closed, or that closed with another one.
    pub closed: BTreeSet<u64>,
    created: BTreeSet<u64>,
    asked_for: BTreeSet<u64>,
    /// Observers with producers that they were asked to observe, ever.
    observed: BTreeSet<(u64, u64)>,
    last_id: u64,
}

/// A transport that lives.
#[derive(Clone, Debug)]
pub struct Transport {
    /// Its id.
    pub id: u64,
    /// Where it belongs.
    pub router: u64,
    /// Where it receives RTP.
    pub address: Option<SocketAddr>,
    /// Whether RTCP comes to the same port.
    pub rtcp_mux: bool,
    /// Whether it can be connected: not comedia, and not connected.
    pub connectable: bool,
    /// Whether only ordinary producers were asked of it; the header extensions of others may contradict theirs.
    pub ordinary: bool,
    /// Of a WebRTC transport.
    pub ice: Option<Ice>,
}

/// What only a WebRTC transport has.
#[derive(Clone, Debug)]
pub struct Ice {
    /// Whose ports it uses.
    pub server: Option<u64>,
    /// Under which it is called.
    pub fragment: String,
    /// What goes with it.
    pub password: String,
    /// Whether a request to connect it was sent, whatever became of that.
    pub asked_to_connect: bool,
}

/// A producer that lives.
#[derive(Clone, Debug)]
pub struct Producer {
    /// Its id.
    pub id: u64,
    /// Where it belongs.
    pub transport: u64,
    /// Audio or video.
    pub kind: MediaKind,
    /// What it was made with.
    pub parameters: RtpParameters,
    /// By which consumers name its encodings.
    pub mapped_ssrcs: Vec<u32>,
    /// Whether it is as [`super::commands::produce`] makes them, so that consuming it must work.
    pub ordinary: bool,
}

impl Producer {
    /// What [`super::commands::produce`] makes, as consumers need to know it.
    pub fn ordinary(transport: u64, id: u64, is_video: bool) -> Self {
        let made = Self::of(&produce(transport, id, is_video));
        made.unwrap_or_else(|| unreachable!("produce makes Produce"))
    }

    fn of(command: &Command) -> Option<Self> {
        let Command::Produce { transport, producer, kind, rtp_parameters, rtp_mapping, .. } = command else {
            return None;
        };
        Some(Self {
            id: producer.0,
            transport: transport.0,
            kind: *kind,
            parameters: rtp_parameters.clone(),
            mapped_ssrcs: rtp_mapping.encodings.iter().map(|encoding| encoding.mapped_ssrc).collect(),
            ordinary: is_ordinary_produce(command),
        })
    }
}

/// A consumer that lives.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its id.
    pub id: u64,
    /// Where it belongs.
    pub transport: u64,
    /// What it consumes.
    pub producer: u64,
}

/// A WebRTC server that lives.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Its id.
    pub id: u64,
    /// Whether it listens on UDP, which every transport takes.
    pub has_udp: bool,
}

/// An observer that lives.
#[derive(Clone, Copy, Debug)]
pub struct Observer {
    /// Its id.
    pub id: u64,
    /// Where it belongs.
    pub router: u64,
}

impl Model {
    /// An id that was never used. Ids lie far apart, so that a flipped bit does not make one of another.
    pub fn fresh_id(&mut self) -> u64 {
        self.last_id += ID_STEP;
        self.last_id
    }

    /// Whether an answer told of its creation, however long ago.
    pub fn was_created(&self, id: EntityId) -> bool {
        self.created.contains(&id.0)
    }

    /// Whether a request named it as a new entity's, answered or not.
    pub fn was_asked_for(&self, id: u64) -> bool {
        self.asked_for.contains(&id)
    }

    /// Whether a request asked an observer to observe a producer, answered or not.
    pub fn may_observe(&self, observer: u64, producer: u64) -> bool {
        self.observed.contains(&(observer, producer))
    }

    /// How many entities live.
    pub fn len(&self) -> usize {
        let media = self.transports.len() + self.producers.len() + self.consumers.len();
        self.routers.len() + media + self.observers.len() + self.servers.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The router that a transport belongs to.
    pub fn router_of(&self, transport: u64) -> Option<u64> {
        self.transports.iter().find(|candidate| candidate.id == transport).map(|transport| transport.router)
    }

    /// Every id that lives.
    pub fn ids(&self) -> Vec<u64> {
        let transports = self.transports.iter().map(|transport| transport.id);
        let producers = self.producers.iter().map(|producer| producer.id);
        let consumers = self.consumers.iter().map(|consumer| consumer.id);
        let observers = self.observers.iter().map(|observer| observer.id);
        let media = transports.chain(producers).chain(consumers);
        let servers = self.servers.iter().map(|server| server.id);
        self.routers.iter().copied().chain(servers).chain(media).chain(observers).collect()
    }

    /// Takes note of a request on its way.
    pub fn on_sent(&mut self, command: &Command) {
        self.asked_for.extend(new_id(command));
        match command {
            Command::CloseRouter { router } => self.close_router(router.0),
            Command::CloseTransport { transport } => self.close_transport(transport.0),
            Command::CloseProducer { producer } => self.close_producer(producer.0),
            Command::CloseConsumer { consumer } => self.close_consumer(consumer.0),
            Command::CloseObserver { observer } => self.close_observer(observer.0),
            Command::AddObservedProducer { observer, producer } => {
                self.observed.insert((observer.0, producer.0));
            }
            Command::ConnectPlainTransport { transport, .. } => {
                if let Some(transport) = self.transport_mut(transport.0) {
                    transport.connectable = false;
                }
            }
            Command::WebRtc(WebRtcCommand::CloseServer { server }) => self.close_server(server.0),
            Command::WebRtc(WebRtcCommand::ConnectTransport { transport, .. }) => {
                if let Some(ice) = self.transport_mut(transport.0).and_then(|it| it.ice.as_mut()) {
                    ice.asked_to_connect = true;
                }
            }
            Command::Produce { transport, .. } if !is_ordinary_produce(command) => {
                if let Some(transport) = self.transport_mut(transport.0) {
                    transport.ordinary = false;
                }
            }
            _ => {}
        }
    }

    /// Takes note of a good answer.
    pub fn on_reply(&mut self, command: &Command, reply: &Reply) {
        match (command, reply) {
            (Command::CreateRouter { router }, _) => {
                let lives = self.is_new(router.0, true);
                self.routers.extend(lives.then_some(router.0));
            }
            (Command::CreatePlainTransport { .. }, Reply::PlainTransport(tuples)) => {
                self.add_transport(command, tuples.tuple.local_port);
            }
            (Command::Produce { .. }, _) => self.add_producer(command),
            (Command::Consume { transport, consumer, producer, .. }, _) => {
                let has_producer = self.producers.iter().any(|candidate| candidate.id == producer.0);
                let lives = self.is_new(consumer.0, has_producer && self.router_of(transport.0).is_some());
                let consumer = Consumer { id: consumer.0, transport: transport.0, producer: producer.0 };
                self.consumers.extend(lives.then_some(consumer));
            }
            (
                Command::CreateAudioLevelObserver { router, observer, .. }
                | Command::CreateActiveSpeakerObserver { router, observer, .. },
                _,
            ) => {
                let lives = self.is_new(observer.0, self.routers.contains(&router.0));
                self.observers.extend(lives.then_some(Observer { id: observer.0, router: router.0 }));
            }
            (Command::WebRtc(command), reply) => self.on_webrtc_reply(command, reply),
            _ => {}
        }
    }

    fn on_webrtc_reply(&mut self, command: &WebRtcCommand, reply: &Reply) {
        match (command, reply) {
            (WebRtcCommand::CreateServer { server, listen_infos }, _) => {
                let lives = self.is_new(server.0, true);
                let has_udp = listen_infos.iter().any(|info| info.protocol == Protocol::Udp);
                self.servers.extend(lives.then_some(Server { id: server.0, has_udp }));
            }
            (WebRtcCommand::CreateTransport { router, transport, options }, Reply::WebRtcTransport(dump)) => {
                self.add_webrtc_transport(router.0, transport.0, &options.listen, dump);
            }
            (WebRtcCommand::RestartIce { transport }, Reply::IceParameters(told)) => {
                if let Some(ice) = self.transport_mut(transport.0).and_then(|it| it.ice.as_mut()) {
                    ice.fragment = told.username_fragment.to_string();
                    ice.password = told.password.to_string();
                }
            }
            _ => {}
        }
    }

    fn add_webrtc_transport(&mut self, router: u64, id: u64, listen: &WebRtcListen, dump: &WebRtcDump) {
        let udp = dump.ice_candidates.iter().find(|candidate| candidate.protocol == Protocol::Udp);
        let address = udp.and_then(|found| Some(SocketAddr::new(found.address.parse().ok()?, found.port)));
        let server = if let WebRtcListen::Server(server) = listen { Some(server.0) } else { None };
        let added = Transport {
            id,
            router,
            address,
            rtcp_mux: true,
            connectable: false,
            ordinary: true,
            ice: Some(Ice {
                server,
                fragment: dump.ice_parameters.username_fragment.to_string(),
                password: dump.ice_parameters.password.to_string(),
                asked_to_connect: false,
            }),
        };
        let has_server = server.is_none_or(|id| self.servers.iter().any(|server| server.id == id));
        let lives = self.is_new(id, has_server && self.routers.contains(&router));
        self.transports.extend(lives.then_some(added));
    }

    fn add_transport(&mut self, command: &Command, port: u16) {
        let Command::CreatePlainTransport { router, transport, options } = command else { return };
        let ip = options.listen_info.ip;
        let added = Transport {
            id: transport.0,
            router: router.0,
            address: (!ip.is_unspecified()).then(|| SocketAddr::new(ip, port)),
            rtcp_mux: options.rtcp_mux,
            connectable: !options.comedia && is_ordinary(options),
            ordinary: true,
            ice: None,
        };
        let lives = self.is_new(transport.0, self.routers.contains(&router.0));
        self.transports.extend(lives.then_some(added));
    }

    fn add_producer(&mut self, command: &Command) {
        let Some(added) = Producer::of(command) else { return };
        let lives = self.is_new(added.id, self.router_of(added.transport).is_some());
        self.producers.extend(lives.then_some(added));
    }

    fn transport_mut(&mut self, id: u64) -> Option<&mut Transport> {
        self.transports.iter_mut().find(|candidate| candidate.id == id)
    }

    /// Remembers a created id; whether it lives still, for a request behind its creation may have closed it.
    fn is_new(&mut self, id: u64, parents_live: bool) -> bool {
        self.created.insert(id);
        if !parents_live {
            self.closed.insert(id);
        }
        // Closed before it was created: only mutated requests do that, and not surely of the right kind. Such an id
        // is not used any more.
        parents_live && !self.closed.remove(&id)
    }

    fn close_router(&mut self, id: u64) {
        let transports = self.transports.iter().filter(|transport| transport.router == id);
        for transport in transports.map(|transport| transport.id).collect::<Vec<_>>() {
            self.close_transport(transport);
        }
        let observers = self.observers.iter().filter(|observer| observer.router == id);
        for observer in observers.map(|observer| observer.id).collect::<Vec<_>>() {
            self.close_observer(observer);
        }
        self.routers.retain(|router| *router != id);
        self.note_closed(id);
    }

    fn close_server(&mut self, id: u64) {
        let on_it = |transport: &&Transport| transport.ice.as_ref().is_some_and(|ice| ice.server == Some(id));
        let transports = self.transports.iter().filter(on_it);
        for transport in transports.map(|transport| transport.id).collect::<Vec<_>>() {
            self.close_transport(transport);
        }
        self.servers.retain(|server| server.id != id);
        self.note_closed(id);
    }

    fn close_transport(&mut self, id: u64) {
        let producers = self.producers.iter().filter(|producer| producer.transport == id);
        for producer in producers.map(|producer| producer.id).collect::<Vec<_>>() {
            self.close_producer(producer);
        }
        let consumers = self.consumers.iter().filter(|consumer| consumer.transport == id);
        for consumer in consumers.map(|consumer| consumer.id).collect::<Vec<_>>() {
            self.close_consumer(consumer);
        }
        self.transports.retain(|transport| transport.id != id);
        self.note_closed(id);
    }

    fn close_producer(&mut self, id: u64) {
        let consumers = self.consumers.iter().filter(|consumer| consumer.producer == id);
        for consumer in consumers.map(|consumer| consumer.id).collect::<Vec<_>>() {
            self.close_consumer(consumer);
        }
        self.producers.retain(|producer| producer.id != id);
        self.note_closed(id);
    }

    fn close_consumer(&mut self, id: u64) {
        self.consumers.retain(|consumer| consumer.id != id);
        self.note_closed(id);
    }

    fn close_observer(&mut self, id: u64) {
        self.observers.retain(|observer| observer.id != id);
        self.note_closed(id);
    }

    /// A close of the wrong kind closes nothing.
    fn note_closed(&mut self, id: u64) {
        if !self.ids().contains(&id) {
            self.closed.insert(id);
        }
    }
}

/// The id of the entity that a request is to make.
fn new_id(command: &Command) -> Option<u64> {
    match command {
        Command::CreateRouter { router } => Some(router.0),
        Command::CreatePlainTransport { transport, .. } => Some(transport.0),
        Command::Produce { producer, .. } => Some(producer.0),
        Command::Consume { consumer, .. } => Some(consumer.0),
        Command::CreateAudioLevelObserver { observer, .. }
        | Command::CreateActiveSpeakerObserver { observer, .. } => Some(observer.0),
        Command::WebRtc(WebRtcCommand::CreateServer { server, .. }) => Some(server.0),
        Command::WebRtc(WebRtcCommand::CreateTransport { transport, .. }) => Some(transport.0),
        _ => None,
    }
}

/// Whether it is what [`produce`] makes.
fn is_ordinary_produce(command: &Command) -> bool {
    let Command::Produce { transport, producer, kind, rtp_parameters, rtp_mapping, .. } = command else {
        return false;
    };
    let Command::Produce { rtp_parameters: parameters, rtp_mapping: mapping, .. } =
        produce(transport.0, producer.0, *kind == MediaKind::Video)
    else {
        return false;
    };
    parameters == *rtp_parameters && mapping == *rtp_mapping
}

/// Listens as [`super::commands::draw`] has it when nothing is spoiled.
fn is_ordinary(options: &PlainTransportOptions) -> bool {
    let listen_info = &options.listen_info;
    listen_info.ip.is_loopback()
        && listen_info.ip.is_ipv4()
        && !listen_info.shared
        && options.rtcp_listen_info.is_none()
}

/// A prime: no few flipped bits lead from one multiple of it to another.
const ID_STEP: u64 = 1_000_003;
/// More are not created.
pub const TRANSPORTS_MAX: usize = 40;
