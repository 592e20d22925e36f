//! The RTP header extensions that the worker understands, by their registered URIs.
//!
//! Knows names only. Which local id a transport has given to a kind is negotiated per transport (RFC 8285 5) and kept
//! by `media`.

/// A header extension with a meaning to us; any other one is dropped when a packet is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionKind {
    /// Media identification, RFC 8843 15.1.
    Mid,
    /// RTP stream identifier of a simulcast encoding, RFC 8852 3.1.
    Rid,
    /// Stream identifier that an RTX stream repairs, RFC 8852 3.2.
    RepairedRid,
    /// Absolute send time, 24 bits of 6.18 fixed point seconds (libwebrtc's `abs-send-time`).
    AbsSendTime,
    /// Transport-wide sequence number, draft-holmer-rmcat-transport-wide-cc-extensions-01 2.
    TransportWideCc,
    /// Audio level of the client, RFC 6464.
    AudioLevel,
    /// Dependency descriptor, AV1 RTP specification appendix A.
    DependencyDescriptor,
    /// Coordination of video orientation, 3GPP TS 26.114 7.4.5.
    VideoOrientation,
    /// Transmission time offset, RFC 5450.
    TimeOffset,
    /// Absolute capture time (libwebrtc's `abs-capture-time`).
    AbsCaptureTime,
    /// Playout delay limits (libwebrtc's `playout-delay`).
    PlayoutDelay,
}

impl ExtensionKind {
    /// All kinds, in the order of the enum.
    pub const ALL: [Self; 11] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AbsSendTime,
        Self::TransportWideCc,
        Self::AudioLevel,
        Self::DependencyDescriptor,
        Self::VideoOrientation,
        Self::TimeOffset,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
    ];

    /// The URI that names it in SDP (`a=extmap`) and in RTP parameters.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportWideCc => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::TimeOffset => "urn:ietf:params:rtp-hdrext:toffset",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        }
    }

    /// The kind with this URI; `None` for extensions that we do not know.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_uri() {
        for kind in ExtensionKind::ALL {
            assert_eq!(ExtensionKind::from_uri(kind.uri()), Some(kind));
        }
        assert_eq!(ExtensionKind::from_uri("urn:ietf:params:rtp-hdrext:sdes:mid "), None);
    }
}
