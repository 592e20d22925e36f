//! Engines of one RTP stream: what a receiver owes its sender (loss requests, reports) and what a forwarder owes
//! its receiver (numbers without holes, packets to repair from).
//!
//! Each file knows one RFC-sized thing about one stream: extended sequence numbers, timestamps, round-trip time.
//! None knows sockets, RTCP bytes, payload formats, producers or consumers, and none calls another: `media::producer`
//! and `media::consumer` own them and carry results from one to the next. Sans-I/O: `now` is an argument.
//! Invariant: every structure here is bounded, and holds no heap memory while its stream has nothing for it to hold.
//!
//! | engine | side | question it answers |
//! | --- | --- | --- |
//! | [`receive`] | producer | which packet is this: new, late, a duplicate, a restart? |
//! | [`nack`] | producer | which numbers to ask for again, and when? |
//! | [`history`] | producer | the packets that some consumer may still ask for |
//! | [`continuity`] | consumer | which number and timestamp does it get? |
//! | [`ring`] | consumer | what was sent under that number, what is still to be sent? |
//! | [`jitter`], [`report`], [`score`], [`bitrate`] | both | how is it going? |

pub mod continuity;
pub mod history;
pub mod nack;
pub mod receive;
pub mod ring;

use std::time::Duration;

/// What a stream carries, as far as its engines care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sound: small packets, little worth repairing late.
    Audio,
    /// Pictures: large packets, worth repairing for longer.
    Video,
}

/// A round trip that nobody has measured yet.
pub const RTT_UNKNOWN: Duration = Duration::from_millis(100);
/// Memory that has not been needed for this long is given back.
pub const SPACIOUS: Duration = Duration::from_secs(5);
