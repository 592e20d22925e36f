//! Names of requests and entities on the wire.
//!
//! A host chooses an entity's number and never uses it again in a worker's life; all kinds share one space. The
//! string ids of the public API live in the hosts.

use serde::{Deserialize, Serialize};

macro_rules! entity_ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl From<$name> for EntityId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
    )*};
}

/// Any entity: the number without its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityId(pub u64);

entity_ids! {
    /// A router.
    RouterId,
    /// A transport of any kind.
    TransportId,
    /// A producer.
    ProducerId,
    /// A consumer.
    ConsumerId,
    /// An observer of either kind.
    ObserverId,
    /// Ports that WebRTC transports share.
    WebRtcServerId,
}

/// Pairs a response with its request. Chosen by the host; zero is never a request's (see
/// [`crate::message::FromWorker::Response`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

impl RequestId {
    /// Names no request: the answer to a frame in which no request number could be read.
    pub const NONE: Self = Self(0);
}
