//! RTP parameters as the packet path wants them: small, checked once, and trusted afterwards.
//!
//! Knows the shape rules for `Produce` and `Consume`. Does not know entities. Called by `producer` and `consumer`
//! when they are made; nothing below re-checks what passed here.

use smallvec::SmallVec;
use tidegate_protocol::rtp::{
    MediaKind, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpMapping,
    RtpParameters,
};

use crate::media::refused::Refused;
use crate::rtp::{ExtensionId, ExtensionKind};

/// A media codec of one producer or consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codec {
    /// On this transport.
    pub(crate) payload_type: u8,
    /// In the router: of a producer's codec as mapped, of a consumer's the one for which it stands.
    pub(crate) mapped_payload_type: u8,
    /// Of its retransmissions (RFC 4588) on this transport.
    pub(crate) rtx_payload_type: Option<u8>,
    pub(crate) clock_rate: u32,
    pub(crate) format: Format,
    pub(crate) feedback: Feedback,
    /// RED's blocks may have it.
    pub(crate) in_red: bool,
}

/// What RTCP feedback was agreed for a codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Feedback {
    pub(crate) nack: bool,
    pub(crate) pli: bool,
    pub(crate) fir: bool,
    /// What arrived with which transport-wide number.
    pub(crate) transport_cc: bool,
    /// How much may be sent (REMB).
    pub(crate) remb: bool,
}

/// A codec by name; those whose payload we read have their own variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Vp8,
    Vp9,
    H264,
    H265,
    Av1,
    Opus,
    /// Opus with more than two channels; its packets begin as those of [`Opus`](Self::Opus) do.
    MultiOpus,
    /// Several packets in one (RFC 2198), of codecs that are [`in_red`](Codec::in_red).
    Red,
    /// Forwarded without looking inside: index into [`OPAQUE`].
    Opaque(u8),
}

impl Format {
    fn from_mime(mime_type: &str) -> Option<Self> {
        let is = |name: &str| name.eq_ignore_ascii_case(mime_type);
        if let Some((format, _)) = READ.iter().find(|(_, name)| is(name)) {
            return Some(*format);
        }
        Some(Self::Opaque(u8::try_from(OPAQUE.iter().position(|name| is(name))?).ok()?))
    }

    /// The canonical name.
    pub(crate) fn mime_type(self) -> &'static str {
        if let Self::Opaque(index) = self {
            return OPAQUE.get(usize::from(index)).copied().unwrap_or("?");
        }
        READ.iter().find(|(format, _)| *format == self).map_or("?", |(_, name)| name)
    }

    /// Whether a decoder can start only at packets that we can tell.
    pub(crate) const fn tells_key_frames(self) -> bool {
        matches!(self, Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1)
    }

    /// Whether its packets come in between those of a stream's codec: telephone events and comfort noise.
    pub(crate) fn comes_in_between(self) -> bool {
        matches!(self.mime_type(), "audio/CN" | "audio/telephone-event")
    }

    /// Whether one stream may carry several spatial layers.
    pub(crate) const fn has_spatial_layers(self) -> bool {
        matches!(self, Self::Vp9 | Self::Av1)
    }
}

/// One stream that a producer announced.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    pub(crate) ssrc: Option<u32>,
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) rid: Option<Box<str>>,
    /// Names it inside the router.
    pub(crate) mapped_ssrc: u32,
    pub(crate) traits: StreamTraits,
    /// It has several layers, in a codec that may have spatial ones.
    pub(crate) is_layered: bool,
}

/// What parameters say of how one stream is coded, in one byte: each consumer has it.
///
/// From the lowest bit on: in-band FEC, DTX, spatial layers less one (3 bits), temporal layers less one (3 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamTraits(u8);

impl StreamTraits {
    /// Of an encoding whose codec has this payload type.
    pub(crate) fn of(encoding: &RtpEncodingParameters, payload_type: u8, all: &RtpParameters) -> Self {
        let codec = all.codecs.iter().find(|codec| codec.payload_type == payload_type);
        let has = |name| u8::from(codec.is_some_and(|codec| codec.number(name) == Some(1)));
        let (spatial, temporal) =
            encoding.scalability_mode.as_ref().map_or((1, 1), |mode| layers_of(mode.as_str()));
        // RFC 7587 6.1.
        let (in_band_fec, dtx) = (has("useinbandfec"), u8::from(encoding.dtx) | has("usedtx"));
        Self(in_band_fec | dtx << 1 | (spatial - 1) << 2 | (temporal - 1) << 5)
    }

    /// Its packets carry forward error correction of their own.
    pub(crate) fn in_band_fec(self) -> bool {
        self.0 & 1 != 0
    }

    /// Its sender pauses in silence.
    pub(crate) fn dtx(self) -> bool {
        self.0 & 2 != 0
    }

    /// 1 to 8.
    pub(crate) fn spatial_layers(self) -> u8 {
        (self.0 >> 2 & 7) + 1
    }

    /// 1 to 8.
    pub(crate) fn temporal_layers(self) -> u8 {
        (self.0 >> 5) + 1
    }

    fn has_layers(self) -> bool {
        self.spatial_layers() > 1 || self.temporal_layers() > 1
    }
}

/// Which id each known header extension has on one transport; unknown ones are not forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtensionIds([Option<ExtensionId>; ExtensionKind::ALL.len()]);

impl ExtensionIds {
    /// Refuses ids outside 1 to 255 without 15, ids used twice, and encryption; leaves out unknown URIs.
    pub(crate) fn new(extensions: &[RtpHeaderExtensionParameters]) -> Result<Self, Refused> {
        let mut ids = Self::default();
        for (index, extension) in extensions.iter().enumerate() {
            let (id, uri) = (extension.id, &extension.uri);
            let valid = ExtensionId::new(id).filter(|_| id != 15);
            let valid = valid.ok_or_else(|| {
                Refused::invalid(format!("header extension id {id} of {uri} is not 1 to 14 or 16 to 255"))
            })?;
            if extension.encrypt {
                return Err(Refused::unsupported(format!(
                    "{uri}: encrypted header extensions (RFC 6904) are not supported; negotiate it without encryption"
                )));
            }
            if extensions.iter().take(index).any(|earlier| earlier.id == id) {
                return Err(Refused::invalid(format!(
                    "header extension id {id} is used twice; give each its own"
                )));
            }
            if let Some(kind) = ExtensionKind::from_uri(uri) {
                ids.set(kind, valid);
            }
        }
        Ok(ids)
    }

    /// Refuses ids that contradict those of other producers of the same transport: a packet's extensions are read
    /// before it is known whose it is.
    pub(crate) fn check_joins(&self, others: &Self) -> Result<(), Refused> {
        for (kind, id) in others.iter() {
            let taken = self.iter().find(|(other, used)| (*other == kind) != (*used == id));
            if let Some((other, used)) = taken {
                let (uri, other) = (kind.uri(), other.uri());
                return Err(Refused::invalid(format!(
                    "header extension {uri} with id {} contradicts {other} with id {} of another producer of this transport; use one id for one extension",
                    id.get(),
                    used.get()
                )));
            }
        }
        Ok(())
    }

    /// Adds the ids of another producer.
    pub(crate) fn join(&mut self, others: &Self) {
        for (kind, id) in others.iter() {
            self.set(kind, id);
        }
    }

    pub(crate) fn get(&self, kind: ExtensionKind) -> Option<ExtensionId> {
        self.0.get(kind as usize).copied().flatten()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ExtensionKind, ExtensionId)> {
        ExtensionKind::ALL.into_iter().filter_map(|kind| Some((kind, self.get(kind)?)))
    }

    fn set(&mut self, kind: ExtensionKind, id: ExtensionId) {
        if let Some(slot) = self.0.get_mut(kind as usize) {
            *slot = Some(id);
        }
    }
}

/// Checked parameters, small.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) codecs: SmallVec<[Codec; 1]>,
    /// Of forward error correction (FlexFEC-03), where there is any.
    pub(crate) fec_payload_type: Option<u8>,
    pub(crate) extensions: ExtensionIds,
    pub(crate) mid: Option<Box<str>>,
    pub(crate) cname: Box<str>,
}

/// Checks what produce and consume have in common. `mapped` translates payload types of media codecs.
pub(crate) fn check(
    kind: MediaKind,
    parameters: &RtpParameters,
    mapped: impl Fn(u8) -> Option<u8>,
) -> Result<Checked, Refused> {
    if parameters.encodings.is_empty() {
        return Err(Refused::invalid("rtpParameters.encodings is empty; give at least one"));
    }
    if parameters.rtcp.cname.is_empty() {
        return Err(Refused::invalid("rtpParameters.rtcp.cname is empty; give the sender's canonical name"));
    }
    Ok(Checked {
        codecs: check_codecs(kind, &parameters.codecs, mapped)?,
        fec_payload_type: parameters.codecs.iter().find(|codec| codec.is_fec()).map(|fec| fec.payload_type),
        extensions: ExtensionIds::new(&parameters.header_extensions)?,
        mid: parameters.mid.as_ref().map(|mid| mid.as_str().into()),
        cname: parameters.rtcp.cname.as_str().into(),
    })
}

fn check_codecs(
    kind: MediaKind,
    all: &[RtpCodecParameters],
    mapped: impl Fn(u8) -> Option<u8>,
) -> Result<SmallVec<[Codec; 1]>, Refused> {
    let mut codecs = SmallVec::new();
    for (index, codec) in all.iter().enumerate() {
        let payload_type = codec.payload_type;
        if payload_type > 127 {
            return Err(Refused::invalid(format!(
                "payload type {payload_type} of {} is above 127",
                codec.mime_type
            )));
        }
        if all.iter().take(index).any(|earlier| earlier.payload_type == payload_type) {
            return Err(Refused::invalid(format!(
                "payload type {payload_type} is used twice; give each codec its own"
            )));
        }
        if codec.is_rtx() {
            check_apt(codec, all)?;
        } else if codec.is_media() {
            codecs.push(media_codec(kind, codec, all, &mapped)?);
        }
    }
    if codecs.is_empty() {
        return Err(Refused::invalid(
            "rtpParameters.codecs has no media codec; give at least one besides RTX and FEC",
        ));
    }
    for red in all.iter().filter(|codec| codec.is_red()) {
        admit_to_red(&mut codecs, red)?;
    }
    Ok(codecs)
}

/// Marks the codecs that the blocks of `red` may have: those that it lists, or all of its clock rate. There must be one,
/// for nobody could read its packets otherwise.
fn admit_to_red(codecs: &mut [Codec], red: &RtpCodecParameters) -> Result<(), Refused> {
    let listed = red.red_payload_types().map_err(|error| Refused::invalid(format!("audio/red: {error}")))?;
    let fits = |codec: &&mut Codec| codec.format != Format::Red && codec.clock_rate == red.clock_rate;
    let is_listed =
        |codec: &&mut Codec| listed.as_ref().is_none_or(|listed| listed.contains(&codec.payload_type));
    let mut admitted = SmallVec::<[u8; 4]>::new();
    for codec in codecs.iter_mut().filter(fits).filter(is_listed) {
        codec.in_red = true;
        admitted.push(codec.payload_type);
    }
    // One stream with one row of numbers, whichever of them a packet has: what is asked for by one is by all.
    let is_of_it = |codec: &Codec| codec.in_red || codec.payload_type == red.payload_type;
    let nack = codecs.iter().any(|codec| is_of_it(codec) && codec.feedback.nack);
    for codec in codecs.iter_mut().filter(|codec| is_of_it(codec)) {
        codec.feedback.nack = nack;
    }
    let is_known = listed.iter().flatten().all(|listed| admitted.contains(listed));
    (is_known && !admitted.is_empty()).then_some(()).ok_or_else(|| {
        Refused::invalid(format!(
            "audio/red with payload type {} needs the codecs of its blocks, at its clock rate; list them too",
            red.payload_type
        ))
    })
}

fn check_apt(rtx: &RtpCodecParameters, all: &[RtpCodecParameters]) -> Result<(), Refused> {
    let apt = rtx.number("apt");
    let known = all.iter().any(|codec| codec.is_media() && Some(i64::from(codec.payload_type)) == apt);
    let payload_type = rtx.payload_type;
    known.then_some(()).ok_or_else(|| {
        Refused::invalid(format!(
            "RTX payload type {payload_type} needs a parameter apt that names a media codec"
        ))
    })
}

fn media_codec(
    kind: MediaKind,
    codec: &RtpCodecParameters,
    all: &[RtpCodecParameters],
    mapped: impl Fn(u8) -> Option<u8>,
) -> Result<Codec, Refused> {
    let (payload_type, mime_type) = (codec.payload_type, &codec.mime_type);
    let format = Format::from_mime(mime_type)
        .ok_or_else(|| Refused::unsupported(format!("{mime_type} is not a codec that this worker knows")))?;
    let prefix = if kind == MediaKind::Audio { "audio/" } else { "video/" };
    if !format.mime_type().starts_with(prefix) {
        return Err(Refused::invalid(format!(
            "{mime_type} does not fit kind {kind:?}; use a codec of {prefix}"
        )));
    }
    if codec.clock_rate == 0 {
        return Err(Refused::invalid(format!(
            "clock rate of {mime_type} is 0; give it in Hz, for example 90000"
        )));
    }
    let mapped_payload_type = mapped(payload_type).ok_or_else(|| {
        Refused::invalid(format!(
            "payload type {payload_type} of {mime_type} has no entry in rtpMapping.codecs"
        ))
    })?;
    let rtx = all.iter().find(|rtx| rtx.is_rtx() && rtx.number("apt") == Some(i64::from(payload_type)));
    Ok(Codec {
        payload_type,
        mapped_payload_type,
        rtx_payload_type: rtx.map(|rtx| rtx.payload_type),
        clock_rate: codec.clock_rate,
        format,
        feedback: Feedback {
            nack: codec.has_feedback("nack", ""),
            pli: codec.has_feedback("nack", "pli"),
            fir: codec.has_feedback("ccm", "fir"),
            transport_cc: codec.has_feedback("transport-cc", ""),
            remb: codec.has_feedback("goog-remb", ""),
        },
        in_red: false,
    })
}

/// Checks a producer's encodings against its mapping.
pub(crate) fn check_encodings(
    codecs: &[Codec],
    parameters: &RtpParameters,
    mapping: &RtpMapping,
) -> Result<SmallVec<[Encoding; 1]>, Refused> {
    let (encodings, mapped) = (&parameters.encodings, &mapping.encodings);
    if mapped.len() != encodings.len() {
        let (given, needed) = (mapped.len(), encodings.len());
        return Err(Refused::invalid(format!(
            "rtpMapping.encodings has {given} entries for {needed} encodings; give one each"
        )));
    }
    let named = |encoding: &RtpEncodingParameters| encoding.ssrc.is_some() || encoding.rid.is_some();
    if !encodings.iter().all(named) && (encodings.len() > 1 || parameters.mid.is_none()) {
        return Err(Refused::invalid(
            "an encoding has neither ssrc nor rid; only a single one with a MID may",
        ));
    }
    let mut ssrcs: Vec<u32> =
        encodings.iter().flat_map(|each| [each.ssrc, each.rtx_ssrc, each.fec_ssrc]).flatten().collect();
    ssrcs.sort_unstable();
    if ssrcs.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Refused::duplicate(
            "two encodings have the same ssrc; each needs its own, and its own for RTX and FEC",
        ));
    }
    let each = encodings.iter().zip(mapped).map(|(encoding, mapped)| {
        let codec = codecs.get(codec_of(encoding, codecs)?);
        let payload_type = codec.map_or(u8::MAX, |codec| codec.payload_type);
        let traits = StreamTraits::of(encoding, payload_type, parameters);
        Ok(Encoding {
            ssrc: encoding.ssrc,
            rtx_ssrc: encoding.rtx_ssrc,
            rid: encoding.rid.as_ref().map(|rid| rid.as_str().into()),
            mapped_ssrc: mapped.mapped_ssrc,
            traits,
            is_layered: traits.has_layers() && codec.is_some_and(|codec| codec.format.has_spatial_layers()),
        })
    });
    each.collect()
}

/// Streams of forward error correction that were announced, each with the index of its encoding.
pub(crate) fn fec_ssrcs(parameters: &RtpParameters) -> SmallVec<[(u8, u32); 1]> {
    let encodings = (0..).zip(&parameters.encodings);
    encodings.filter_map(|(index, encoding)| Some((index, encoding.fec_ssrc?))).collect()
}

/// Spatial and temporal layers of a scalability mode (W3C webrtc-svc, for example `L3T3_KEY`), 1 to 8 each, more than any
/// codec has. A mode that cannot be read has one of each.
fn layers_of(mode: &str) -> (u8, u8) {
    match mode.as_bytes() {
        [b'L' | b'S', spatial @ b'1'..=b'8', b'T', temporal @ b'1'..=b'8', ..] => {
            (*spatial - b'0', *temporal - b'0')
        }
        _ => (1, 1),
    }
}

/// Index of an encoding's codec: the one it names, or the first.
pub(crate) fn codec_of(encoding: &RtpEncodingParameters, codecs: &[Codec]) -> Result<usize, Refused> {
    let Some(payload_type) = encoding.codec_payload_type else { return Ok(0) };
    codecs.iter().position(|codec| codec.payload_type == payload_type).ok_or_else(|| {
        Refused::invalid(format!("codecPayloadType {payload_type} of an encoding names no media codec"))
    })
}

/// Those whose payload we read.
const READ: [(Format, &str); 8] = [
    (Format::Vp8, "video/VP8"),
    (Format::Vp9, "video/VP9"),
    (Format::H264, "video/H264"),
    (Format::H265, "video/H265"),
    (Format::Av1, "video/AV1"),
    (Format::Opus, "audio/opus"),
    (Format::MultiOpus, "audio/multiopus"),
    (Format::Red, "audio/red"),
];
/// Known to the field and forwarded as they are.
const OPAQUE: [&str; 8] = [
    "audio/PCMU",
    "audio/PCMA",
    "audio/G722",
    "audio/iLBC",
    "audio/ISAC",
    "audio/SILK",
    "audio/CN",
    "audio/telephone-event",
];
