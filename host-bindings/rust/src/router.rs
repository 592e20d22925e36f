//! A router: its transports' producers and consumers see one another.

use std::sync::{Arc, Mutex};

use tidegate_protocol::dump::RouterDump;
use tidegate_protocol::ids::RouterId;
use tidegate_protocol::ortc::dictionary::{RtpCapabilities, RtpCodecCapability};
use tidegate_protocol::ortc::{self, OrtcError};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;

use crate::entity::{Children, CloseReason, Entity, EntityEvent, on_creation_failed};
use crate::error::RequestError;
use crate::events::{Event, Events};
use crate::observer::{
    ActiveSpeakerObserver, ActiveSpeakerObserverEvent, ActiveSpeakerObserverOptions, AudioLevelObserver,
    AudioLevelObserverEvent, AudioLevelObserverOptions, ObserverInner,
};
use crate::options::PlainTransportOptions;
use crate::producer::Producer;
use crate::sync::lock;
use crate::transport::{PlainTransport, TransportInner, WebRtcTransport};
use crate::webrtc::WebRtcTransportOptions;
use crate::worker::WorkerInner;

/// How to make a router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterOptions {
    /// The codecs that it can forward, of those in [`supported_rtp_capabilities`](crate::supported_rtp_capabilities).
    /// Video codecs get their RTX by themselves. Consumers receive the payload types stated here, or else those that
    /// the router chooses: 100 to 127, then 96 to 99, in this order.
    pub media_codecs: Vec<RtpCodecCapability>,
}

impl RouterOptions {
    /// For these codecs.
    pub fn new(media_codecs: Vec<RtpCodecCapability>) -> Self {
        Self { media_codecs }
    }
}

/// Forwards from producers to consumers; what one room is to an application. A handle; clones mean the same router,
/// which closes when the last one is dropped, those of everything in it included.
#[derive(Clone, Debug)]
pub struct Router {
    inner: Arc<RouterInner>,
}

/// What happens to a router.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouterEvent {
    /// It is closed, and everything in it. The last event.
    Closed(CloseReason),
}

impl Router {
    pub(crate) async fn create(
        worker: &Arc<WorkerInner>,
        options: RouterOptions,
    ) -> Result<Self, RequestError> {
        let capabilities = ortc::router_rtp_capabilities(&options.media_codecs)?;
        let inner = RouterInner {
            entity: Entity::new("router", &worker.connection),
            transports: Children::default(),
            audio_level_observers: Children::default(),
            active_speaker_observers: Children::default(),
            capabilities: Mutex::new(Arc::new(capabilities)),
            worker: Arc::clone(worker),
        };
        let router = Self { inner: Arc::new(inner) };
        let inner = &router.inner;
        worker.routers.insert(inner.entity.number, inner);
        let created = inner.entity.command(Command::CreateRouter { router: inner.wire_id() }, || ()).await;
        created.inspect_err(|error| on_creation_failed(error, |reason| inner.shut(reason)))?;
        Ok(router)
    }

    /// Its id, random.
    pub fn id(&self) -> &str {
        &self.inner.entity.id
    }

    /// Its number in dumps and statistics.
    pub fn wire_id(&self) -> RouterId {
        self.inner.wire_id()
    }

    /// What it can forward: its media codecs with payload types and RTX, and header extensions. What endpoints are
    /// given to make their parameters and capabilities from; a plain peer that takes whatever it is sent has these
    /// themselves, or their [`plain`](RtpCapabilities::plain) part.
    pub fn rtp_capabilities(&self) -> RtpCapabilities {
        RtpCapabilities::clone(&self.inner.capabilities())
    }

    /// Whether an endpoint with these capabilities can consume a producer of this router; false also when the
    /// producer is closed or another router's, or the capabilities are wrong in themselves. The worker is not asked.
    pub fn can_consume(&self, producer: &Producer, rtp_capabilities: &RtpCapabilities) -> bool {
        let inner = &producer.inner;
        Arc::ptr_eq(&inner.transport.router, &self.inner)
            && !inner.entity.is_closed()
            && ortc::can_consume(&inner.consumable_rtp_parameters, rtp_capabilities).unwrap_or(false)
    }

    /// Replaces the media codecs for producers to come; those that are here stay as they are. The worker is not asked.
    ///
    /// # Errors
    /// A codec that is not supported or contradicts another; nothing is changed.
    pub fn update_media_codecs(&self, media_codecs: &[RtpCodecCapability]) -> Result<(), OrtcError> {
        let capabilities = Arc::new(ortc::router_rtp_capabilities(media_codecs)?);
        *lock(&self.inner.capabilities) = capabilities;
        Ok(())
    }

    /// Makes a transport for RTP over UDP without ICE and DTLS.
    pub async fn create_plain_transport(
        &self,
        options: PlainTransportOptions,
    ) -> Result<PlainTransport, RequestError> {
        PlainTransport::create(&self.inner, options).await
    }

    /// Makes a transport for a browser: ICE-lite, DTLS and SRTP.
    ///
    /// # Errors
    /// [`RequestError::InvalidOption`] when the server is another worker's; [`RequestError::Refused`] when nothing could be
    /// listened on, or no candidate results.
    pub async fn create_webrtc_transport(
        &self,
        options: WebRtcTransportOptions,
    ) -> Result<WebRtcTransport, RequestError> {
        WebRtcTransport::create(&self.inner, options).await
    }

    /// Makes an observer that tells which audio producers are loud.
    pub async fn create_audio_level_observer(
        &self,
        options: AudioLevelObserverOptions,
    ) -> Result<AudioLevelObserver, RequestError> {
        AudioLevelObserver::create(&self.inner, options).await
    }

    /// Makes an observer that tells who leads the conversation.
    pub async fn create_active_speaker_observer(
        &self,
        options: ActiveSpeakerObserverOptions,
    ) -> Result<ActiveSpeakerObserver, RequestError> {
        ActiveSpeakerObserver::create(&self.inner, options).await
    }

    /// What it holds.
    pub async fn dump(&self) -> Result<RouterDump, RequestError> {
        let read = |reply| if let Reply::RouterDump(dump) = reply { Some(dump) } else { None };
        self.inner.entity.request(Command::DumpRouter { router: self.wire_id() }, read).await
    }

    /// Closes it and everything in it. Effective at once; the worker follows.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.entity.is_closed()
    }

    /// A stream of what happens to it.
    pub fn events(&self) -> Events<RouterEvent> {
        self.inner.entity.events()
    }
}

impl Event for RouterEvent {}

impl EntityEvent for RouterEvent {
    fn closed(reason: CloseReason) -> Self {
        Self::Closed(reason)
    }
}

/// The router itself. Its transports and observers keep it alive.
#[derive(Debug)]
pub(crate) struct RouterInner {
    pub(crate) entity: Entity<RouterEvent>,
    pub(crate) transports: Children<TransportInner>,
    pub(crate) audio_level_observers: Children<ObserverInner<AudioLevelObserverEvent>>,
    pub(crate) active_speaker_observers: Children<ObserverInner<ActiveSpeakerObserverEvent>>,
    capabilities: Mutex<Arc<RtpCapabilities>>,
    pub(crate) worker: Arc<WorkerInner>,
}

impl RouterInner {
    pub(crate) fn wire_id(&self) -> RouterId {
        RouterId(self.entity.number)
    }

    /// As they are now.
    pub(crate) fn capabilities(&self) -> Arc<RtpCapabilities> {
        Arc::clone(&lock(&self.capabilities))
    }

    /// Closes it on this side only: the worker knows, or will not hear any more. False when it was closed already.
    pub(crate) fn shut(&self, reason: CloseReason) -> bool {
        if !self.entity.shut(reason) {
            return false;
        }
        self.worker.routers.remove(self.entity.number);
        for observer in self.audio_level_observers.take() {
            observer.shut(CloseReason::RouterClosed);
        }
        for observer in self.active_speaker_observers.take() {
            observer.shut(CloseReason::RouterClosed);
        }
        for transport in self.transports.take() {
            transport.shut(CloseReason::RouterClosed);
        }
        true
    }

    fn close(&self) {
        if self.shut(CloseReason::Requested) {
            self.entity.connection.send(Command::CloseRouter { router: self.wire_id() });
        }
    }
}

impl Drop for RouterInner {
    fn drop(&mut self) {
        self.close();
    }
}
