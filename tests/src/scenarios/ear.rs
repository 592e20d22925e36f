//! What came to an address, with the moment at which the worker sent it.
//!
//! Knows how to read datagrams. Does not know who listens there: a peer may send and receive at one address.
//! Used by scenarios in which moments matter, or in which more than one story goes on at an address.

use std::net::SocketAddr;

use crate::world::rtcp::{self, Rtcp};
use crate::world::rtp::RtpPacket;
use crate::world::{World, is_rtcp};

/// Everything that came since the last time.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Media, in its order.
    pub(super) packets: Vec<RtpPacket>,
    /// Everything else, in its order, each with the virtual time in milliseconds.
    pub(super) rtcp: Vec<(u64, Rtcp)>,
}

/// Takes what came to `address` since the last time.
pub(super) fn listen(world: &mut World, address: SocketAddr) -> Heard {
    let mut heard = Heard::default();
    let (now, now_ms) = (world.now(), world.elapsed_ms());
    for sent in world.network.take_sent_to(address) {
        let ago = u64::try_from(now.since(sent.at).as_millis()).expect("a short story");
        if is_rtcp(&sent.bytes) {
            let packets = rtcp::read(&sent.bytes).expect("checked when it was sent");
            heard.rtcp.extend(packets.into_iter().map(|packet| (now_ms - ago, packet)));
        } else {
            heard.packets.push(RtpPacket::read(&sent.bytes).expect("checked when it was sent"));
        }
    }
    heard
}

impl Heard {
    /// When a key frame of `ssrc` was asked for, by PLI or FIR.
    pub(super) fn key_frame_requests(&self, ssrc: u32) -> Vec<u64> {
        let asks = |packet: &Rtcp| match packet {
            Rtcp::Pli { media, .. } | Rtcp::Fir { media, .. } => *media == ssrc,
            _ => false,
        };
        self.rtcp.iter().filter(|(_, packet)| asks(packet)).map(|(at, _)| *at).collect()
    }
}
