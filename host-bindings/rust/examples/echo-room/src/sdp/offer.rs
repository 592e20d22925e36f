//! What an offer says, as far as a room needs it.
//!
//! Knows JSEP's use of SDP (RFC 9429): one BUNDLE group, rtcp-mux, DTLS-SRTP. Does not know what a room can do.
//! Invariant: every section of the offer is there, in order, because an answer has one for each (RFC 3264 6).

use std::collections::BTreeMap;

use sdp_types as sdp;
use tidegate::{
    DtlsFingerprint, DtlsParameters, DtlsRole, MediaKind, ParameterValue, RtcpFeedback, RtpCodecParameters,
    RtpHeaderExtension, RtpHeaderExtensionDirection,
};

pub use sdp_types::Direction;

/// An offer.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The offerer's credentials.
    pub ice: Ice,
    /// Who the offerer is to DTLS, and which end: the client unless it insists on being the server.
    pub dtls: DtlsParameters,
    /// Whether one- and two-byte header extensions may be mixed (RFC 8285 6).
    pub allows_mixed_extensions: bool,
    /// Its media sections.
    pub sections: Vec<Section>,
}

/// ICE credentials (RFC 8839 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ice {
    /// 4 characters at least.
    pub username_fragment: String,
    /// 22 characters at least.
    pub password: String,
}

/// One media section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Sound or picture that can be taken; `None` for everything else, which is rejected.
    pub kind: Option<MediaKind>,
    /// Its identification (RFC 5888).
    pub mid: String,
    /// Seen from the offerer.
    pub direction: Direction,
    /// In the order of the offerer's preference, RTX and the like among them.
    pub codecs: Vec<RtpCodecParameters>,
    /// By the offerer's ids, with directions as it sees them.
    pub header_extensions: Vec<RtpHeaderExtension>,
    /// SSRCs that were announced, and of each its retransmissions' (RFC 5576 4.2, FID).
    pub streams: Vec<(u32, Option<u32>)>,
    /// Names several encodings that it would send (RFC 8853).
    pub has_simulcast: bool,
    /// The sender's canonical name; empty when it is not told.
    pub cname: String,
    /// Names of stream and track (RFC 8830).
    pub msid: Option<String>,
    /// Media type, protocol and formats, as the answer repeats them.
    pub(super) line: [String; 3],
}

/// Why an offer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It is none.
    #[error("{0}")]
    Malformed(String),
    /// It is one, of something that is not done here.
    #[error("{0}")]
    Unacceptable(String),
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`OfferError`], whose sentence says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, OfferError> {
        let session = read(bytes)?;
        if session.medias.is_empty() || session.medias.len() > SECTIONS_MAX {
            let found = session.medias.len();
            return Err(malformed(format!("{found} media sections; an offer has 1 to {SECTIONS_MAX}")));
        }
        let bundle = bundle_of(&session)?;
        let sections: Vec<Section> = session
            .medias
            .iter()
            .map(|media| Section::of(media, &session, &bundle))
            .collect::<Result<_, _>>()?;
        for (index, section) in sections.iter().enumerate() {
            if sections.iter().take(index).any(|earlier| earlier.mid == section.mid) {
                return Err(malformed(format!("two media sections are called {:?}", section.mid)));
            }
        }
        // RFC 9143 7.1.3: transport attributes are those of the group's first section.
        let taken = session.medias.iter().zip(&sections).find(|(_, section)| section.kind.is_some());
        let Some((media, _)) = taken else {
            return Err(OfferError::Unacceptable(
                "no audio or video over UDP/TLS/RTP/SAVPF, with rtcp-mux and in a BUNDLE group".to_owned(),
            ));
        };
        Ok(Self {
            ice: Ice::of(media, &session).ok_or_else(|| malformed("no ice-ufrag and ice-pwd".to_owned()))?,
            dtls: dtls_of(media, &session)?,
            allows_mixed_extensions: has(&session.attributes, "extmap-allow-mixed")
                || has(&media.attributes, "extmap-allow-mixed"),
            sections,
        })
    }

    /// The lines that name its first section in fragments of trickle ICE: those of the one that carries the transport.
    pub fn head(&self) -> String {
        let first = self.sections.iter().find(|section| section.kind.is_some());
        let head = first.map(|Section { line: [media, proto, formats], mid, .. }| {
            format!("m={media} 9 {proto} {formats}\r\na=mid:{mid}")
        });
        head.unwrap_or_default()
    }
}

impl Ice {
    /// Of a section, or else of the session.
    pub(super) fn of(media: &sdp::Media, session: &sdp::Session) -> Option<Self> {
        let of = |name: &str| text(&media.attributes, name).or_else(|| text(&session.attributes, name));
        let (username_fragment, password) = (of("ice-ufrag")?.to_owned(), of("ice-pwd")?.to_owned());
        // RFC 8839 5.4.
        let fits = (4..=256).contains(&username_fragment.len()) && (22..=256).contains(&password.len());
        fits.then_some(Self { username_fragment, password })
    }
}

impl Section {
    fn of(media: &sdp::Media, session: &sdp::Session, bundle: &[String]) -> Result<Self, OfferError> {
        let attributes = &media.attributes;
        let mid = text(attributes, "mid").unwrap_or_default().to_owned();
        if mid.is_empty() || mid.len() > MID_BYTES_MAX || mid.contains(char::is_whitespace) {
            return Err(malformed(format!(
                "a media section is called {mid:?}; a=mid has 1 to {MID_BYTES_MAX} bytes, no blanks"
            )));
        }
        let kind = match media.media.as_str() {
            "audio" => Some(MediaKind::Audio),
            "video" => Some(MediaKind::Video),
            _ => None,
        };
        let kind = kind.filter(|_| is_transported(media) && bundle.contains(&mid));
        let (streams, cname) = streams_of(media);
        let direction = direction_of(attributes).or_else(|| direction_of(&session.attributes));
        Ok(Self {
            mid,
            direction: direction.unwrap_or(Direction::SendRecv),
            codecs: kind.map_or_else(Vec::new, |kind| codecs_of(media, kind)),
            header_extensions: kind.map_or_else(Vec::new, |kind| extensions_of(media, session, kind)),
            streams,
            has_simulcast: has(attributes, "simulcast"),
            cname,
            msid: text(attributes, "msid").map(str::to_owned),
            line: [media.media.clone(), media.proto.clone(), media.fmt.clone()],
            kind,
        })
    }

    /// Whether the offerer would send it.
    pub fn is_sent(&self) -> bool {
        self.direction.has_send()
    }

    /// Whether the offerer would receive it.
    pub fn is_received(&self) -> bool {
        self.direction.has_recv()
    }
}

/// The lines, in bounded number and length.
pub(super) fn read(bytes: &[u8]) -> Result<sdp::Session, OfferError> {
    if bytes.len() > SDP_BYTES_MAX {
        return Err(malformed(format!("longer than {SDP_BYTES_MAX} bytes")));
    }
    sdp::Session::parse(bytes).map_err(|error| malformed(error.to_string()))
}

/// The sections of the first BUNDLE group; without one, the first section alone.
fn bundle_of(session: &sdp::Session) -> Result<Vec<String>, OfferError> {
    let groups = session.attributes.iter().filter(|attribute| attribute.attribute == "group");
    let mut groups = groups.filter_map(|group| group.value.as_deref()?.strip_prefix("BUNDLE "));
    if let Some(group) = groups.next() {
        return Ok(group.split_ascii_whitespace().map(str::to_owned).collect());
    }
    let first = session.medias.first().and_then(|media| text(&media.attributes, "mid"));
    first.map(|mid| vec![mid.to_owned()]).ok_or_else(|| malformed("a media section without a=mid".to_owned()))
}

/// Whether it comes as this server can take it, and was not disabled: port 0 means that where the section does not say
/// that it has none of its own (RFC 9143 6).
fn is_transported(media: &sdp::Media) -> bool {
    let attributes = &media.attributes;
    let enabled = media.port != 0 || has(attributes, "bundle-only");
    // RFC 9429 5.1.2: TCP/DTLS says the same.
    let is_secure = matches!(media.proto.as_str(), "UDP/TLS/RTP/SAVPF" | "TCP/DTLS/RTP/SAVPF");
    enabled && is_secure && (has(attributes, "rtcp-mux") || has(attributes, "rtcp-mux-only"))
}

fn dtls_of(media: &sdp::Media, session: &sdp::Session) -> Result<DtlsParameters, OfferError> {
    let of = |attributes: &[sdp::Attribute]| -> Vec<DtlsFingerprint> {
        let lines = values(attributes, "fingerprint").filter_map(|value| value.split_once(' '));
        let lines = lines.map(|(algorithm, value)| DtlsFingerprint {
            algorithm: algorithm.to_ascii_lowercase(),
            value: value.trim().to_ascii_uppercase(),
        });
        lines.filter(|line| HASHES.contains(&line.algorithm.as_str())).take(FINGERPRINTS_MAX).collect()
    };
    let own = of(&media.attributes);
    let fingerprints = if own.is_empty() { of(&session.attributes) } else { own };
    if fingerprints.is_empty() {
        return Err(malformed("no a=fingerprint of a known kind".to_owned()));
    }
    let setup = text(&media.attributes, "setup").or_else(|| text(&session.attributes, "setup"));
    let role = match setup {
        Some("passive") => DtlsRole::Server,
        Some("active" | "actpass") => DtlsRole::Client,
        other => return Err(malformed(format!("a=setup:{}; offer actpass", other.unwrap_or_default()))),
    };
    Ok(DtlsParameters { role, fingerprints })
}

/// Codecs that have a name, in the order of the section's first line.
fn codecs_of(media: &sdp::Media, kind: MediaKind) -> Vec<RtpCodecParameters> {
    let names: BTreeMap<u8, sdp::RtpMap> = media
        .attributes_typed()
        .filter_map(Result::ok)
        .map(|map: sdp::RtpMap| (map.payload_type, map))
        .collect();
    let mut formats: BTreeMap<u8, sdp::Fmtp> =
        media.attributes_typed().filter_map(Result::ok).map(|fmtp: sdp::Fmtp| (fmtp.fmt, fmtp)).collect();
    let listed = media.fmt.split_ascii_whitespace().take(CODECS_MAX).filter_map(|number| number.parse().ok());
    let name_of_kind = if kind == MediaKind::Audio { "audio" } else { "video" };
    let mut codecs = Vec::<RtpCodecParameters>::new();
    for payload_type in listed {
        let Some(map) = names.get(&payload_type) else { continue };
        if codecs.iter().any(|codec| codec.payload_type == payload_type) {
            continue;
        }
        let mime_type = format!("{name_of_kind}/{}", map.encoding_name);
        let mut codec = RtpCodecParameters::new(&mime_type, payload_type, map.clock_rate);
        if kind == MediaKind::Audio {
            codec.channels = map.encoding_params.as_deref().and_then(|channels| channels.parse().ok());
        }
        if let Some(fmtp) = formats.remove(&payload_type) {
            codec.parameters =
                fmtp.format_specific_params.iter().take(PARAMETERS_MAX).map(parameter).collect();
        }
        codec.rtcp_feedback = feedback_of(media, payload_type);
        codecs.push(codec);
    }
    codecs
}

fn parameter(given: &sdp::FmtpParam) -> (String, ParameterValue) {
    let Some(value) = &given.val else {
        // RED's list of blocks (RFC 2198 4) and the like: a value without a name.
        return (String::new(), ParameterValue::Text(given.param.trim().to_owned()));
    };
    let (name, value) = (given.param.trim(), value.trim());
    // Hexadecimal, whatever its digits look like.
    let number = value.parse::<i64>().ok().filter(|number| number.to_string() == value);
    let number = number.filter(|_| !name.eq_ignore_ascii_case("profile-level-id"));
    let value = number.map_or_else(|| ParameterValue::Text(value.to_owned()), ParameterValue::Number);
    (name.to_owned(), value)
}

/// Feedback for a payload type, that for all included (RFC 4585 4.2).
fn feedback_of(media: &sdp::Media, payload_type: u8) -> Vec<RtcpFeedback> {
    let number = payload_type.to_string();
    let lines = values(&media.attributes, "rtcp-fb").filter_map(|value| value.split_once(' '));
    let own = lines.filter(|(of, _)| *of == number || *of == "*");
    let feedback = own.map(|(_, what)| {
        let (kind, parameter) = what.trim().split_once(' ').unwrap_or_else(|| (what.trim(), ""));
        RtcpFeedback::new(kind, parameter.trim())
    });
    feedback.take(FEEDBACK_MAX).collect()
}

fn extensions_of(media: &sdp::Media, session: &sdp::Session, kind: MediaKind) -> Vec<RtpHeaderExtension> {
    let own = media.attributes_typed().filter_map(Result::ok);
    let common = session.attributes_typed().filter_map(Result::ok);
    let all = own.chain(common).map(|map: sdp::ExtMap| RtpHeaderExtension {
        kind,
        uri: map.uri,
        preferred_id: map.id,
        preferred_encrypt: false,
        direction: match map.direction {
            None | Some(Direction::SendRecv) => RtpHeaderExtensionDirection::Sendrecv,
            Some(Direction::SendOnly) => RtpHeaderExtensionDirection::Sendonly,
            Some(Direction::RecvOnly) => RtpHeaderExtensionDirection::Recvonly,
            Some(Direction::Inactive) => RtpHeaderExtensionDirection::Inactive,
        },
    });
    all.take(EXTENSIONS_MAX).collect()
}

/// Announced streams with their retransmissions, and their canonical name.
fn streams_of(media: &sdp::Media) -> (Vec<(u32, Option<u32>)>, String) {
    let mut ssrcs = Vec::<u32>::new();
    let mut cname = String::new();
    for value in values(&media.attributes, "ssrc") {
        let (ssrc, attribute) = value.split_once(' ').unwrap_or((value, ""));
        let Ok(ssrc) = ssrc.parse() else { continue };
        if !ssrcs.contains(&ssrc) && ssrcs.len() < SSRCS_MAX {
            ssrcs.push(ssrc);
        }
        if let Some(name) = attribute.strip_prefix("cname:").filter(|_| cname.is_empty()) {
            name.clone_into(&mut cname);
        }
    }
    let groups = values(&media.attributes, "ssrc-group").filter_map(|value| value.strip_prefix("FID "));
    let groups = groups.filter_map(|group| {
        let (first, second) = group.trim().split_once(' ')?;
        Some((first.parse().ok()?, second.trim().parse().ok()?))
    });
    let repaired: BTreeMap<u32, u32> = groups.take(SSRCS_MAX).collect();
    let is_repair = |ssrc: &u32| repaired.values().any(|repair| repair == ssrc);
    let media = ssrcs.iter().filter(|ssrc| !is_repair(ssrc));
    let streams = media.map(|ssrc| (*ssrc, repaired.get(ssrc).copied())).collect();
    (streams, cname)
}

fn direction_of(attributes: &[sdp::Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| attribute.attribute.parse().ok())
}

pub(super) fn has(attributes: &[sdp::Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.attribute == name)
}

pub(super) fn values<'a>(
    attributes: &'a [sdp::Attribute],
    name: &'static str,
) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |attribute| attribute.attribute == name)
        .filter_map(|one| one.value.as_deref())
}

pub(super) fn text<'a>(attributes: &'a [sdp::Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.attribute == name)?.value.as_deref().map(str::trim)
}

fn malformed(sentence: String) -> OfferError {
    OfferError::Malformed(format!("this is no WebRTC offer: {sentence}"))
}

/// Browsers with all their codecs and a few tracks offer some 10 KB.
pub(crate) const SDP_BYTES_MAX: usize = 64 << 10;
/// Camera, microphone, screen and data, twice.
const SECTIONS_MAX: usize = 8;
/// What the worker takes.
const MID_BYTES_MAX: usize = 32;
/// Chromium offers some 30.
const CODECS_MAX: usize = 64;
const PARAMETERS_MAX: usize = 32;
const FEEDBACK_MAX: usize = 16;
const EXTENSIONS_MAX: usize = 32;
const SSRCS_MAX: usize = 16;
const FINGERPRINTS_MAX: usize = 16;
/// Those of RFC 8122 5 that a worker knows.
const HASHES: [&str; 5] = ["sha-1", "sha-224", "sha-256", "sha-384", "sha-512"];
