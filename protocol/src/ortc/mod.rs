//! Negotiation (ORTC): pure functions that hosts run; the worker does not use them.
//!
//! What flows where, in the order in which a host asks:
//!
//! 1. [`router_rtp_capabilities`]: wanted media codecs × [`supported_rtp_capabilities`] → what a router can do.
//! 2. [`producer_mapping`]: a producer's parameters × the router's capabilities → how payload types and streams
//!    translate into the router's.
//! 3. [`consumable_rtp_parameters`]: the same producer as the router's consumers see it.
//! 4. [`can_consume`] and [`consumer_rtp_parameters`]: consumable × what one endpoint can receive → what its consumer
//!    sends. [`offered_rtp_parameters`] is the same by the numbers of an endpoint that made the offer (WHEP), and
//!    [`pipe_consumer_rtp_parameters`] between routers, where everything passes.
//!
//! Two codecs come with others only, and only in routers that are asked for them:
//!
//! * `audio/red` (RFC 2198) passes as it is. Its parameter, which SDP writes without a name (`a=fmtp:63 111/111`), is
//!   here the one whose name is empty: `{ "": "111/111" }`. It is mapped like payload types, and the worker writes the
//!   mapped ones into the packets' blocks. A consumer whose endpoint lacks RED gets what the producer sends without it,
//!   and no RED packet: those count as discarded in its statistics.
//! * `video/flexfec-03` is taken from producers (an encoding's `fec.ssrc`, or by MID and payload type), counted in the
//!   transport's statistics, and offered to no consumer: [`consumable_rtp_parameters`] says why.
//!
//! The [`dictionary`] is what applications read and write, in the shape of mediasoup's public types; [`to_wire`] makes
//! the wire's bounded types of it. Knows codecs, parameters and limits. Does not know entities, transports or random
//! numbers: SSRCs are arguments. Called by hosts; `vectors/ortc.json` holds twins in other languages equal.
//! Invariant: no input makes a function panic or take more than linear time, and every error names its field.

mod consumer;
pub mod dictionary;
mod error;
mod h264;
mod keyed;
mod matching;
mod offered;
mod producer;
mod red;
mod router;
mod scalability_mode;
mod supported;
mod validate;
mod value;
mod wire;

pub use consumer::{
    ConsumerEncodings, ConsumerOptions, PipeConsumerOptions, can_consume, consumer_rtp_parameters,
    pipe_consumer_rtp_parameters,
};
pub use error::OrtcError;
pub use offered::offered_rtp_parameters;
pub use producer::{consumable_rtp_parameters, producer_mapping};
pub use router::router_rtp_capabilities;
pub use scalability_mode::ScalabilityMode;
pub use supported::supported_rtp_capabilities;
pub use validate::{validate_rtp_capabilities, validate_rtp_parameters};
pub use wire::{from_wire, to_wire};
