//! UDP ports of peers on this machine: which are free, and when another process has taken them.
//!
//! Knows /proc/net/udp. Does not know who listens or why.
//! Invariant: a pair is handed out once in a process's life.

use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use std::{fs, process};

/// Two neighbouring free ports, the lower one even: RTP and RTCP as RFC 3550 11 pairs them. Players that read a
/// session description expect them so, and cannot choose ports themselves.
pub fn free_pair(ip: IpAddr) -> Option<u16> {
    (0..PAIRS).find_map(|_| {
        let port = FIRST + 2 * ((start() + NEXT.fetch_add(1, Ordering::Relaxed)) % PAIRS);
        let both = UdpSocket::bind((ip, port)).and_then(|_rtp| UdpSocket::bind((ip, port + 1)));
        both.is_ok().then_some(port)
    })
}

/// Bytes that wait unread in the receive queue of the UDP socket bound to `port`; `None` while there is no such socket.
pub fn unread_bytes(port: u16) -> Option<u64> {
    ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.lines().skip(1).find_map(|line| queue_of(line, port)))
}

/// Returns once each of `ports` is bound, or `false` after `patience`.
pub async fn wait_until_bound(ports: &[u16], patience: Duration) -> bool {
    let bound = async {
        while !ports.iter().all(|&port| unread_bytes(port).is_some()) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(patience, bound).await.is_ok()
}

/// The receive queue in a line of /proc/net/udp, when it is about `port`: `sl local remote st tx_queue:rx_queue ...`.
fn queue_of(line: &str, port: u16) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (_, local) = fields.nth(1)?.rsplit_once(':')?;
    let (_, unread) = fields.nth(2)?.split_once(':')?;
    (u16::from_str_radix(local, 16) == Ok(port)).then(|| u64::from_str_radix(unread, 16).ok())?
}

/// Processes that look for ports at the same time should not start at the same one.
fn start() -> u16 {
    u16::try_from(process::id() % u32::from(PAIRS)).unwrap_or(0)
}

/// Above the range from which Linux gives ports to sockets that ask for any (32,768 to 60,999 unless set otherwise):
/// nobody gets one of ours by chance between our look and the player's bind.
const FIRST: u16 = 61_000;
const PAIRS: u16 = (u16::MAX - FIRST) / 2;
static NEXT: AtomicU16 = AtomicU16::new(0);

const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn reads_a_line_of_the_kernel() {
        let line = " 1234: 0100007F:EE48 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 1 2 0";
        assert_eq!(queue_of(line, 61_000), Some(0x300));
        assert_eq!(queue_of(line, 61_001), None);
        assert_eq!(queue_of("  sl  local_address rem_address   st", 61_000), None);
    }

    #[test]
    fn pairs_are_even_and_differ() {
        let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (one, other) = (free_pair(ip).expect("a free pair"), free_pair(ip).expect("a free pair"));
        assert!(one % 2 == 0 && other % 2 == 0 && one != other);
    }

    #[test]
    fn sees_a_socket_and_what_waits_in_it() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let address = socket.local_addr().expect("bound");
        assert_eq!(unread_bytes(address.port()), Some(0));
        socket.send_to(b"x", address).expect("sent");
        assert!(unread_bytes(address.port()) > Some(0));
        drop(socket);
        assert_eq!(unread_bytes(address.port()), None);
    }
}
