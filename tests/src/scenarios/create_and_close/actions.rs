//! Requests at random, right ones and wrong ones, and what each must answer.
//!
//! Knows the model and the world. Every action first asks the model what the answer must be, then the worker, then
//! changes the model. Invariant: model and worker agree after each.

use std::net::{IpAddr, SocketAddr};

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId, TransportId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::MediaKind;
use tidegate_protocol::transport::{ListenPort, PlainTransportOptions, Protocol};

use super::super::draw::Draw;
use super::model::{Consumer, Model, Producer, Transport};
use crate::world::host::{Plain, listen_on, plain_options};
use crate::world::peer::{Sender, address};
use crate::world::{Beginning, World};

/// A world, its model and what is drawn.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) world: World,
    pub(super) draw: Draw,
    pub(super) model: Model,
    /// Ids that were in use.
    closed: Vec<u64>,
    /// What consumers must be told.
    expected: Vec<Event>,
    next_host: u32,
}

impl Story {
    /// Nothing exists.
    pub(super) fn begins(seed: u64) -> Self {
        let (closed, expected) = (Vec::new(), Vec::new());
        let world = World::from(Beginning::of(seed));
        Self { world, draw: Draw::of(seed), model: Model::default(), closed, expected, next_host: 0 }
    }

    /// One request, of any kind; more is made than closed while there is little, and the other way round.
    pub(super) fn does_anything(&mut self) {
        let many = self.model.consumers.len() > 60 || self.model.transports.len() > 25;
        match self.draw.between(0, 99) {
            0..=3 => self.creates_router(),
            4..=15 => self.creates_transport(),
            16..=24 => self.connects(),
            25..=36 => self.produces(),
            37..=60 => self.consumes(),
            61..=74 => self.pauses_or_resumes(),
            75..=78 => self.asks_for_a_key_frame(),
            79..=81 => self.sets_a_priority(),
            82..=86 => self.asks_about_anything(),
            87 => self.closes_router(),
            88 | 89 if !many => self.closes_transport(),
            88..=91 => self.closes_transport(),
            92..=95 => self.closes_producer(),
            _ => self.closes_consumer(),
        }
        self.hears_what_was_expected();
    }

    /// Mostly one that is there, else one that was, will never be, or is something else.
    fn any_id(&mut self, good: &[u64]) -> u64 {
        if !good.is_empty() && self.draw.chance(930) {
            return self.draw.pick(good);
        }
        let others = if self.draw.chance(500) { self.model.ids() } else { self.closed.clone() };
        if others.is_empty() { 1 << 40 } else { self.draw.pick(&others) }
    }

    fn new_id(&mut self) -> u64 {
        let used = self.model.ids();
        if !used.is_empty() && self.draw.chance(40) { self.draw.pick(&used) } else { self.world.new_id() }
    }

    fn creates_router(&mut self) {
        let id = self.new_id();
        if self.model.routers.len() >= 5 {
            return;
        }
        let refusal = self.model.has(id).then_some(ErrorKind::Duplicate);
        let reply = self.answers(Command::CreateRouter { router: RouterId(id) }, refusal);
        if reply.is_some() {
            self.model.routers.insert(id, Vec::new());
        }
    }

    fn creates_transport(&mut self) {
        let id = self.new_id();
        let routers: Vec<u64> = self.model.routers.keys().copied().collect();
        let router = self.any_id(&routers);
        let comedia = self.draw.chance(400);
        let mut options =
            PlainTransportOptions { comedia, rtcp_mux: self.draw.chance(700), ..plain_options() };
        let taken = self.model.transports.values().map(|transport| transport.plain.rtp.port()).next();
        let wrong = self.draw.between(0, 39);
        let refusal = match (self.model.routers.contains_key(&router), self.model.has(id), wrong) {
            (false, ..) => Some(ErrorKind::NotFound),
            (_, true, _) => Some(ErrorKind::Duplicate),
            (.., 0) => {
                options.listen_info.protocol = Protocol::Tcp;
                Some(ErrorKind::InvalidArgument)
            }
            (.., 1) => {
                options.listen_info.ip = IpAddr::from([203, 0, 113, 1]);
                Some(ErrorKind::BindFailed)
            }
            (.., 2) => taken.map(|port| {
                options.listen_info.port = ListenPort::Fixed(port);
                ErrorKind::BindFailed
            }),
            (.., 3) => {
                options.rtcp_mux = true;
                options.rtcp_listen_info = Some(listen_on(options.listen_info.ip, ListenPort::Any));
                Some(ErrorKind::InvalidArgument)
            }
            _ => None,
        };
        let mux = options.rtcp_mux;
        let create =
            Command::CreatePlainTransport { router: RouterId(router), transport: TransportId(id), options };
        let Some(Reply::PlainTransport(tuples)) = self.answers(create, refusal) else { return };
        let local = |port| SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port);
        let rtp = local(tuples.tuple.local_port);
        let rtcp = tuples.rtcp_tuple.map_or(rtp, |tuple| local(tuple.local_port));
        assert_eq!(mux, rtp == rtcp);
        let plain = Plain { id: TransportId(id), rtp, rtcp };
        self.next_host += 1;
        let host = u8::try_from(1 + self.next_host % 250).expect("below 251");
        let peer = address(host, u16::try_from(2_000 + self.next_host % 60_000).expect("a port"));
        self.model.transports.insert(id, Transport { router, plain, comedia, peer, connected: false });
        self.model.routers.get_mut(&router).expect("it is there").push(id);
    }

    fn connects(&mut self) {
        let waiting = self.model.transports.iter().filter(|(_, transport)| !transport.connected);
        let mut good: Vec<u64> = waiting.map(|(id, _)| *id).collect();
        if self.draw.chance(200) {
            good = self.model.transports.keys().copied().collect();
        }
        let id = self.any_id(&good);
        let transport = self.model.transports.get(&id).cloned();
        let peer = transport.as_ref().map_or_else(|| address(1, 1), |transport| transport.peer);
        let mux = transport.as_ref().is_some_and(|transport| transport.plain.rtp == transport.plain.rtcp);
        let wrong_rtcp = self.draw.chance(50);
        let refusal = match &transport {
            None => Some(ErrorKind::NotFound),
            Some(transport) if transport.connected => Some(ErrorKind::InvalidState),
            Some(transport) if transport.comedia || wrong_rtcp => Some(ErrorKind::InvalidArgument),
            Some(_) => None,
        };
        let rtcp_port = Some(peer.port() + 1).filter(|_| mux == wrong_rtcp);
        let reply = self.world.connect(TransportId(id), peer, rtcp_port);
        self.agrees(&reply, refusal);
        if refusal.is_none() {
            self.model.transports.get_mut(&id).expect("it is there").connected = true;
        }
    }

    fn produces(&mut self) {
        let id = self.new_id();
        let transports: Vec<u64> = self.model.transports.keys().copied().collect();
        let transport = self.any_id(&transports);
        let kind = self.draw.pick(&[MediaKind::Audio, MediaKind::Video]);
        let ssrc = self.draw.between(1, 40);
        let mut stream = Model::stream(kind, ssrc);
        let foreign = self.draw.chance(30);
        if foreign {
            stream.mime_type = self.draw.pick(&["video/unheard-of", "audio/opus-ish"]);
        }
        let refusal = match self.model.transports.get(&transport) {
            None => Some(ErrorKind::NotFound),
            Some(_) if self.model.has(id) => Some(ErrorKind::Duplicate),
            Some(_) if foreign => Some(ErrorKind::Unsupported),
            Some(_) if self.model.is_received(transport, ssrc) => Some(ErrorKind::Duplicate),
            Some(_) => None,
        };
        let mut produce = stream.produce(TransportId(transport), ProducerId(id));
        let starts_paused = self.draw.chance(150);
        if let Command::Produce { paused, .. } = &mut produce {
            *paused = starts_paused;
        }
        if self.answers(produce, refusal).is_some() {
            let on = &self.model.transports[&transport];
            let sender = Sender::new(on.peer, on.plain.rtp, stream);
            self.model
                .producers
                .insert(id, Producer { transport, sender, paused: starts_paused, packets: 0 });
        }
    }

    fn consumes(&mut self) {
        let id = self.new_id();
        let producers: Vec<u64> = self.model.producers.keys().copied().collect();
        let producer = self.any_id(&producers);
        let source = self.model.producers.get(&producer);
        let router = source.map(|source| self.model.router_of(source));
        let near = router.map(|router| self.model.routers[&router].clone()).unwrap_or_default();
        let far: Vec<u64> = self.model.transports.keys().copied().collect();
        let transport = if self.draw.chance(100) { self.any_id(&far) } else { self.any_id(&near) };
        let source = self.model.producers.get(&producer).map(|producer| producer.sender.stream.clone());
        let source = source.unwrap_or_else(|| Model::stream(MediaKind::Video, 1));
        let misfit = self.draw.chance(30);
        let kind = if misfit { other_than(source.kind) } else { source.kind };
        let stream = Model::stream(kind, source.ssrc).consumed_as(0xC000_0000 + self.draw.between(1, 60));
        let refusal = match (self.model.transports.get(&transport), router) {
            (None, _) | (_, None) => Some(ErrorKind::NotFound),
            _ if self.model.has(id) => Some(ErrorKind::Duplicate),
            (Some(on), Some(router)) if on.router != router => Some(ErrorKind::NotFound),
            _ if misfit => Some(ErrorKind::InvalidArgument),
            _ if self.model.is_sent(transport, stream.ssrc) => Some(ErrorKind::Duplicate),
            _ => None,
        };
        let mut consume =
            stream.consume(TransportId(transport), ConsumerId(id), ProducerId(producer), &source);
        let starts_paused = self.draw.chance(200);
        if let Command::Consume { paused, .. } = &mut consume {
            *paused = starts_paused;
        }
        let Some(reply) = self.answers(consume, refusal) else { return };
        let producer_is_paused = self.model.producers[&producer].paused;
        assert!(
            matches!(reply, Reply::Consumed { paused, producer_paused, .. }
                if paused == starts_paused && producer_paused == producer_is_paused),
            "{reply:?}"
        );
        let consumer = Consumer { transport, producer, stream, paused: starts_paused, priority: 1 };
        self.model.consumers.insert(id, consumer);
    }

    fn pauses_or_resumes(&mut self) {
        let pause = self.draw.chance(400);
        if self.draw.chance(600) {
            let consumers: Vec<u64> = self.model.consumers.keys().copied().collect();
            let id = self.any_id(&consumers);
            let consumer = ConsumerId(id);
            let command = if pause {
                Command::PauseConsumer { consumer }
            } else {
                Command::ResumeConsumer { consumer }
            };
            let refusal = missing(self.model.consumers.contains_key(&id));
            if self.answers(command, refusal).is_some() {
                self.model.consumers.get_mut(&id).expect("it is there").paused = pause;
            }
            return;
        }
        let producers: Vec<u64> = self.model.producers.keys().copied().collect();
        let id = self.any_id(&producers);
        let producer = ProducerId(id);
        let command =
            if pause { Command::PauseProducer { producer } } else { Command::ResumeProducer { producer } };
        let refusal = missing(self.model.producers.contains_key(&id));
        let changes = self.model.producers.get(&id).is_some_and(|producer| producer.paused != pause);
        if changes {
            let consumers = self.model.consumers_of(id).into_iter().map(ConsumerId);
            self.expected.extend(consumers.map(|consumer| match pause {
                true => Event::ConsumerProducerPaused { consumer },
                false => Event::ConsumerProducerResumed { consumer },
            }));
        }
        if self.answers(command, refusal).is_some() {
            self.model.producers.get_mut(&id).expect("it is there").paused = pause;
        }
    }

    fn asks_for_a_key_frame(&mut self) {
        let consumers: Vec<u64> = self.model.consumers.keys().copied().collect();
        let id = self.any_id(&consumers);
        let refusal = missing(self.model.consumers.contains_key(&id));
        self.answers(Command::RequestKeyFrame { consumer: ConsumerId(id) }, refusal);
    }

    fn sets_a_priority(&mut self) {
        let consumers: Vec<u64> = self.model.consumers.keys().copied().collect();
        let id = self.any_id(&consumers);
        let priority = self.draw.pick(&[0, 1, 7, 255]);
        let refusal = missing(self.model.consumers.contains_key(&id));
        let refusal = refusal.or_else(|| (priority == 0).then_some(ErrorKind::InvalidArgument));
        let set = Command::SetConsumerPriority { consumer: ConsumerId(id), priority };
        if self.answers(set, refusal).is_some() {
            self.model.consumers.get_mut(&id).expect("it is there").priority = priority;
        }
    }

    fn closes_router(&mut self) {
        let routers: Vec<u64> = self.model.routers.keys().copied().collect();
        let id = self.any_id(&routers);
        let refusal = missing(self.model.routers.contains_key(&id));
        let before = self.model.ids();
        let told = if refusal.is_none() { self.model.close_router(id) } else { Vec::new() };
        self.closes(Command::CloseRouter { router: RouterId(id) }, refusal, &before, told);
    }

    fn closes_transport(&mut self) {
        let transports: Vec<u64> = self.model.transports.keys().copied().collect();
        let id = self.any_id(&transports);
        let refusal = missing(self.model.transports.contains_key(&id));
        let before = self.model.ids();
        let told = if refusal.is_none() { self.model.close_transport(id) } else { Vec::new() };
        self.closes(Command::CloseTransport { transport: TransportId(id) }, refusal, &before, told);
    }

    fn closes_producer(&mut self) {
        let producers: Vec<u64> = self.model.producers.keys().copied().collect();
        let id = self.any_id(&producers);
        let refusal = missing(self.model.producers.contains_key(&id));
        let before = self.model.ids();
        let told = if refusal.is_none() { self.model.close_producer(id) } else { Vec::new() };
        self.closes(Command::CloseProducer { producer: ProducerId(id) }, refusal, &before, told);
    }

    fn closes_consumer(&mut self) {
        let consumers: Vec<u64> = self.model.consumers.keys().copied().collect();
        let id = self.any_id(&consumers);
        let refusal = missing(self.model.consumers.contains_key(&id));
        let before = self.model.ids();
        if refusal.is_none() {
            self.model.consumers.remove(&id);
        }
        self.closes(Command::CloseConsumer { consumer: ConsumerId(id) }, refusal, &before, Vec::new());
    }

    /// The model has closed it already; these consumers must be told.
    fn closes(&mut self, command: Command, refusal: Option<ErrorKind>, before: &[u64], told: Vec<u64>) {
        let gone = told.into_iter().map(|id| Event::ConsumerProducerClosed { consumer: ConsumerId(id) });
        self.expected.extend(gone);
        let closed = before.iter().copied().filter(|id| !self.model.has(*id));
        self.closed.extend(closed);
        let many = self.closed.len().saturating_sub(200);
        self.closed.drain(..many);
        self.answers(command, refusal);
    }

    /// Asks; the answer must be of this kind. What it was, if it was no refusal.
    pub(super) fn answers(&mut self, command: Command, refusal: Option<ErrorKind>) -> Option<Reply> {
        let reply = self.world.request(command.clone());
        let kind = reply.as_ref().err().map(|error| error.kind);
        assert_eq!(kind, refusal, "{command:?} was answered with {reply:?}");
        reply.ok()
    }

    fn agrees(
        &self,
        reply: &Result<Reply, tidegate_protocol::error::CommandError>,
        refusal: Option<ErrorKind>,
    ) {
        assert_eq!(reply.as_ref().err().map(|error| error.kind), refusal, "{reply:?}");
    }

    /// Consumers were told what happened to their producers: all of it, in its order, and nothing else.
    fn hears_what_was_expected(&mut self) {
        let about_others = |event: &Event| {
            matches!(
                event,
                Event::ProducerScore { .. }
                    | Event::ConsumerScore { .. }
                    | Event::PlainTuple { .. }
                    | Event::PlainRtcpTuple { .. }
            )
        };
        let mut told = self.world.take_events();
        told.retain(|event| !about_others(event));
        assert_eq!(told, std::mem::take(&mut self.expected));
    }
}

fn missing(is_there: bool) -> Option<ErrorKind> {
    (!is_there).then_some(ErrorKind::NotFound)
}

fn other_than(kind: MediaKind) -> MediaKind {
    match kind {
        MediaKind::Audio => MediaKind::Video,
        MediaKind::Video => MediaKind::Audio,
    }
}
