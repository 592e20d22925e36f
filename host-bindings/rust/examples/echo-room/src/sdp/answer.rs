//! How an answer is written.
//!
//! Knows RFC 3264's rules for answers, and those of WHIP (RFC 9725 4.4): one transport for all, rtcp-mux only. Does not
//! know where what it writes comes from. Invariant: as many sections as the offer has, in its order, all names its own.

use sdp_types as sdp;
use tidegate::{
    DtlsParameters, DtlsRole, IceCandidate, IceParameters, MediaKind, Protocol, RtpCodecParameters,
    RtpHeaderExtensionDirection, RtpParameters,
};

use crate::sdp::{Direction, Offer, Section};

/// An answer, before it is written.
#[derive(Debug)]
pub struct Answer<'a> {
    /// To what.
    pub offer: &'a Offer,
    /// The server's credentials.
    pub ice: IceParameters,
    /// Where it listens.
    pub candidates: Vec<IceCandidate>,
    /// Its certificate.
    pub dtls: DtlsParameters,
    /// What becomes of each section of the offer.
    pub sections: Vec<Answered>,
}

/// What becomes of one section.
#[derive(Clone, Debug)]
pub enum Answered {
    /// Nothing, for good.
    Rejected,
    /// Nothing goes either way; the section may carry the transport all the same.
    Inactive,
    /// The server receives this.
    Receives(RtpParameters),
    /// The server sends this, as the stream of that name.
    Sends(RtpParameters, String),
}

impl Answer<'_> {
    /// The answer's lines.
    pub fn write(&self) -> String {
        let origin = sdp::Origin::with_ip_addr(SESSION_ID, 0, std::net::Ipv4Addr::LOCALHOST);
        let mut session = sdp::Session::new(origin, "-");
        session.add_attribute(sdp::Attribute::new("ice-lite"));
        let answered: Vec<(&Section, &Answered)> = self.offer.sections.iter().zip(&self.sections).collect();
        let mids: Vec<&str> = answered
            .iter()
            .filter(|(_, answered)| !matches!(answered, Answered::Rejected))
            .map(|(section, _)| section.mid.as_str())
            .collect();
        session.add_attribute_with_value("group", format!("BUNDLE {}", mids.join(" ")));
        if self.offer.allows_mixed_extensions {
            session.add_attribute(sdp::Attribute::new("extmap-allow-mixed"));
        }
        session.add_attribute_with_value("msid-semantic", "WMS *");
        for (section, answered) in answered {
            session.add_media(self.section(section, answered, mids.first() == Some(&section.mid.as_str())));
        }
        session.to_string()
    }

    fn section(&self, section: &Section, answered: &Answered, is_first: bool) -> sdp::Media {
        let [media, proto, formats] = section.line.clone();
        let mut answer = sdp::Media {
            media,
            port: 0,
            num_ports: None,
            proto,
            fmt: formats,
            media_title: None,
            connections: vec![sdp::Connection::from_ip_addr(std::net::Ipv4Addr::UNSPECIFIED)],
            bandwidths: Vec::new(),
            key: None,
            attributes: Vec::new(),
        };
        answer.add_attribute_with_value("mid", &section.mid);
        let (direction, parameters) = match answered {
            Answered::Rejected => {
                answer.add_attribute(sdp::Attribute::from(Direction::Inactive));
                return answer;
            }
            Answered::Inactive => (Direction::Inactive, Self::of_nothing(section)),
            Answered::Receives(parameters) => (Direction::RecvOnly, parameters.clone()),
            Answered::Sends(parameters, _) => (Direction::SendOnly, parameters.clone()),
        };
        // RFC 9429 5.2.1: a port that means nothing, where ICE finds the real one.
        answer.port = 9;
        self.add_transport(&mut answer, is_first);
        answer.add_attribute(sdp::Attribute::from(direction));
        add_codecs(&mut answer, section, &parameters);
        if let Answered::Sends(_, stream) = answered {
            add_streams(&mut answer, &parameters, stream);
        }
        answer
    }

    /// Names one of the offered codecs: a section without any would be none.
    fn of_nothing(section: &Section) -> RtpParameters {
        let codec = section.codecs.iter().find(|codec| codec.is_media());
        RtpParameters { codecs: codec.cloned().into_iter().collect(), ..RtpParameters::default() }
    }

    fn add_transport(&self, answer: &mut sdp::Media, is_first: bool) {
        answer.add_attribute_with_value("ice-ufrag", &self.ice.username_fragment);
        answer.add_attribute_with_value("ice-pwd", &self.ice.password);
        // One is enough, and some read only one.
        let sha256 = self.dtls.fingerprints.iter().find(|fingerprint| fingerprint.algorithm == "sha-256");
        if let Some(fingerprint) = sha256.or_else(|| self.dtls.fingerprints.first()) {
            answer.add_attribute_with_value(
                "fingerprint",
                format!("{} {}", fingerprint.algorithm, fingerprint.value),
            );
        }
        let setup = if self.offer.dtls.role == DtlsRole::Server { "active" } else { "passive" };
        answer.add_attribute_with_value("setup", setup);
        // RFC 8858 4.3: the answerer says so too.
        for name in ["rtcp-mux", "rtcp-mux-only", "rtcp-rsize"] {
            answer.add_attribute(sdp::Attribute::new(name));
        }
        if is_first {
            for candidate in &self.candidates {
                answer.add_attribute_with_value("candidate", candidate_line(candidate));
            }
            answer.add_attribute(sdp::Attribute::new("end-of-candidates"));
        }
    }
}

/// The value of `a=candidate` (RFC 8839 5.1, RFC 6544 4.5).
pub(super) fn candidate_line(candidate: &IceCandidate) -> String {
    let IceCandidate { foundation, priority, address, port, .. } = candidate;
    let (protocol, tail) = match candidate.protocol {
        Protocol::Udp => ("udp", ""),
        Protocol::Tcp => ("tcp", " tcptype passive"),
    };
    format!("{foundation} 1 {protocol} {priority} {address} {port} typ host{tail}")
}

fn add_codecs(answer: &mut sdp::Media, section: &Section, parameters: &RtpParameters) {
    let numbers: Vec<String> = parameters.codecs.iter().map(|codec| codec.payload_type.to_string()).collect();
    answer.fmt = numbers.join(" ");
    for codec in &parameters.codecs {
        let payload_type = codec.payload_type;
        answer
            .add_attribute_with_value("rtpmap", format!("{payload_type} {}", name_line(codec, section.kind)));
        let written = codec.parameters.iter().map(|(name, value)| match name.as_str() {
            "" => value.text(),
            name => format!("{name}={}", value.text()),
        });
        let written: Vec<String> = written.collect();
        if !written.is_empty() {
            answer.add_attribute_with_value("fmtp", format!("{payload_type} {}", written.join(";")));
        }
        for feedback in &codec.rtcp_feedback {
            let line = format!("{payload_type} {} {}", feedback.kind, feedback.parameter);
            answer.add_attribute_with_value("rtcp-fb", line.trim_end());
        }
    }
    for extension in &parameters.header_extensions {
        let mut offered = section.header_extensions.iter().filter(|offered| offered.uri == extension.uri);
        // RFC 8285 7: seen from this end.
        let direction = match offered.next().map(|offered| offered.direction) {
            Some(RtpHeaderExtensionDirection::Sendonly) => "/recvonly",
            Some(RtpHeaderExtensionDirection::Recvonly) => "/sendonly",
            _ => "",
        };
        answer.add_attribute_with_value("extmap", format!("{}{direction} {}", extension.id, extension.uri));
    }
}

fn name_line(codec: &RtpCodecParameters, kind: Option<MediaKind>) -> String {
    let name = codec.mime_type.split_once('/').map_or(codec.mime_type.as_str(), |(_, name)| name);
    let channels = codec.channels.filter(|&channels| channels > 1 && kind == Some(MediaKind::Audio));
    let channels = channels.map_or_else(String::new, |channels| format!("/{channels}"));
    format!("{name}/{}{channels}", codec.clock_rate)
}

/// SSRCs, by which receivers tell streams apart that carry no MID (RFC 5576, RFC 8830).
fn add_streams(answer: &mut sdp::Media, parameters: &RtpParameters, stream: &str) {
    let track = format!("{stream} {stream}-{}", answer.media);
    answer.add_attribute_with_value("msid", &track);
    let cname = &parameters.rtcp.cname;
    for encoding in &parameters.encodings {
        let Some(ssrc) = encoding.ssrc else { continue };
        let repair = encoding.rtx.map(|rtx| rtx.ssrc);
        if let Some(repair) = repair {
            answer.add_attribute_with_value("ssrc-group", format!("FID {ssrc} {repair}"));
        }
        for ssrc in [Some(ssrc), repair].into_iter().flatten() {
            answer.add_attribute_with_value("ssrc", format!("{ssrc} cname:{cname}"));
            answer.add_attribute_with_value("ssrc", format!("{ssrc} msid:{track}"));
        }
    }
}

/// There is one description of a session, ever.
const SESSION_ID: u32 = 1;
