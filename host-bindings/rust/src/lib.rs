//! Spawn and control Tidegate media workers from Rust.
//!
//! A [`Worker`] is a child process that forwards RTP from producers to consumers. It holds [`Router`]s (rooms), these
//! hold transports ([`PlainTransport`]: RTP over UDP, [`WebRtcTransport`]: browsers) and observers of loudness
//! ([`AudioLevelObserver`], [`ActiveSpeakerObserver`]); transports hold [`Producer`]s and [`Consumer`]s. Who knows
//! mediasoup knows this API. Here one stream of VP8 goes from whoever sends it to port 5004 to a player at port 6004:
//!
//! ```no_run
//! use std::net::Ipv4Addr;
//! use tidegate::*;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     # #[cfg(feature = "embedded-worker")]
//!     tidegate::embedded::run_if_worker(); // this executable is its own worker (feature `embedded-worker`)
//!     tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(relay())
//! }
//!
//! async fn relay() -> Result<(), Box<dyn std::error::Error>> {
//!     let worker = Worker::spawn(WorkerSettings::default()).await?;
//!     let codecs = vec![RtpCodecCapability::vp8(), RtpCodecCapability::opus()];
//!     let router = worker.create_router(RouterOptions::new(codecs)).await?;
//!
//!     let here = ListenInfo::new(Ipv4Addr::LOCALHOST);
//!     let camera = PlainTransportOptions::new(here.clone().with_port(5004)).with_comedia();
//!     let camera = router.create_plain_transport(camera).await?;
//!     let parameters = RtpParameters {
//!         codecs: vec![RtpCodecParameters::vp8(96)],
//!         encodings: vec![RtpEncodingParameters::of_ssrc(1111)],
//!         ..Default::default()
//!     };
//!     let producer = camera.produce(ProducerOptions::new(MediaKind::Video, parameters)).await?;
//!
//!     let player = router.create_plain_transport(PlainTransportOptions::new(here)).await?;
//!     player.connect(PlainConnectOptions::new(Ipv4Addr::LOCALHOST, 6004)).await?;
//!     // A player that takes whatever it is sent; one that does not states its own capabilities.
//!     let capabilities = router.rtp_capabilities().plain();
//!     let consumer = player.consume(ConsumerOptions::new(&producer, capabilities)).await?;
//!     println!("write an SDP from {:#?}", consumer.rtp_parameters());
//!
//!     let mut events = consumer.events();
//!     while let Some(event) = events.next().await {
//!         println!("{event:?}: {:?}", consumer.get_stats().await);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Negotiation
//!
//! Who sends and who receives need not agree on payload types, header extension ids and SSRCs: a router has its own
//! ([`Router::rtp_capabilities`], from the [`media_codecs`](RouterOptions::media_codecs) it was made for), producers
//! are translated into them, and every consumer is made of what its peer can do. All of it is computed here, by the pure
//! functions of [`ortc`]; the worker only sees what came out. The dictionaries are mediasoup's, in JSON too (`serde`).
//!
//! ```
//! # use tidegate::*;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Consumers receive what their router chooses, unless it is told.
//! let codecs = [RtpCodecCapability::vp8().with_payload_type(101), RtpCodecCapability::opus()];
//! let router = ortc::router_rtp_capabilities(&codecs)?;
//! assert_eq!(router.codecs[0].preferred_payload_type, Some(101));
//! # Ok(())
//! # }
//! ```
//!
//! # Handles
//!
//! Handles are cheap to clone, and everything keeps its parent alive: a consumer its transport, that its router, that
//! its worker. When the last handle is dropped (or `close` is called) the entity closes, with everything in it, at once
//! for this host; the worker follows, in order with all other requests. A consumer does not keep its producer alive, nor does an
//! observer those that it observes.
//!
//! | closed | what it holds is told [`CloseReason`] |
//! | --- | --- |
//! | producer | consumers: `ProducerClosed` |
//! | transport | producers, consumers: `TransportClosed` |
//! | router | transports, observers: `RouterClosed`; what they hold: `TransportClosed` |
//! | WebRTC server | transports on it: `ListenServerClosed`; what they hold: `TransportClosed` |
//! | worker, or it died | routers, WebRTC servers: `WorkerClosed`; what they hold as above |
//!
//! # Failures
//!
//! Every request ends: with the worker's answer, with a typed refusal ([`RequestError::Refused`]) that says what to do,
//! after [`request_timeout`](WorkerSettings::request_timeout), or at once with [`RequestError::WorkerClosed`] and the
//! exit status when the worker dies ([`Worker::died`]). Parameters and capabilities that are wrong are refused before
//! anything is sent ([`RequestError::Negotiation`]). A creation whose future is dropped is undone. At most 256 requests
//! wait to be written; more wait in their callers. An answer takes effect before events that the worker sent after it.
//! [`Events`] says what happens to slow listeners.
//!
//! Ids of this API are random strings; in dumps and statistics entities have numbers (`wire_id`).
#![forbid(unsafe_code)]

mod connection;
mod consumer;
pub mod embedded;
mod entity;
mod error;
mod events;
mod launch;
mod observer;
mod options;
mod output;
mod process;
mod producer;
mod random;
mod router;
mod settings;
mod srtp;
mod sync;
#[cfg(test)]
mod tests;
mod transport;
mod webrtc;
mod webrtc_server;
mod worker;

pub use consumer::{Consumer, ConsumerEvent, ConsumerOptions};
pub use entity::CloseReason;
pub use error::{ExitReason, InvalidOption, RequestError, SpawnError, WorkerExit};
pub use events::Events;
pub use observer::{
    ActiveSpeakerObserver, ActiveSpeakerObserverEvent, ActiveSpeakerObserverOptions, AudioLevelObserver,
    AudioLevelObserverEvent, AudioLevelObserverOptions, AudioLevelVolume,
};
pub use options::{ListenInfo, PlainConnectOptions, PlainTransportOptions};
pub use output::OutputStream;
pub use producer::{Producer, ProducerEvent, ProducerOptions};
pub use router::{Router, RouterEvent, RouterOptions};
pub use settings::{WorkerBin, WorkerSettings};
pub use srtp::{SrtpCryptoSuite, SrtpParameters};
pub use transport::{PlainTransport, Transport, TransportEvent, WebRtcTransport};
pub use webrtc::{
    DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, IceCandidate, IceParameters, IceState,
    WebRtcServerOptions, WebRtcTransportListen, WebRtcTransportOptions,
};
pub use webrtc_server::{WebRtcServer, WebRtcServerEvent};
pub use worker::{UpdateSettings, Worker, WorkerEvent};

pub use tidegate_protocol::error::{CommandError, ErrorKind};
pub use tidegate_protocol::event::{ConsumerScore, StreamScore, VideoOrientation};
pub use tidegate_protocol::message::{LogLevel, LogTag};
pub use tidegate_protocol::ortc::dictionary::{
    Fec, MediaKind, ParameterValue, RtcpFeedback, RtcpParameters, RtpCapabilities, RtpCodecCapability,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtension, RtpHeaderExtensionDirection,
    RtpHeaderExtensionParameters, RtpParameters, Rtx,
};
pub use tidegate_protocol::ortc::{OrtcError, ScalabilityMode, supported_rtp_capabilities};
pub use tidegate_protocol::rtp::RtpType;
pub use tidegate_protocol::trace::{PacketTrace, Trace, TraceInfo, TraceType};
pub use tidegate_protocol::transport::{ListenPort, Protocol, TransportTuple};
pub use tidegate_protocol::{bounded, dump, exit, ids, metrics, ortc, stats};

/// The layers that a scalability mode such as `L3T3_KEY` stands for; one of each for a text that is none.
pub fn parse_scalability_mode(text: &str) -> ScalabilityMode {
    ScalabilityMode::parse(text)
}
