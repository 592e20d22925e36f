//! Is the yardstick straight? Compares its sending with a plain loop of sendto on this machine, now.
//!
//! Called by the benchmark program's hidden subcommand, in a process of its own on the worker's core, while the
//! benchmark empties the receiving sockets on the other.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};

use serde::{Deserialize, Serialize};

use super::transmit::{Destination, Grouping, Transmitter};
use crate::clock;
use crate::load::peer_socket;
use crate::stats::median;

/// What one packet costs, in nanoseconds of CPU: medians of interleaved rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfCheck {
    /// With the standard library's `send_to`, a call a packet.
    pub sendto_ns: f64,
    /// With the yardstick's sendmmsg.
    pub sendmmsg_ns: f64,
    /// With the yardstick's GSO messages of eight packets.
    pub gso8_ns: f64,
}

impl SelfCheck {
    /// sendmmsg in units of sendto.
    pub fn sendmmsg_ratio(&self) -> f64 {
        self.sendmmsg_ns / self.sendto_ns
    }

    /// GSO in units of sendto.
    pub fn gso8_ratio(&self) -> f64 {
        self.gso8_ns / self.sendto_ns
    }

    /// Whether the yardstick counts: sendmmsg at most 0.95 and GSO at most 0.55 of sendto.
    pub fn is_valid(&self) -> bool {
        self.sendmmsg_ratio() <= SENDMMSG_RATIO_MAX && self.gso8_ratio() <= GSO8_RATIO_MAX
    }
}

/// Sends to `destinations`, which somebody must empty meanwhile.
///
/// # Errors
/// A socket fails, or there is no destination.
pub fn check(destinations: &[SocketAddrV4]) -> io::Result<SelfCheck> {
    let sockets = [peer_socket()?];
    let packets = vec![vec![0x80; PACKET_BYTES]; RUN];
    let mut transmitter = Transmitter::new();
    let routes: Vec<Destination> =
        destinations.iter().map(|to| Destination { socket: 0, to: (*to).into(), ssrc: 1 }).collect();
    let run: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    let mut plain = packets.clone();
    let mut costs: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let [sendto, sendmmsg, gso8] = &mut costs;
        sendto.push(cost_ns(|| send_plainly(&sockets[0], &mut plain, destinations))?);
        let mut send = |grouping| transmitter.send_run(&sockets, &run, &routes, grouping);
        sendmmsg.push(cost_ns(|| send(Grouping::Single))?);
        gso8.push(cost_ns(|| send(Grouping::Equal))?);
        // Lets the receivers empty their buffers: a full one makes sending cheaper than it is.
        clock::sleep_for(PAUSE_NS);
    }
    let per_packet = crate::load::lossy((RUN * destinations.len()) as u64);
    let nothing = || io::Error::other("the self-check needs destinations");
    let [sendto_ns, sendmmsg_ns, gso8_ns] = costs.map(|costs| median(&costs).map(|cost| cost / per_packet));
    Ok(SelfCheck {
        sendto_ns: sendto_ns.ok_or_else(nothing)?,
        sendmmsg_ns: sendmmsg_ns.ok_or_else(nothing)?,
        gso8_ns: gso8_ns.ok_or_else(nothing)?,
    })
}

/// The plain way: the header is rewritten in place and the packet sent, one call each.
fn send_plainly(socket: &UdpSocket, run: &mut [Vec<u8>], destinations: &[SocketAddrV4]) -> io::Result<()> {
    for to in destinations {
        for packet in &mut *run {
            packet[8..12].copy_from_slice(&1_u32.to_be_bytes());
            socket.send_to(packet, *to)?;
        }
    }
    Ok(())
}

fn cost_ns(mut send: impl FnMut() -> io::Result<()>) -> io::Result<f64> {
    let before = clock::thread_cpu_ns();
    send()?;
    Ok(crate::load::lossy(clock::thread_cpu_ns() - before))
}

/// How many sockets the self-check sends to.
pub const DESTINATIONS: usize = 64;
const RUN: usize = 8;
const PACKET_BYTES: usize = 1_112;
const ROUNDS: usize = 101;
const PAUSE_NS: u64 = 3_000_000;
const SENDMMSG_RATIO_MAX: f64 = 0.95;
const GSO8_RATIO_MAX: f64 = 0.55;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yardstick_that_is_no_cheaper_than_the_plain_way_does_not_count() {
        let check = SelfCheck { sendto_ns: 4_000.0, sendmmsg_ns: 3_600.0, gso8_ns: 1_500.0 };
        assert!(check.is_valid());
        assert!(!SelfCheck { sendmmsg_ns: 3_900.0, ..check }.is_valid());
        assert!(!SelfCheck { gso8_ns: 2_300.0, ..check }.is_valid());
        assert!(!SelfCheck { sendto_ns: f64::NAN, ..check }.is_valid());
    }
}
