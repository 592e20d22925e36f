//! The codecs that the players send and receive, as RTP parameters name them.
//!
//! Knows payload types, clock rates and what a decoder must give back. Does not know tools or files. The one place of
//! these tests that writes RTP parameters.

use tidegate::RtpCodecParameters;

/// A codec of video or audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Codec {
    Vp8,
    Vp9,
    H264,
    Opus,
    Pcmu,
    Pcma,
    G722,
}

/// The video and the audio codec of one scene.
pub(crate) type Codecs = [Codec; 2];

impl Codec {
    /// What a producer of it is made with. No feedback: these senders neither send again nor make key frames on
    /// request.
    pub(crate) fn parameters(self) -> RtpCodecParameters {
        match self {
            Self::Vp8 => RtpCodecParameters::new("video/VP8", 101, 90_000),
            Self::Vp9 => RtpCodecParameters::new("video/VP9", 102, 90_000).with_parameter("profile-id", 0),
            Self::H264 => RtpCodecParameters::new("video/H264", 103, 90_000)
                .with_parameter("packetization-mode", 1)
                .with_parameter("level-asymmetry-allowed", 1)
                .with_parameter("profile-level-id", "42e01f"),
            Self::Opus => RtpCodecParameters::opus(100),
            // RFC 3551 table 4 gives these their payload types, and G.722 half its real rate.
            Self::Pcmu => RtpCodecParameters::new("audio/PCMU", 0, 8_000),
            Self::Pcma => RtpCodecParameters::new("audio/PCMA", 8, 8_000),
            Self::G722 => RtpCodecParameters::new("audio/G722", 9, 8_000),
        }
    }

    /// The same for a sender that makes a key frame when it is asked to (RFC 4585 6.3.1).
    pub(crate) fn parameters_with_pli(self) -> RtpCodecParameters {
        self.parameters().with_feedback("nack", "pli")
    }

    /// Samples a second and channel that a decoder makes of it.
    pub(crate) fn sample_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::G722 => 16_000,
            _ => 48_000,
        }
    }

    /// Channels that a decoder makes of it.
    pub(crate) fn channels(self) -> u16 {
        if self == Self::Opus { 2 } else { 1 }
    }

    /// Whether every decoder makes the same samples of it, from the first packet on.
    pub(crate) fn decodes_to_the_same_samples(self) -> bool {
        matches!(self, Self::Pcmu | Self::Pcma | Self::G722)
    }
}
