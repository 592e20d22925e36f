//! How a transport's bytes travel: to whom, from which sockets, under which protection.
//!
//! Knows the kinds of links and what all of them answer. Does not know packets or entities.

use std::net::SocketAddr;

use tidegate_protocol::dump::PlainDump;
use tidegate_protocol::stats::PlainStats;

use crate::media::sockets::Purpose;
use crate::media::transport::plain::{Plain, Source};
use crate::network::{Destination, SocketKey};

/// A transport's way to its peer.
#[derive(Debug)]
pub(crate) enum Link {
    /// RTP and RTCP over UDP, as they are.
    Plain(Plain),
}

impl Link {
    /// Where RTP goes, once the peer is known and may be sent to.
    pub(crate) fn rtp_destination(&self) -> Option<Destination> {
        match self {
            Self::Plain(plain) => plain.rtp_destination(),
        }
    }

    /// Where RTCP goes, once known.
    pub(crate) fn rtcp_destination(&self) -> Option<Destination> {
        match self {
            Self::Plain(plain) => plain.rtcp_destination(),
        }
    }

    /// The sockets that it uses.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = SocketKey> {
        match self {
            Self::Plain(plain) => plain.sockets(),
        }
    }

    /// What `remote` means on the socket for `purpose`.
    pub(crate) fn source(&self, purpose: Purpose, remote: SocketAddr) -> Source {
        match self {
            Self::Plain(plain) => plain.source(purpose, remote),
        }
    }

    /// Whether RTCP comes on the socket for RTP.
    pub(crate) fn rtcp_mux(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.rtcp_mux(),
        }
    }

    /// The link of a plain transport.
    pub(crate) fn plain(&self) -> Option<&Plain> {
        match self {
            Self::Plain(plain) => Some(plain),
        }
    }

    /// The link of a plain transport.
    pub(crate) fn plain_mut(&mut self) -> Option<&mut Plain> {
        match self {
            Self::Plain(plain) => Some(plain),
        }
    }

    /// What only plain transports show.
    pub(crate) fn plain_dump(&self) -> Option<PlainDump> {
        self.plain().map(|plain| PlainDump {
            rtcp_mux: plain.rtcp_mux(),
            comedia: plain.comedia(),
            tuple: plain.tuple(),
            rtcp_tuple: plain.rtcp_tuple(),
            srtp: None,
        })
    }

    /// What only plain transports count.
    pub(crate) fn plain_stats(&self) -> Option<PlainStats> {
        self.plain().map(|plain| PlainStats {
            rtcp_mux: plain.rtcp_mux(),
            comedia: plain.comedia(),
            tuple: plain.tuple(),
            rtcp_tuple: plain.rtcp_tuple(),
        })
    }
}
