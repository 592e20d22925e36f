//! What an offerer can receive by one of its sections.
//!
//! Knows how an offer's codecs and header extensions are capabilities. Does not know what there is to receive.

use tidegate::{MediaKind, RtpCapabilities, RtpCodecCapability, RtpHeaderExtensionDirection};

use crate::sdp::Section;

/// A section's codecs and header extensions as capabilities, by the offerer's numbers.
pub fn receivable(section: &Section, kind: MediaKind) -> RtpCapabilities {
    use RtpHeaderExtensionDirection::{Recvonly, Sendrecv};
    let codecs = section.codecs.iter().map(|codec| RtpCodecCapability {
        kind,
        mime_type: codec.mime_type.clone(),
        preferred_payload_type: Some(codec.payload_type),
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters: codec.parameters.clone(),
        rtcp_feedback: codec.rtcp_feedback.clone(),
    });
    let extensions = section.header_extensions.iter();
    let extensions = extensions.filter(|offered| matches!(offered.direction, Recvonly | Sendrecv)).cloned();
    RtpCapabilities { codecs: codecs.collect(), header_extensions: extensions.collect() }
}
