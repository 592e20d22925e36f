//! Where and how a plain transport listens and sends, as applications write it.

use std::net::IpAddr;

use tidegate_protocol::transport as wire;
use tidegate_protocol::transport::{ListenPort, Protocol};

use crate::error::{InvalidOption, optional_text};
use crate::srtp::{SrtpCryptoSuite, SrtpParameters};

/// Where a transport listens. `ListenInfo::new(ip)` takes any free port of the worker's range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenInfo {
    /// UDP by default; plain transports take nothing else.
    pub protocol: Protocol,
    /// The address to bind; an unspecified one (`0.0.0.0`, `::`) answers from the address it was called on.
    pub ip: IpAddr,
    /// What peers are told instead of `ip`: an address or a host name, 255 bytes at most.
    pub announced_address: Option<String>,
    /// WebRTC transports with an announced address also offer `ip` itself, at a lower priority; false by default.
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
    pub send_buffer_size: u32,
    /// `SO_RCVBUF` in bytes, 0 leaves the system's. A warning is logged when the kernel gives less.
    pub recv_buffer_size: u32,
}

/// How a plain transport listens: RTP and RTCP over UDP without ICE and DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainTransportOptions {
    /// Where RTP is received (and RTCP, with `rtcp_mux`).
    pub listen_info: ListenInfo,
    /// Where RTCP is received without `rtcp_mux`; any port of `listen_info.ip` when absent.
    pub rtcp_listen_info: Option<ListenInfo>,
    /// RTP and RTCP on one port (RFC 5761); true by default.
    pub rtcp_mux: bool,
    /// Learn the peer's address from its first packet; false by default.
    pub comedia: bool,
    /// SRTP in both directions; false by default. Connect with the peer's key, and give it
    /// [`PlainTransport::srtp_parameters`](crate::PlainTransport::srtp_parameters).
    pub enable_srtp: bool,
    /// With which suite; AES_CM_128_HMAC_SHA1_80 by default. The peer's own, at connect, takes its place.
    pub srtp_crypto_suite: SrtpCryptoSuite,
}

/// Where a plain transport sends to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainConnectOptions {
    /// The peer's address; required unless comedia.
    pub ip: Option<IpAddr>,
    /// The peer's RTP port; required unless comedia.
    pub port: Option<u16>,
    /// The peer's RTCP port; required without rtcp-mux (unless comedia), refused with it.
    pub rtcp_port: Option<u16>,
    /// What the peer sends under: required on transports with SRTP (with comedia it comes alone), refused without.
    pub srtp_parameters: Option<SrtpParameters>,
}

impl ListenInfo {
    /// Any free port of the worker's range at `ip`.
    pub fn new(ip: impl Into<IpAddr>) -> Self {
        Self {
            protocol: Protocol::Udp,
            ip: ip.into(),
            announced_address: None,
            expose_internal_ip: false,
            port: ListenPort::Any,
            shared: false,
            ipv6_only: false,
            udp_reuse_port: false,
            send_buffer_size: 0,
            recv_buffer_size: 0,
        }
    }

    /// At this port; 0 lets the system choose.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port: ListenPort::Fixed(port), ..self }
    }

    /// At a free port of this range, ends included.
    #[must_use]
    pub fn with_port_range(self, min: u16, max: u16) -> Self {
        Self { port: ListenPort::Range { min, max }, ..self }
    }
}

impl PlainTransportOptions {
    /// rtcp-mux, no comedia, no SRTP.
    pub fn new(listen_info: ListenInfo) -> Self {
        Self {
            listen_info,
            rtcp_listen_info: None,
            rtcp_mux: true,
            comedia: false,
            enable_srtp: false,
            srtp_crypto_suite: SrtpCryptoSuite::AesCm128HmacSha1_80,
        }
    }

    /// With SRTP under this suite.
    #[must_use]
    pub fn with_srtp(self, srtp_crypto_suite: SrtpCryptoSuite) -> Self {
        Self { enable_srtp: true, srtp_crypto_suite, ..self }
    }

    /// Learning the peer's address from its first packet.
    #[must_use]
    pub fn with_comedia(self) -> Self {
        Self { comedia: true, ..self }
    }

    /// With RTCP on a port of its own.
    #[must_use]
    pub fn without_rtcp_mux(self) -> Self {
        Self { rtcp_mux: false, ..self }
    }
}

impl PlainConnectOptions {
    /// A peer with rtcp-mux.
    pub fn new(ip: impl Into<IpAddr>, port: u16) -> Self {
        Self { ip: Some(ip.into()), port: Some(port), rtcp_port: None, srtp_parameters: None }
    }

    /// A peer whose address a comedia transport learns, and what it sends under.
    pub fn of_srtp(srtp_parameters: SrtpParameters) -> Self {
        Self { srtp_parameters: Some(srtp_parameters), ..Self::default() }
    }

    /// With what the peer sends under.
    #[must_use]
    pub fn with_srtp(self, srtp_parameters: SrtpParameters) -> Self {
        Self { srtp_parameters: Some(srtp_parameters), ..self }
    }

    /// With the peer's RTCP at this port.
    #[must_use]
    pub fn with_rtcp_port(self, rtcp_port: u16) -> Self {
        Self { rtcp_port: Some(rtcp_port), ..self }
    }
}

impl TryFrom<&ListenInfo> for wire::ListenInfo {
    type Error = InvalidOption;

    fn try_from(given: &ListenInfo) -> Result<Self, InvalidOption> {
        Ok(Self {
            protocol: given.protocol,
            ip: given.ip,
            expose_internal_ip: given.expose_internal_ip,
            announced_address: optional_text(
                "listen_info.announced_address",
                given.announced_address.as_ref(),
            )?,
            port: given.port,
            shared: given.shared,
            ipv6_only: given.ipv6_only,
            udp_reuse_port: given.udp_reuse_port,
            send_buffer_bytes: given.send_buffer_size,
            receive_buffer_bytes: given.recv_buffer_size,
        })
    }
}

impl TryFrom<&PlainTransportOptions> for wire::PlainTransportOptions {
    type Error = InvalidOption;

    fn try_from(given: &PlainTransportOptions) -> Result<Self, InvalidOption> {
        Ok(Self {
            listen_info: (&given.listen_info).try_into()?,
            rtcp_listen_info: given.rtcp_listen_info.as_ref().map(TryInto::try_into).transpose()?,
            rtcp_mux: given.rtcp_mux,
            comedia: given.comedia,
            srtp: given.enable_srtp.then_some(given.srtp_crypto_suite),
        })
    }
}

impl TryFrom<&PlainConnectOptions> for wire::PlainConnectOptions {
    type Error = InvalidOption;

    fn try_from(given: &PlainConnectOptions) -> Result<Self, InvalidOption> {
        let srtp_parameters = given.srtp_parameters.as_ref().map(TryInto::try_into).transpose()?;
        Ok(Self { ip: given.ip, port: given.port, rtcp_port: given.rtcp_port, srtp_parameters })
    }
}
