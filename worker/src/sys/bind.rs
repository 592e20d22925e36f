//! Opening a socket: options, the search for a free port, and what the kernel gave.
//!
//! Knows socket options. Does not know the tables of sockets. Called by those of UDP and TCP.
//! Invariant: a socket that leaves here is non-blocking, closed on exec; one for datagrams tells when they arrived.
#![expect(unsafe_code, reason = "system calls that std does not offer before bind")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::address::{Family, RAW_ADDRESS_BYTES, RawAddress};
use crate::network::{BindError, BindOptions, PortChoice};
use crate::sys::check;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// UDP.
    Datagram,
    /// TCP, to listen.
    Stream,
}

/// Opens and binds; see [`Network::bind`](crate::network::Network::bind).
pub(super) fn bind(kind: Kind, options: &BindOptions, start: u32) -> Result<OwnedFd, BindError> {
    let family = Family::of(options.ip);
    let socket = open(kind, family).map_err(|error| bind_error(&error))?;
    configure(socket.as_raw_fd(), kind, family, options).map_err(|error| bind_error(&error))?;
    match options.port {
        PortChoice::Any => bind_one(&socket, family, SocketAddr::new(options.ip, 0))?,
        PortChoice::Fixed(port) => bind_one(&socket, family, SocketAddr::new(options.ip, port))?,
        PortChoice::Range { min, max } => bind_first_free(&socket, family, options.ip, min..=max, start)?,
    }
    Ok(socket)
}

/// The address the kernel gave.
pub(super) fn local_address(socket: RawFd) -> io::Result<SocketAddr> {
    let mut address = RawAddress::EMPTY;
    let mut length = RAW_ADDRESS_LENGTH;
    // SAFETY: `address` has `length` writable bytes, and both outlive the call.
    check(unsafe { libc::getsockname(socket, address.as_mut_ptr().cast(), &raw mut length) })?;
    address.read().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

/// A socket option that is a C `int`.
pub(super) fn option(socket: RawFd, level: i32, name: i32) -> io::Result<i32> {
    let mut value: libc::c_int = 0;
    let mut length = INT_LENGTH;
    // SAFETY: `value` has `length` writable bytes, and both outlive the call.
    check(unsafe { libc::getsockopt(socket, level, name, (&raw mut value).cast(), &raw mut length) })?;
    Ok(value)
}

/// Sets a socket option that is a C `int`.
pub(super) fn set_option(socket: RawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let value: libc::c_int = value;
    // SAFETY: `value` has the length given and outlives the call, which only reads it.
    check(unsafe { libc::setsockopt(socket, level, name, (&raw const value).cast(), INT_LENGTH) })?;
    Ok(())
}

fn open(kind: Kind, family: Family) -> io::Result<OwnedFd> {
    let kind = match kind {
        Kind::Datagram => libc::SOCK_DGRAM,
        Kind::Stream => libc::SOCK_STREAM,
    };
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::socket(family.raw(), kind, 0) })?;
    // SAFETY: the descriptor was just made and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn configure(socket: RawFd, kind: Kind, family: Family, options: &BindOptions) -> io::Result<()> {
    if family == Family::V6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, i32::from(options.ipv6_only))?;
    }
    if options.reuse_port && kind == Kind::Datagram {
        set_option(socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    for (name, bytes) in
        [(libc::SO_SNDBUF, options.send_buffer_bytes), (libc::SO_RCVBUF, options.receive_buffer_bytes)]
    {
        if bytes > 0 {
            // The kernel cuts it down to its limit without an error; the caller learns what it got.
            set_option(socket, libc::SOL_SOCKET, name, i32::try_from(bytes).unwrap_or(i32::MAX))?;
        }
    }
    if kind == Kind::Stream {
        // Connections that linger in TIME_WAIT must not keep a worker from its port.
        return set_option(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
    }
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    set_option(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    match family {
        _ if !options.ip.is_unspecified() => Ok(()),
        Family::V4 => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        Family::V6 => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// Tries each port once, from the `start`th (modulo their number) to the end and then from the beginning.
fn bind_first_free(
    socket: &OwnedFd,
    family: Family,
    ip: IpAddr,
    ports: std::ops::RangeInclusive<u16>,
    start: u32,
) -> Result<(), BindError> {
    let (min, max) = (*ports.start(), *ports.end());
    let count = u32::from(max.saturating_sub(min)) + 1;
    if min > max {
        return Err(BindError::NoFreePort);
    }
    for offset in (0..count).map(|step| (start % count + step) % count) {
        let port = u16::try_from(u32::from(min) + offset).unwrap_or(max);
        match bind_one(socket, family, SocketAddr::new(ip, port)) {
            // A port below 1024 may be forbidden where the next one is not.
            Err(BindError::AddressInUse | BindError::PermissionDenied) => {}
            result => return result,
        }
    }
    Err(BindError::NoFreePort)
}

fn bind_one(socket: &OwnedFd, family: Family, address: SocketAddr) -> Result<(), BindError> {
    let mut raw = RawAddress::EMPTY;
    let length = raw.write(family, address);
    // SAFETY: `raw` has at least `length` bytes and outlives the call, which only reads them.
    check(unsafe { libc::bind(socket.as_raw_fd(), raw.as_ptr().cast(), length) })
        .map(drop)
        .map_err(|error| bind_error(&error))
}

/// Lets a bound socket take connections, so many at a time waiting to be accepted.
pub(super) fn listen(socket: RawFd, backlog: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::listen(socket, backlog) }).map(drop)
}

pub(super) fn bind_error(error: &io::Error) -> BindError {
    match error.raw_os_error().unwrap_or_default() {
        libc::EADDRINUSE => BindError::AddressInUse,
        libc::EADDRNOTAVAIL => BindError::AddressNotAvailable,
        libc::EMFILE | libc::ENFILE => BindError::TooManyOpenFiles,
        libc::EACCES | libc::EPERM => BindError::PermissionDenied,
        errno => BindError::Other { errno },
    }
}

#[expect(clippy::cast_possible_truncation, reason = "both are small constants")]
const RAW_ADDRESS_LENGTH: libc::socklen_t = RAW_ADDRESS_BYTES as libc::socklen_t;
#[expect(clippy::cast_possible_truncation, reason = "four")]
const INT_LENGTH: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;
