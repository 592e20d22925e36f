//! What came to a proxy and what it dropped, by direction and kind.
//!
//! Knows the first bytes of packets. Does not know why something was dropped.

use std::fmt;

use super::Way;
use crate::world::is_rtcp;

/// Datagrams of one kind and direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that came to the proxy.
    pub came: u64,
    /// Those of them that it dropped.
    pub dropped: u64,
}

/// Datagrams of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Media.
    pub rtp: Count,
    /// Retransmissions on a stream of their own (RFC 4588).
    pub rtx: Count,
    /// Reports and feedback.
    pub rtcp: Count,
}

/// All datagrams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those from peers.
    pub to_worker: Counts,
    /// Those from the worker.
    pub to_peer: Counts,
    rtx_payload_types: Box<[u8]>,
}

impl Tally {
    pub(super) fn new(rtx_payload_types: &[u8]) -> Self {
        Self { rtx_payload_types: rtx_payload_types.into(), ..Self::default() }
    }

    pub(super) fn count(&mut self, way: Way, datagram: &[u8], is_carried: bool) {
        let payload_type = datagram.get(1).map_or(0, |second| second & 0x7F);
        let is_rtx = self.rtx_payload_types.contains(&payload_type);
        let counts = match way {
            Way::ToWorker => &mut self.to_worker,
            Way::ToPeer => &mut self.to_peer,
        };
        let count = match (is_rtcp(datagram), is_rtx) {
            (true, _) => &mut counts.rtcp,
            (false, true) => &mut counts.rtx,
            (false, false) => &mut counts.rtp,
        };
        count.came += 1;
        count.dropped += u64::from(!is_carried);
    }

    /// All that was dropped.
    pub fn dropped(&self) -> u64 {
        self.to_worker.all().dropped + self.to_peer.all().dropped
    }
}

impl Counts {
    /// Of all kinds.
    pub fn all(&self) -> Count {
        let kinds = [self.rtp, self.rtx, self.rtcp];
        let sum = |part: fn(&Count) -> u64| kinds.iter().map(part).sum();
        Count { came: sum(|count| count.came), dropped: sum(|count| count.dropped) }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "dropped to the worker: {}; to the peer: {}", self.to_worker, self.to_peer)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rtp, rtx, rtcp } = self;
        write!(out, "RTP {rtp}, RTX {rtx}, RTCP {rtcp}")
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}", self.dropped, self.came)
    }
}
