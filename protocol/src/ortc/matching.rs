//! Whether two codecs are the same, and with which parameters both agree.
//!
//! Knows the parameters that decide: multiopus streams; H264 packetization mode, profile and level; VP9 profile; H265
//! profile, tier and transmission mode; AV1 profile and tier. Does not know payload types or feedback. Used by every
//! step of negotiation. Invariant: symmetric, but for the level of an answer.

use std::collections::BTreeMap;

use super::dictionary::{MediaKind, ParameterValue, RtpCodecCapability, RtpCodecParameters};
use super::h264::ProfileLevelId;
use super::validate::kind_of;

/// What counts of a codec when it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format<'a> {
    mime_type: &'a str,
    clock_rate: u32,
    channels: Option<u8>,
    parameters: &'a BTreeMap<String, ParameterValue>,
}

impl<'a> From<&'a RtpCodecCapability> for Format<'a> {
    fn from(codec: &'a RtpCodecCapability) -> Self {
        let RtpCodecCapability { mime_type, clock_rate, channels, parameters, .. } = codec;
        Self { mime_type, clock_rate: *clock_rate, channels: *channels, parameters }
    }
}

impl<'a> From<&'a RtpCodecParameters> for Format<'a> {
    fn from(codec: &'a RtpCodecParameters) -> Self {
        let RtpCodecParameters { mime_type, clock_rate, channels, parameters, .. } = codec;
        Self { mime_type, clock_rate: *clock_rate, channels: *channels, parameters }
    }
}

impl Format<'_> {
    /// Whether both are the same codec, whatever its profile: enough for a router's wish.
    pub(super) fn is_same_codec(&self, other: &Self) -> bool {
        self.mime_type.eq_ignore_ascii_case(other.mime_type)
            && self.clock_rate == other.clock_rate
            && channels(self.mime_type, self.channels) == channels(other.mime_type, other.channels)
            && (!self.is("audio/multiopus")
                || self.agrees(other, &[("num_streams", None), ("coupled_streams", None)]))
    }

    /// Whether what one encodes the other decodes: the same codec in the same profile.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.is_same_codec(other) && self.is_same_profile(other)
    }

    fn is_same_profile(&self, other: &Self) -> bool {
        if self.is("video/H264") {
            // RFC 6184 8.1: packetization mode 0 when absent.
            let profiles = self.h264_profile().zip(other.h264_profile());
            return self.agrees(other, &[("packetization-mode", Some(0))])
                && profiles.is_some_and(|(one, another)| one.profile == another.profile);
        }
        if self.is("video/VP9") {
            return self.agrees(other, &[("profile-id", Some(0))]);
        }
        if self.is("video/H265") {
            // RFC 7798 7.1. Levels may differ; transmission over several streams (MRST, MRMT) must be agreed on.
            const PROFILE: &[(&str, Option<i64>)] =
                &[("profile-space", Some(0)), ("profile-id", Some(1)), ("tier-flag", Some(0))];
            return self.agrees(other, PROFILE) && self.transmission_mode() == other.transmission_mode();
        }
        if self.is("video/AV1") {
            // AV1's RTP payload format, 7.2. Levels may differ.
            return self.agrees(other, &[("profile", Some(0)), ("tier", Some(0))]);
        }
        true
    }

    /// The parameters of this codec, a producer's, as agreed with `router`'s: the producer's own, and a level that
    /// both state.
    pub(super) fn agreed_parameters(&self, router: &Self) -> BTreeMap<String, ParameterValue> {
        let mut parameters = self.parameters.clone();
        if self.is("video/H264") {
            if let Some(text) = self.h264_answer(router) {
                parameters.insert(PROFILE_LEVEL_ID.to_owned(), ParameterValue::Text(text));
            }
        } else if self.is("video/H265") {
            lower(&mut parameters, router.parameters, "level-id");
        } else if self.is("video/AV1") {
            lower(&mut parameters, router.parameters, "level-idx");
        }
        parameters
    }

    /// RFC 6184 8.2.2: the lower level, unless both allow that levels differ by direction. Nothing where neither
    /// states a profile.
    fn h264_answer(&self, router: &Self) -> Option<String> {
        if !self.parameters.contains_key(PROFILE_LEVEL_ID)
            && !router.parameters.contains_key(PROFILE_LEVEL_ID)
        {
            return None;
        }
        let (own, other) = self.h264_profile().zip(router.h264_profile())?;
        let asymmetric = self.allows_asymmetry() && router.allows_asymmetry();
        let level = if asymmetric { own.level } else { own.level.min(other.level) };
        ProfileLevelId { level, ..own }.to_text()
    }

    fn h264_profile(&self) -> Option<ProfileLevelId> {
        match self.parameters.get(PROFILE_LEVEL_ID) {
            Some(value) => ProfileLevelId::parse(value),
            None => Some(ProfileLevelId::DEFAULT),
        }
    }

    fn allows_asymmetry(&self) -> bool {
        let allowed = self.parameters.get("level-asymmetry-allowed");
        allowed.and_then(ParameterValue::number) == Some(1)
    }

    /// RFC 7798 7.1: a single stream when absent.
    fn transmission_mode(&self) -> String {
        self.parameters.get("tx-mode").map_or_else(|| "SRST".to_owned(), ParameterValue::text)
    }

    fn is(&self, mime_type: &str) -> bool {
        self.mime_type.eq_ignore_ascii_case(mime_type)
    }

    /// Whether each of these parameters has the same value in both; `None` is the value of one that is absent and has
    /// no default.
    fn agrees(&self, other: &Self, parameters: &[(&str, Option<i64>)]) -> bool {
        parameters.iter().all(|(name, default)| {
            let default = default.map(ParameterValue::Number);
            let value =
                |format: &Self| format.parameters.get(*name).map(canonical).or_else(|| default.clone());
            value(self) == value(other)
        })
    }
}

const PROFILE_LEVEL_ID: &str = "profile-level-id";

/// How many channels count: 1 for audio that does not say, none for video.
pub(super) fn channels(mime_type: &str, channels: Option<u8>) -> Option<u8> {
    (kind_of(mime_type) == Some(MediaKind::Audio)).then(|| channels.unwrap_or(1))
}

/// Digits and the number that they write are the same value.
fn canonical(value: &ParameterValue) -> ParameterValue {
    value.number().map_or_else(|| value.clone(), ParameterValue::Number)
}

/// Where both state a level, the lower one counts: nobody is promised what the other does not do.
fn lower(
    parameters: &mut BTreeMap<String, ParameterValue>,
    other: &BTreeMap<String, ParameterValue>,
    name: &str,
) {
    let number = |parameters: &BTreeMap<_, _>| parameters.get(name).and_then(ParameterValue::number);
    if let Some((own, other)) = number(parameters).zip(number(other)) {
        parameters.insert(name.to_owned(), own.min(other).into());
    }
}
