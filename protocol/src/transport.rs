//! Options and addresses of transports.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::bounded::Text;
use crate::srtp::{SrtpCryptoSuite, SrtpParameters};

/// Where a transport listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenInfo {
    /// Plain transports listen on UDP only.
    pub protocol: Protocol,
    /// The address to bind; an unspecified one (`0.0.0.0`, `::`) answers from the address it was called on.
    pub ip: IpAddr,
    /// What peers are told instead of `ip`: an address or a host name.
    pub announced_address: Option<Text<255>>,
    /// WebRTC transports with an announced address also offer `ip` itself, at a lower priority.
    pub expose_internal_ip: bool,
    /// Which port to bind.
    pub port: ListenPort,
    /// Share the socket with other transports that name the same `ip` and fixed port and this flag. Peers are told
    /// apart by their address, before that by announced SSRC.
    pub shared: bool,
    /// IPv6 only (`IPV6_V6ONLY`).
    pub ipv6_only: bool,
    /// `SO_REUSEPORT`.
    pub udp_reuse_port: bool,
    /// `SO_SNDBUF` in bytes, 0 leaves the system's. A warning is logged when the kernel gives less.
    pub send_buffer_bytes: u32,
    /// `SO_RCVBUF` in bytes, 0 leaves the system's. A warning is logged when the kernel gives less.
    pub receive_buffer_bytes: u32,
}

/// Which port to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenPort {
    /// A free one of the worker's range (settings `--rtc-min-port`, `--rtc-max-port`).
    Any,
    /// This one; 0 lets the system choose.
    Fixed(u16),
    /// A free one of this range, ends included.
    Range {
        /// The lowest.
        min: u16,
        /// The highest.
        max: u16,
    },
}

/// A plain transport: RTP and RTCP over UDP without ICE and DTLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainTransportOptions {
    /// Where RTP is received (and RTCP, with `rtcp_mux`).
    pub listen_info: ListenInfo,
    /// Where RTCP is received without `rtcp_mux`; any port of `listen_info.ip` when absent.
    pub rtcp_listen_info: Option<ListenInfo>,
    /// RTP and RTCP on one port (RFC 5761).
    pub rtcp_mux: bool,
    /// Learn the peer's address from its first packet.
    pub comedia: bool,
    /// SRTP with this suite, in both directions.
    pub srtp: Option<SrtpCryptoSuite>,
}

/// Where a plain transport sends to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainConnectOptions {
    /// The peer's address; required unless comedia.
    pub ip: Option<IpAddr>,
    /// The peer's RTP port; required unless comedia.
    pub port: Option<u16>,
    /// The peer's RTCP port; required without rtcp-mux (unless comedia), refused with it.
    pub rtcp_port: Option<u16>,
    /// What the peer sends with: required on transports with SRTP (with comedia it comes alone), refused without.
    pub srtp_parameters: Option<SrtpParameters>,
}

/// Two ends of a transport.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransportTuple {
    /// The announced address where there is one, else the bound one.
    pub local_address: Text<255>,
    /// The bound port.
    pub local_port: u16,
    /// The peer's address, once known.
    pub remote_ip: Option<IpAddr>,
    /// The peer's port, once known.
    pub remote_port: Option<u16>,
    /// Carrier.
    pub protocol: Protocol,
}

/// `192.0.2.1:40000 to 198.51.100.7:5004`, or without its second half.
impl fmt::Display for TransportTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.local_address, self.local_port)?;
        let remote = self.remote_ip.zip(self.remote_port);
        remote.map_or(Ok(()), |(ip, port)| write!(f, " to {}", SocketAddr::new(ip, port)))
    }
}

/// Carrier of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// RFC 4571 framing.
    Tcp,
}
