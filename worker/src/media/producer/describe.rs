//! What a packet says to those who know its codec: key frame, silence, layer.
//!
//! Knows formats and what must be remembered of one stream to read its packets. Does not know numbers, nor what follows
//! from what it says. Called by `ReceivedStream::admit` once per packet.

use std::time::Duration;

use crate::base::time::Time;
use crate::media::parameters::{ExtensionIds, Format};
use crate::rtp::ExtensionKind;
use crate::rtp::dependency_descriptor::{self, Structure};
use crate::rtp::header::Header;
use crate::rtp::payload::{av1, h264, h265, opus, red, vp8, vp9};
use crate::stream::layers::{Layer, LayerRates};

/// What is known of what a peer sends a stream with; nothing when it begins, or begins anew.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// H.264 and H.265: parameter sets came in band.
    parameter_sets_seen: bool,
    /// Once a packet of an upper layer came, or a structure that has some.
    layering: Option<Box<Layering>>,
}

const _: () = assert!(size_of::<Encoder>() <= 16);

/// The layers of a stream that has several.
#[derive(Debug, Default)]
struct Layering {
    /// What dependency descriptors refer to.
    structure: Option<Structure>,
    rates: LayerRates,
}

/// What a packet says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) is_key_frame: bool,
    pub(crate) is_silence: bool,
    /// The lowest where nothing is said.
    pub(crate) layer: Layer,
}

/// A packet to be described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) header: &'a Header,
    pub(crate) packet: &'a [u8],
    /// The ids of its transport.
    pub(crate) extensions: &'a ExtensionIds,
}

impl Look<'_> {
    fn payload(&self) -> &[u8] {
        self.header.payload(self.packet)
    }

    fn dependency_descriptor(&self) -> Option<&[u8]> {
        let id = self.extensions.get(ExtensionKind::DependencyDescriptor)?;
        self.header.extensions.get(id, self.packet)
    }
}

impl Encoder {
    /// What a packet says in `format`, which need not be the stream's first.
    pub(crate) fn describe(&mut self, format: Format, look: Look<'_>) -> Described {
        let payload = look.payload();
        let silence = |is_silence| Described { is_silence, ..Described::default() };
        match format {
            Format::Opus | Format::MultiOpus => silence(opus::is_dtx(payload)),
            Format::Red => silence(is_silent_red(payload)),
            Format::Opaque(_) => Described::default(),
            Format::Vp8 | Format::Vp9 | Format::H264 | Format::H265 | Format::Av1 => {
                let (is_key_frame, said) = self.describe_video(format, look).unwrap_or_default();
                let layer = self.layer_by_descriptor(look).unwrap_or(said);
                Described { is_key_frame, is_silence: false, layer }
            }
        }
    }

    /// Whether a key frame starts, and the layer that the payload says. The dependency descriptor is believed first, for
    /// behind it the payload may be encrypted from end to end.
    fn describe_video(&mut self, format: Format, look: Look<'_>) -> Option<(bool, Layer)> {
        let payload = look.payload();
        let of = |spatial, temporal| Layer { spatial, temporal };
        match format {
            Format::Vp8 => {
                let read = vp8::Descriptor::parse(payload)?;
                Some((read.key_frame, of(0, read.temporal_layer.unwrap_or(0))))
            }
            Format::Vp9 => {
                let read = vp9::Descriptor::parse(payload)?;
                let layers = read.layers.map(|layers| of(layers.spatial, layers.temporal));
                Some((read.key_frame, layers.unwrap_or_default()))
            }
            Format::H264 => {
                let read = h264::Descriptor::parse(payload)?;
                Some((self.starts_decoding(read.key_frame, read.idr_start), Layer::default()))
            }
            Format::H265 => {
                let read = h265::Descriptor::parse(payload)?;
                let starts = self.starts_decoding(read.key_frame, read.irap_start);
                Some((starts, of(read.layer, read.temporal_layer)))
            }
            Format::Av1 => {
                if let Some(value) = look.dependency_descriptor() {
                    return Some((dependency_descriptor::starts_key_frame(value), Layer::default()));
                }
                let read = av1::Descriptor::parse(payload)?;
                let layers = read.layers.map(|layers| of(layers.spatial, layers.temporal));
                Some((read.key_frame, layers.unwrap_or_default()))
            }
            Format::Opus | Format::MultiOpus | Format::Red | Format::Opaque(_) => None,
        }
    }

    /// Whether a decoder can start with a packet that holds these. An intra picture by itself counts only as long as
    /// the stream never carried parameter sets: then the peer has announced them, and there is no other start.
    fn starts_decoding(&mut self, parameter_sets: bool, intra_picture: bool) -> bool {
        self.parameter_sets_seen |= parameter_sets;
        parameter_sets || intra_picture && !self.parameter_sets_seen
    }

    /// The layer that a dependency descriptor says, of a stream whose last structure has several.
    fn layer_by_descriptor(&mut self, look: Look<'_>) -> Option<Layer> {
        let value = look.dependency_descriptor()?;
        if let Some(structure) = Structure::attached(value) {
            let lowest = dependency_descriptor::Layers::default();
            if self.layering.is_some() || structure.layers().any(|layers| layers != lowest) {
                self.layering.get_or_insert_default().structure = Some(structure);
            }
        }
        let structure = self.layering.as_ref()?.structure.as_ref();
        let layers = dependency_descriptor::Descriptor::parse(value, structure)?.frame?.layers;
        Some(Layer { spatial: layers.spatial, temporal: layers.temporal })
    }

    /// Counts a packet to its layer over `window`, if the stream has several. Padding alone is of none.
    pub(crate) fn count_layer(&mut self, layer: Layer, header: &Header, now: Time, window: Duration) {
        if header.payload_len() > 0 && (self.layering.is_some() || layer != Layer::default()) {
            self.layering.get_or_insert_default().rates.add(layer, now, header.packet_len(), window);
        }
    }

    /// Bits per second of each layer by itself; nothing of a stream that has but one.
    pub(crate) fn layer_rates(&self, now: Time) -> impl Iterator<Item = (Layer, u64)> + '_ {
        self.layering.iter().flat_map(move |layering| layering.rates.bits_per_second(now))
    }
}

/// Whether the newest block is silence, whatever the older ones repeat. Of the codecs with RED's clock rate only Opus has
/// packets as short as that: a telephone event has four bytes.
fn is_silent_red(payload: &[u8]) -> bool {
    let primary = red::Descriptor::parse(payload).and_then(|found| payload.get(found.primary_offset..));
    primary.is_some_and(opus::is_dtx)
}
