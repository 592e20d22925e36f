//! How a transport's bytes travel: to whom, from which sockets, under which protection.
//!
//! Knows the kinds of links and what all of them answer. Does not know packets or entities.

use std::net::SocketAddr;

use tidegate_protocol::dump::PlainDump;
use tidegate_protocol::stats::PlainStats;

use crate::media::sockets::Purpose;
use crate::media::transport::plain::{Plain, Source};
use crate::media::transport::webrtc::WebRtc;
use crate::network::{Destination, SocketKey};

/// A transport's way to its peer.
#[derive(Debug)]
pub(crate) enum Link {
    /// RTP and RTCP over UDP, as they are or with keys that the host knows.
    Plain(Plain),
    /// ICE, DTLS and SRTP over UDP or TCP.
    WebRtc(Box<WebRtc>),
}

impl Link {
    /// Where RTP goes, once the peer is known and may be sent to.
    pub(crate) fn rtp_destination(&self) -> Option<Destination> {
        match self {
            Self::Plain(plain) => plain.rtp_destination(),
            Self::WebRtc(webrtc) => webrtc.destination(),
        }
    }

    /// Where RTCP goes, once known.
    pub(crate) fn rtcp_destination(&self) -> Option<Destination> {
        match self {
            Self::Plain(plain) => plain.rtcp_destination(),
            Self::WebRtc(webrtc) => webrtc.destination(),
        }
    }

    /// The sockets that it uses.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = SocketKey> {
        let (plain, webrtc) = (self.plain(), self.webrtc());
        let own = webrtc.into_iter().flat_map(|webrtc| webrtc.places().iter().map(|place| place.socket));
        plain.into_iter().flat_map(Plain::sockets).chain(own)
    }

    /// What `remote` means on the socket for `purpose`.
    pub(crate) fn source(&self, purpose: Purpose, remote: SocketAddr) -> Source {
        match self {
            Self::Plain(plain) => plain.source(purpose, remote),
            // Its own ways are judged by ICE.
            Self::WebRtc(_) => Source::Stranger,
        }
    }

    /// Whether RTCP comes on the socket for RTP.
    pub(crate) fn rtcp_mux(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.rtcp_mux(),
            Self::WebRtc(_) => true,
        }
    }

    /// The link of a plain transport.
    pub(crate) fn plain(&self) -> Option<&Plain> {
        if let Self::Plain(plain) = self { Some(plain) } else { None }
    }

    /// The link of a plain transport.
    pub(crate) fn plain_mut(&mut self) -> Option<&mut Plain> {
        if let Self::Plain(plain) = self { Some(plain) } else { None }
    }

    /// The link of a WebRTC transport.
    pub(crate) fn webrtc(&self) -> Option<&WebRtc> {
        if let Self::WebRtc(webrtc) = self { Some(webrtc) } else { None }
    }

    /// The link of a WebRTC transport.
    pub(crate) fn webrtc_mut(&mut self) -> Option<&mut WebRtc> {
        if let Self::WebRtc(webrtc) = self { Some(webrtc) } else { None }
    }

    /// What only plain transports show.
    pub(crate) fn plain_dump(&self) -> Option<PlainDump> {
        self.plain().map(|plain| PlainDump {
            rtcp_mux: plain.rtcp_mux(),
            comedia: plain.comedia(),
            tuple: plain.tuple(),
            rtcp_tuple: plain.rtcp_tuple(),
            srtp: plain.srtp_suite(),
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
