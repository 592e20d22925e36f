//! Control messages (`cmsg`) of sendmsg and recvmsg, written and read as plain bytes: RFC 3542, `cmsg(3)`.
//!
//! Knows their layout on 64-bit Linux. Does not know sockets. Called by sending and receiving.
//! Invariant: a reader never leaves the bytes that the kernel said it wrote.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sys::address::Family;

/// Room for the control messages of one datagram, aligned as their headers ask.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct ControlBytes<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> ControlBytes<N> {
    pub(super) const EMPTY: Self = Self { bytes: [0; N], used: 0 };

    pub(super) const fn clear(&mut self) {
        self.used = 0;
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// Takes the length that the kernel reports after it wrote here.
    pub(super) fn set_used(&mut self, used: usize) {
        self.used = used.min(N);
    }

    pub(super) const fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    /// Asks the kernel to cut the message into datagrams of `bytes` (UDP_SEGMENT).
    pub(super) fn put_segment(&mut self, bytes: u16) {
        self.put(libc::SOL_UDP, libc::UDP_SEGMENT, &bytes.to_ne_bytes());
    }

    /// Asks for `ip` as the source address (IP_PKTINFO, IPV6_PKTINFO), from whatever interface routing chooses.
    pub(super) fn put_source(&mut self, family: Family, ip: IpAddr) {
        match (family, ip.to_canonical()) {
            (Family::V4, IpAddr::V4(ip)) => {
                let mut info = [0; 12]; // in_pktinfo: interface, source, (unused here) destination
                info[4..8].copy_from_slice(&ip.octets());
                self.put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            (Family::V6, ip) => {
                let ip = match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let mut info = [0; 20]; // in6_pktinfo: source, interface
                info[..16].copy_from_slice(&ip.octets());
                self.put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            (Family::V4, IpAddr::V6(_)) => {} // no such source on an IPv4 socket; the kernel's choice is best
        }
    }

    /// The control messages in it.
    pub(super) fn iter(&self) -> Received<'_> {
        Received { rest: self.bytes.get(..self.used).unwrap_or_default() }
    }

    fn put(&mut self, level: i32, kind: i32, data: &[u8]) {
        let length = HEADER_BYTES + data.len();
        let Some(room) = self.bytes.get_mut(self.used..self.used + aligned(length)) else {
            debug_assert!(false, "control messages need more room");
            return;
        };
        room.fill(0);
        room[..8].copy_from_slice(&length.to_ne_bytes());
        room[8..12].copy_from_slice(&level.to_ne_bytes());
        room[12..16].copy_from_slice(&kind.to_ne_bytes());
        room[HEADER_BYTES..length].copy_from_slice(data);
        self.used += aligned(length);
    }
}

/// What the kernel can say about a received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Wall clock time of arrival, nanoseconds since 1970 (SO_TIMESTAMPNS).
    ReceivedAt(u64),
    /// The local address that the sender used (IP_PKTINFO, IPV6_PKTINFO).
    LocalIp(IpAddr),
    /// Datagrams dropped on this socket since it was opened, modulo 2^32 (SO_RXQ_OVFL).
    Dropped(u32),
}

/// Walks over received control messages.
#[derive(Clone, Debug)]
pub(super) struct Received<'a> {
    rest: &'a [u8],
}

impl Iterator for Received<'_> {
    type Item = Note;

    fn next(&mut self) -> Option<Note> {
        loop {
            let length = usize::from_ne_bytes(field(self.rest, 0)?);
            let level = i32::from_ne_bytes(field(self.rest, 8)?);
            let kind = i32::from_ne_bytes(field(self.rest, 12)?);
            let data = self.rest.get(HEADER_BYTES..length)?;
            let note = note(level, kind, data);
            self.rest = self.rest.get(aligned(length)..).unwrap_or_default();
            if note.is_some() {
                return note;
            }
        }
    }
}

fn note(level: i32, kind: i32, data: &[u8]) -> Option<Note> {
    match (level, kind) {
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => {
            let seconds = u64::try_from(i64::from_ne_bytes(field(data, 0)?)).ok()?;
            let nanos = u64::try_from(i64::from_ne_bytes(field(data, 8)?)).ok()?;
            Some(Note::ReceivedAt(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
        }
        (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => Some(Note::Dropped(u32::from_ne_bytes(field(data, 0)?))),
        // ipi_spec_dst is ours also when the sender used a broadcast address; ipi_addr would not be.
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            Some(Note::LocalIp(Ipv4Addr::from(field::<4>(data, 4)?).into()))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let ip = Ipv6Addr::from(field::<16>(data, 0)?);
            Some(Note::LocalIp(IpAddr::from(ip).to_canonical()))
        }
        _ => None,
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(8)
}

const HEADER_BYTES: usize = 16;

/// A source address and a segment size.
pub(super) const SEND_CONTROL_BYTES: usize = aligned(HEADER_BYTES + 20) + aligned(HEADER_BYTES + 2);
/// A time, a local address and a drop counter, and as much again for what we did not ask for.
pub(super) const RECEIVE_CONTROL_BYTES: usize = 192;

const _: () = assert!(size_of::<libc::cmsghdr>() == HEADER_BYTES && size_of::<usize>() == 8);
const _: () = assert!(size_of::<libc::in_pktinfo>() == 12 && size_of::<libc::in6_pktinfo>() == 20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_address_reads_back_on_either_family() {
        for (family, ip) in
            [(Family::V4, "127.0.0.2"), (Family::V6, "2001:db8::1"), (Family::V6, "192.0.2.1")]
        {
            let mut control = ControlBytes::<SEND_CONTROL_BYTES>::EMPTY;
            control.put_segment(1200);
            control.put_source(family, ip.parse().unwrap());
            let notes: Vec<_> = control.iter().collect();
            assert_eq!(notes, [Note::LocalIp(ip.parse().unwrap())]);
        }
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        for length in [0_usize, 15, 17, 4096, usize::MAX - 3] {
            let mut control = ControlBytes::<SEND_CONTROL_BYTES>::EMPTY;
            control.put_source(Family::V4, "127.0.0.2".parse().unwrap());
            control.bytes[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(control.iter().next(), None, "length {length}");
        }
    }
}
