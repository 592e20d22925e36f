//! A visitor: their transports, what they send and what they receive.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate::{
    Consumer, ConsumerEvent, ConsumerOptions, DtlsParameters, MediaKind, Producer, ProducerOptions,
    RtpCapabilities, RtpParameters, WebRtcTransport, WebRtcTransportOptions,
};
use tokio::sync::mpsc;

use crate::room::Room;

/// What a page may ask.
#[derive(Deserialize)]
#[serde(tag = "method", content = "data", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    RouterRtpCapabilities,
    CreateTransport,
    ConnectTransport { transport_id: String, dtls_parameters: DtlsParameters },
    Produce { transport_id: String, kind: MediaKind, rtp_parameters: RtpParameters },
    Consume { transport_id: String, producer_id: String, rtp_capabilities: RtpCapabilities },
    ResumeConsumer { consumer_id: String },
}

pub struct Visitor {
    room: Arc<Room>,
    /// What the page is told without having asked.
    events: mpsc::Sender<Value>,
    transports: BTreeMap<String, WebRtcTransport>,
    producers: BTreeMap<String, Producer>,
    consumers: BTreeMap<String, Consumer>,
}

/// One to send, one to receive.
const TRANSPORTS_MAX: usize = 2;
/// Camera, microphone, and some that end while others begin.
const PRODUCERS_MAX: usize = 4;
/// Of fifty other visitors.
const CONSUMERS_MAX: usize = 100;

impl Visitor {
    pub fn new(room: Arc<Room>, events: mpsc::Sender<Value>) -> Self {
        let (transports, producers, consumers) = Default::default();
        Self { room, events, transports, producers, consumers }
    }

    pub async fn on_request(&mut self, request: Request) -> Result<Value, Box<dyn Error + Send + Sync>> {
        match request {
            Request::RouterRtpCapabilities => Ok(serde_json::to_value(self.room.router.rtp_capabilities())?),
            Request::CreateTransport => self.create_transport().await,
            Request::ConnectTransport { transport_id, dtls_parameters } => {
                self.transport(&transport_id)?.connect(&dtls_parameters).await?;
                Ok(Value::Null)
            }
            Request::Produce { transport_id, kind, rtp_parameters } => {
                self.produce(&transport_id, ProducerOptions::new(kind, rtp_parameters)).await
            }
            Request::Consume { transport_id, producer_id, rtp_capabilities } => {
                self.consume(&transport_id, &producer_id, rtp_capabilities).await
            }
            Request::ResumeConsumer { consumer_id } => {
                self.consumers.get(&consumer_id).ok_or("no such consumer")?.resume().await?;
                Ok(Value::Null)
            }
        }
    }

    /// Whether a track is this visitor's own.
    pub fn sends(&self, producer_id: &str) -> bool {
        self.producers.contains_key(producer_id)
    }

    fn transport(&self, id: &str) -> Result<&WebRtcTransport, &'static str> {
        self.transports.get(id).ok_or("no such transport")
    }
}

impl Visitor {
    async fn create_transport(&mut self) -> Result<Value, Box<dyn Error + Send + Sync>> {
        if self.transports.len() >= TRANSPORTS_MAX {
            return Err("you have all the transports that you need".into());
        }
        let options = WebRtcTransportOptions::on_server(&self.room.server);
        let transport = self.room.router.create_webrtc_transport(options).await?;
        let told = json!({
            "id": transport.id(),
            "iceParameters": transport.ice_parameters(),
            "iceCandidates": transport.ice_candidates(),
            "dtlsParameters": transport.dtls_parameters(),
        });
        self.transports.insert(transport.id().to_owned(), transport);
        Ok(told)
    }
}

impl Visitor {
    async fn produce(
        &mut self,
        transport_id: &str,
        options: ProducerOptions,
    ) -> Result<Value, Box<dyn Error + Send + Sync>> {
        if self.producers.len() >= PRODUCERS_MAX {
            return Err("you send enough tracks already".into());
        }
        let producer = self.transport(transport_id)?.produce(options).await?;
        let told = json!({ "id": producer.id() });
        self.producers.insert(producer.id().to_owned(), producer.clone());
        self.room.add(producer);
        Ok(told)
    }
}

impl Visitor {
    async fn consume(
        &mut self,
        transport_id: &str,
        producer_id: &str,
        rtp_capabilities: RtpCapabilities,
    ) -> Result<Value, Box<dyn Error + Send + Sync>> {
        self.consumers.retain(|_, consumer| !consumer.is_closed());
        if self.consumers.len() >= CONSUMERS_MAX {
            return Err("you receive enough tracks already".into());
        }
        let producer = self.room.track(producer_id).ok_or("no such track: it may have ended")?;
        let options = ConsumerOptions { paused: true, ..ConsumerOptions::new(&producer, rtp_capabilities) };
        let consumer = self.transport(transport_id)?.consume(options).await?;
        let told = json!({
            "id": consumer.id(),
            "producerId": producer_id,
            "kind": consumer.kind(),
            "rtpParameters": consumer.rtp_parameters(),
        });
        self.watch(&consumer);
        self.consumers.insert(consumer.id().to_owned(), consumer);
        Ok(told)
    }

    /// Tells the page when a track that it receives has ended.
    fn watch(&self, consumer: &Consumer) {
        let (consumer_id, events) = (consumer.id().to_owned(), self.events.clone());
        let mut happens = consumer.events();
        tokio::spawn(async move {
            while let Some(event) = happens.next().await {
                if let ConsumerEvent::Closed(_) = event {
                    let told = json!({ "event": "consumerClosed", "data": { "consumerId": consumer_id } });
                    let _ = events.send(told).await;
                }
            }
        });
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        for id in self.producers.keys() {
            self.room.remove(id);
        }
    }
}
