//! Socket addresses as the kernel reads and writes them, as plain bytes.
//!
//! Knows `sockaddr_in` and `sockaddr_in6`. Does not know sockets. Called by binding, sending and receiving.
//! Invariant: an IPv4-mapped IPv6 address never leaves this module; on an IPv6 socket it is what the kernel sees.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    pub(super) const fn raw(self) -> libc::c_int {
        match self {
            Self::V4 => libc::AF_INET,
            Self::V6 => libc::AF_INET6,
        }
    }
}

/// A `sockaddr_in` or `sockaddr_in6`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct RawAddress {
    bytes: [u8; RAW_ADDRESS_BYTES],
}

impl RawAddress {
    pub(super) const EMPTY: Self = Self { bytes: [0; RAW_ADDRESS_BYTES] };

    /// Writes `address` as a socket of `family` wants it; answers how many bytes count. An IPv6 address for an IPv4
    /// socket stays one, for the kernel to refuse.
    pub(super) fn write(&mut self, family: Family, address: SocketAddr) -> u32 {
        match (family, address.ip().to_canonical()) {
            (Family::V4, IpAddr::V4(ip)) => self.write_v4(ip, address.port()),
            (Family::V6, IpAddr::V4(ip)) => self.write_v6(ip.to_ipv6_mapped(), address.port(), 0, 0),
            (_, IpAddr::V6(ip)) => match address {
                SocketAddr::V6(v6) => self.write_v6(ip, v6.port(), v6.flowinfo(), v6.scope_id()),
                SocketAddr::V4(_) => self.write_v6(ip, address.port(), 0, 0),
            },
        }
    }

    /// The address in it; `None` for a family that is not IP's.
    pub(super) fn read(&self) -> Option<SocketAddr> {
        let [f0, f1, p0, p1, rest @ ..] = self.bytes;
        let port = u16::from_be_bytes([p0, p1]);
        match libc::c_int::from(u16::from_ne_bytes([f0, f1])) {
            libc::AF_INET => {
                let [a, b, c, d, ..] = rest;
                Some(SocketAddr::from((Ipv4Addr::new(a, b, c, d), port)))
            }
            libc::AF_INET6 => {
                let [.., s0, s1, s2, s3, _, _, _, _] = rest;
                let octets: [u8; 16] = rest.get(4..20)?.try_into().ok()?;
                let scope = u32::from_ne_bytes([s0, s1, s2, s3]);
                Some(canonical(Ipv6Addr::from(octets), port, scope))
            }
            _ => None,
        }
    }

    pub(super) const fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    pub(super) const fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    fn write_v4(&mut self, ip: Ipv4Addr, port: u16) -> u32 {
        self.bytes = [0; RAW_ADDRESS_BYTES];
        self.put(0, &FAMILY_V4.to_ne_bytes());
        self.put(2, &port.to_be_bytes());
        self.put(4, &ip.octets());
        SOCKADDR_IN_BYTES
    }

    fn write_v6(&mut self, ip: Ipv6Addr, port: u16, flow: u32, scope: u32) -> u32 {
        self.put(0, &FAMILY_V6.to_ne_bytes());
        self.put(2, &port.to_be_bytes());
        self.put(4, &flow.to_ne_bytes());
        self.put(8, &ip.octets());
        self.put(24, &scope.to_ne_bytes());
        SOCKADDR_IN6_BYTES
    }

    fn put(&mut self, at: usize, field: &[u8]) {
        if let Some(room) = self.bytes.get_mut(at..at + field.len()) {
            room.copy_from_slice(field);
        }
    }
}

/// A plain IPv4 address when it is one in IPv6's clothes. The scope only means something for link-local addresses.
fn canonical(ip: Ipv6Addr, port: u16, scope: u32) -> SocketAddr {
    match ip.to_ipv4_mapped() {
        Some(ip) => SocketAddr::from((ip, port)),
        None => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)),
    }
}

/// The same for an address that somebody else read.
pub(super) fn canonical_address(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => canonical(*v6.ip(), v6.port(), v6.scope_id()),
        SocketAddr::V4(_) => address,
    }
}

/// Room for either, in whole words.
pub(super) const RAW_ADDRESS_BYTES: usize = 32;
const SOCKADDR_IN_BYTES: u32 = 16;
const SOCKADDR_IN6_BYTES: u32 = 28;
const FAMILY_V4: u16 = 2;
const FAMILY_V6: u16 = 10;

const _: () = assert!(size_of::<libc::sockaddr_in>() == 16 && size_of::<libc::sockaddr_in6>() == 28);
const _: () = assert!(libc::AF_INET == FAMILY_V4 as i32 && libc::AF_INET6 == FAMILY_V6 as i32);

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(family: Family, address: &str) -> SocketAddr {
        let mut raw = RawAddress::EMPTY;
        raw.write(family, address.parse().unwrap());
        raw.read().unwrap()
    }

    #[test]
    fn addresses_survive_on_a_socket_of_their_own_family() {
        assert_eq!(there_and_back(Family::V4, "192.0.2.7:4321"), "192.0.2.7:4321".parse().unwrap());
        assert_eq!(there_and_back(Family::V6, "[2001:db8::7]:4321"), "[2001:db8::7]:4321".parse().unwrap());
        assert_eq!(there_and_back(Family::V6, "[fe80::7%3]:9"), "[fe80::7%3]:9".parse().unwrap());
    }

    #[test]
    fn ipv4_goes_mapped_through_an_ipv6_socket_and_comes_back_plain() {
        let mut raw = RawAddress::EMPTY;
        assert_eq!(raw.write(Family::V6, "192.0.2.7:80".parse().unwrap()), 28);
        assert_eq!(raw.read(), Some("192.0.2.7:80".parse().unwrap()));
        assert_eq!(there_and_back(Family::V4, "[::ffff:192.0.2.7]:80"), "192.0.2.7:80".parse().unwrap());
    }

    #[test]
    fn a_strange_family_is_no_address() {
        assert_eq!(RawAddress::EMPTY.read(), None);
    }
}
