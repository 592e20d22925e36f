//! One visitor: their transports, what they send, what they are sent. Gone with their WebSocket.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate::{
    CloseReason, Consumer, ConsumerEvent, ConsumerOptions, Producer, ProducerOptions, Protocol, RequestError,
    RtpCapabilities, WebRtcTransport, WebRtcTransportOptions,
};
use tokio::sync::mpsc;

use crate::hall::listen_infos;
use crate::room::Place;
use crate::signalling::{ConsumerTold, Event, Request, TransportTold};

/// A visitor of a room.
#[derive(Debug)]
pub struct Peer {
    /// Left before anything below is closed.
    place: Place,
    news: mpsc::Sender<Event>,
    rtp_capabilities: Option<RtpCapabilities>,
    transports: BTreeMap<String, WebRtcTransport>,
    producers: BTreeMap<String, Producer>,
    consumers: BTreeMap<String, Consumer>,
}

/// Why a page is refused something.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The worker, or the negotiation before it, says why.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It names what is not there.
    #[error("no {0} of yours has this id; it may be closed")]
    Unknown(&'static str),
    /// It has to come first.
    #[error("join first: say what you can receive")]
    NotJoined,
    /// Everything was announced then.
    #[error("you have joined already")]
    AlreadyJoined,
    /// It has to be asked of the server, not of the room.
    #[error("this is no request to a room")]
    NotHere,
    /// Enough is enough.
    #[error("you have {0} {1} already, which is the most; close some")]
    TooMany(usize, &'static str),
    /// The answer could not be written: a defect of ours.
    #[error("the answer could not be written as JSON: {0}")]
    Unspeakable(#[from] serde_json::Error),
}

impl Peer {
    /// Who has a place in a room; what happens there comes out of `news`.
    pub fn new(place: Place, news: mpsc::Sender<Event>) -> Self {
        let _ = news.try_send(Event::Welcome { peer_id: place.id.clone() });
        Self {
            place,
            news,
            rtp_capabilities: None,
            transports: BTreeMap::new(),
            producers: BTreeMap::new(),
            consumers: BTreeMap::new(),
        }
    }

    /// Does what the page asks.
    ///
    /// # Errors
    /// [`Refused`], whose sentence is for the page; nothing changed.
    pub async fn on_request(&mut self, request: Request) -> Result<Value, Refused> {
        match request {
            Request::RouterRtpCapabilities => {
                Ok(serde_json::to_value(self.place.room.router().rtp_capabilities())?)
            }
            Request::Join { rtp_capabilities } => self.join(rtp_capabilities),
            Request::CreateTransport { force_tcp, own_ports } => {
                self.create_transport(force_tcp, own_ports).await
            }
            Request::ConnectTransport { transport_id, dtls_parameters } => {
                self.transport(&transport_id)?.connect(&dtls_parameters).await?;
                Ok(Value::Null)
            }
            Request::RestartIce { transport_id } => {
                Ok(serde_json::to_value(self.transport(&transport_id)?.restart_ice().await?)?)
            }
            Request::Produce { transport_id, kind, rtp_parameters } => {
                self.produce(&transport_id, ProducerOptions::new(kind, rtp_parameters)).await
            }
            Request::CloseProducer { producer_id } => self.close_producer(&producer_id),
            Request::PauseProducer { producer_id } => {
                self.own_producer(&producer_id)?.pause().await?;
                Ok(Value::Null)
            }
            Request::ResumeProducer { producer_id } => {
                self.own_producer(&producer_id)?.resume().await?;
                Ok(Value::Null)
            }
            Request::Consume { transport_id, producer_id } => self.consume(&transport_id, &producer_id).await,
            Request::ResumeConsumer { consumer_id } => {
                self.consumer(&consumer_id)?.resume().await?;
                Ok(Value::Null)
            }
            Request::PauseConsumer { consumer_id } => {
                self.consumer(&consumer_id)?.pause().await?;
                Ok(Value::Null)
            }
            Request::TransportStats { transport_id } => {
                let stats = self.transport(&transport_id)?.get_stats().await?;
                Ok(serde_json::to_value(stats)?)
            }
            Request::ConsumerStats { consumer_id } => {
                let stats = self.consumer(&consumer_id)?.get_stats().await?;
                Ok(serde_json::to_value(stats)?)
            }
            Request::WatchFigures => Err(Refused::NotHere),
        }
    }

    fn join(&mut self, rtp_capabilities: RtpCapabilities) -> Result<Value, Refused> {
        if self.rtp_capabilities.is_some() {
            return Err(Refused::AlreadyJoined);
        }
        self.rtp_capabilities = Some(rtp_capabilities);
        for event in self.place.room.announced() {
            let _ = self.news.try_send(event);
        }
        Ok(Value::Null)
    }

    async fn create_transport(&mut self, force_tcp: bool, own_ports: bool) -> Result<Value, Refused> {
        if self.transports.len() >= TRANSPORTS_MAX {
            return Err(Refused::TooMany(TRANSPORTS_MAX, "transports"));
        }
        let hall = self.place.room.hall();
        let options = if own_ports {
            let listen = |protocol| listen_infos(&hall.media, protocol);
            WebRtcTransportOptions::listening(listen(Protocol::Udp).chain(listen(Protocol::Tcp)).collect())
        } else {
            WebRtcTransportOptions::on_server(&self.place.room.stage().server)
        };
        let options = WebRtcTransportOptions { enable_udp: !force_tcp, enable_tcp: true, ..options };
        let transport = self.place.room.router().create_webrtc_transport(options).await?;
        let told = TransportTold {
            id: transport.id().to_owned(),
            ice_parameters: transport.ice_parameters(),
            ice_candidates: transport.ice_candidates(),
            dtls_parameters: transport.dtls_parameters(),
        };
        self.transports.insert(told.id.clone(), transport);
        Ok(serde_json::to_value(told)?)
    }

    async fn produce(&mut self, transport_id: &str, options: ProducerOptions) -> Result<Value, Refused> {
        if self.producers.len() >= PRODUCERS_MAX {
            return Err(Refused::TooMany(PRODUCERS_MAX, "tracks"));
        }
        let producer = self.transport(transport_id)?.produce(options).await?;
        self.place.room.add_producer(&self.place.id, &producer).await?;
        let told = json!({ "id": producer.id() });
        self.producers.insert(producer.id().to_owned(), producer);
        Ok(told)
    }

    fn close_producer(&mut self, producer_id: &str) -> Result<Value, Refused> {
        let producer = self.producers.remove(producer_id).ok_or(Refused::Unknown("track"))?;
        self.place.room.remove_producer(producer_id);
        producer.close();
        Ok(Value::Null)
    }

    async fn consume(&mut self, transport_id: &str, producer_id: &str) -> Result<Value, Refused> {
        let rtp_capabilities = self.rtp_capabilities.clone().ok_or(Refused::NotJoined)?;
        self.consumers.retain(|_, consumer| !consumer.is_closed());
        if self.consumers.len() >= CONSUMERS_MAX {
            return Err(Refused::TooMany(CONSUMERS_MAX, "consumers"));
        }
        let producer = self.place.room.producer(producer_id).ok_or(Refused::Unknown("track"))?;
        let transport = self.transport(transport_id)?;
        // Paused until the page can take packets: the first is a key frame and must not be lost.
        let options = ConsumerOptions { paused: true, ..ConsumerOptions::new(&producer, rtp_capabilities) };
        let consumer = transport.consume(options).await?;
        let told = ConsumerTold {
            id: consumer.id().to_owned(),
            producer_id: producer_id.to_owned(),
            kind: consumer.kind(),
            rtp_parameters: consumer.rtp_parameters().clone(),
            producer_paused: consumer.is_producer_paused(),
        };
        self.watch(&consumer);
        self.consumers.insert(told.id.clone(), consumer);
        Ok(serde_json::to_value(told)?)
    }

    /// Tells the page what its producer does to a consumer.
    fn watch(&self, consumer: &Consumer) {
        let (mut events, news) = (consumer.events(), self.news.clone());
        let consumer_id = consumer.id().to_owned();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let consumer_id = consumer_id.clone();
                let event = match event {
                    ConsumerEvent::ProducerPaused => Event::ConsumerPaused { consumer_id },
                    ConsumerEvent::ProducerResumed => Event::ConsumerResumed { consumer_id },
                    // Told by a word of its own.
                    ConsumerEvent::Closed(CloseReason::WorkerClosed) => return,
                    ConsumerEvent::Closed(_) => Event::ConsumerClosed { consumer_id },
                    _ => continue,
                };
                let _ = news.send(event).await;
            }
        });
    }

    fn transport(&self, id: &str) -> Result<&WebRtcTransport, Refused> {
        self.transports.get(id).ok_or(Refused::Unknown("transport"))
    }

    fn own_producer(&self, id: &str) -> Result<&Producer, Refused> {
        self.producers.get(id).ok_or(Refused::Unknown("track"))
    }

    fn consumer(&self, id: &str) -> Result<&Consumer, Refused> {
        self.consumers.get(id).ok_or(Refused::Unknown("consumer"))
    }
}

/// One to send, one to receive, and some while they are exchanged.
const TRANSPORTS_MAX: usize = 8;
/// Camera, microphone, screen.
const PRODUCERS_MAX: usize = 8;
/// Everything that a full room sends, twice.
const CONSUMERS_MAX: usize = 256;
