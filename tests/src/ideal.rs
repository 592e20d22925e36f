//! The yardstick: a forwarder without features, as cheap as this kernel allows, that runs as a process of its own.
//!
//! It reads with recvmmsg, rewrites the 12 bytes of each RTP header and sends with sendmmsg; payloads are never copied
//! in user space. No loss handling, no RTCP, no statistics, no control. What a real worker costs beyond it is the
//! price of the features. Knows sockets and 12 bytes of RTP. Must not know the worker: a mistake shared with it would
//! not show. Called by benchmarks, which start it as a process and talk JSON lines with it.
//! Its invariant: packets of one stream reach each destination in their order.

mod forwarder;
mod self_check;
mod transmit;

use std::net::{SocketAddr, SocketAddrV4};

use serde::{Deserialize, Serialize};

pub use forwarder::serve;
pub use self_check::{DESTINATIONS, SelfCheck, check};

/// How the forwarder reads and sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Each packet a message, 64 messages a sendmmsg.
    Sendmmsg,
    /// Packets of one stream that were read together and have one size are one GSO message per destination.
    Gso,
    /// Sleeps 500 us after each wake before it reads; packets of nearly one size are padded to be one message.
    Moderated,
}

impl Way {
    /// All ways; the cheapest of a row is the yardstick.
    pub const ALL: [Self; 3] = [Self::Sendmmsg, Self::Gso, Self::Moderated];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sendmmsg => "ideal sendmmsg",
            Self::Gso => "ideal gso",
            Self::Moderated => "ideal moderated",
        }
    }
}

/// How many sockets stand behind the transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SocketUse {
    /// One for all.
    Shared,
    /// One for each.
    Own,
}

/// What the forwarder is told when it starts: one line of JSON on its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// How to forward.
    pub way: Way,
    /// Sockets for transports.
    pub sockets: SocketUse,
    /// How many transports there are; routes name them from 0.
    pub transports: usize,
    /// What to forward.
    pub streams: Vec<Stream>,
}

/// One stream that arrives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// Its SSRC when it arrives.
    pub ssrc: u32,
    /// Whether its packets may be padded.
    pub video: bool,
    /// Where it goes.
    pub routes: Vec<Route>,
}

/// One copy that leaves.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Through which transport.
    pub transport: usize,
    /// To whom.
    pub to: SocketAddrV4,
    /// Its SSRC when it leaves.
    pub ssrc: u32,
}

/// The answer to a [`Plan`]: where each transport receives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// By transport.
    pub addresses: Vec<SocketAddr>,
}

/// The answer to each further line: counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Returns from waiting that brought media.
    pub wakeups: u64,
    /// Packets read.
    pub received: u64,
    /// Packets handed to the kernel.
    pub sent: u64,
    /// Packets the kernel refused.
    pub refused: u64,
    /// Messages: a GSO run or a single packet.
    pub messages: u64,
    /// Sending system calls.
    pub send_calls: u64,
}

impl Counters {
    /// What was counted since `earlier`.
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            wakeups: self.wakeups - earlier.wakeups,
            received: self.received - earlier.received,
            sent: self.sent - earlier.sent,
            refused: self.refused - earlier.refused,
            messages: self.messages - earlier.messages,
            send_calls: self.send_calls - earlier.send_calls,
        }
    }
}
