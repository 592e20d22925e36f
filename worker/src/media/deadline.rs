//! What becomes due. Nothing else has a timer: an entity without a deadline here costs nothing while it is idle.
//!
//! Deadlines round up to a common grid, so that many transports wake the process once.

use std::time::Duration;

use crate::media::observer::ObserverKey;
use crate::media::{ProducerKey, Tables, TransportKey};

/// Something to do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// Periodic RTCP of a transport (RFC 3550 6.2).
    Rtcp(TransportKey),
    /// Feedback about what arrived on a transport.
    WideFeedback(TransportKey),
    /// The limit of what a transport takes in, to be told to its peer.
    BitrateLimit(TransportKey),
    /// Losses of a producer's streams to ask for again.
    Nack(ProducerKey),
    /// A key frame request of a producer that was held back.
    KeyFrame(ProducerKey),
    /// Streams of a producer that may have fallen silent.
    Silence(ProducerKey),
    /// Packets of a producer's history that have aged out.
    History(ProducerKey),
    /// Consumers' memories of what they sent of a producer, to become smaller.
    Rings(ProducerKey),
    /// The end of an observer's interval.
    Observer(ObserverKey),
    /// A flight of a handshake to send again, or to give up.
    Dtls(TransportKey),
    /// The end of a peer's consent to be sent to.
    Consent(TransportKey),
    /// Empty memory to give back.
    Memory,
    /// Log lines that were left out, to be counted out.
    Log,
}

impl Deadline {
    /// What its time is rounded up to.
    pub(crate) fn grid(self) -> Duration {
        match self {
            Self::Nack(_) | Self::Dtls(_) => Duration::from_millis(1),
            Self::Rtcp(_)
            | Self::WideFeedback(_)
            | Self::BitrateLimit(_)
            | Self::KeyFrame(_)
            | Self::Silence(_)
            | Self::History(_)
            | Self::Rings(_)
            | Self::Observer(_)
            | Self::Consent(_)
            | Self::Memory
            | Self::Log => Duration::from_millis(20),
        }
    }
}

impl Tables {
    /// Remembers to call back; see `Worker::on_deadline`.
    pub(crate) fn schedule(&mut self, deadline: Deadline, at: crate::base::time::Time) {
        self.deadlines.schedule(deadline, at, deadline.grid());
    }
}
