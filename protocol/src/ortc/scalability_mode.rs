//! Scalability modes: how many layers one stream has, read from texts like `L3T3_KEY`.
//!
//! Knows the grammar of W3C's "Scalable Video Coding (SVC) Extension for WebRTC" as far as layers go. Does not know
//! codecs. Called by hosts and when a consumer's encoding is made. Invariant: layer counts are 1 to 99.

use serde::{Deserialize, Serialize};

/// Layers of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalabilityMode {
    /// Spatial layers, 1 to 99.
    pub spatial_layers: u8,
    /// Temporal layers, 1 to 99.
    pub temporal_layers: u8,
    /// Whether spatial layers depend on each other at key frames only (K-SVC).
    pub ksvc: bool,
}

impl ScalabilityMode {
    /// Reads `L` or `S`, spatial layers, `T`, temporal layers, and `_KEY` or not.
    ///
    /// Tolerant, as in the field: a text that does not begin so (an empty one too) means one layer, and what follows
    /// (`h` of `L2T1h`, an unknown suffix) is not looked at.
    pub fn parse(text: &str) -> Self {
        Self::read(text).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Self> {
        let (spatial_layers, rest) = number(text.strip_prefix(['L', 'S'])?)?;
        let (temporal_layers, rest) = number(rest.strip_prefix('T')?)?;
        Some(Self { spatial_layers, temporal_layers, ksvc: rest.starts_with("_KEY") })
    }
}

impl Default for ScalabilityMode {
    fn default() -> Self {
        Self { spatial_layers: 1, temporal_layers: 1, ksvc: false }
    }
}

/// One or two digits without a leading zero, and what follows them.
fn number(text: &str) -> Option<(u8, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    let number = digits.parse().ok().filter(|_| !digits.starts_with('0'))?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(spatial_layers: u8, temporal_layers: u8, ksvc: bool) -> ScalabilityMode {
        ScalabilityMode { spatial_layers, temporal_layers, ksvc }
    }

    #[test]
    fn modes_say_their_layers() {
        let table = [
            ("L1T3", mode(1, 3, false)),
            ("L3T3_KEY", mode(3, 3, true)),
            ("S2T3", mode(2, 3, false)),
            ("L4T7_KEY_SHIFT", mode(4, 7, true)),
            ("L20T3", mode(20, 3, false)),
            ("S200T3", mode(1, 1, false)),
            ("L2T3h", mode(2, 3, false)),
        ];
        for (text, expected) in table {
            assert_eq!(ScalabilityMode::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_mode_is_one_layer() {
        for text in
            ["", "L", "LT", "L0T1", "L1T0", "l1t1", "L1", "L1T", "T3", "xL3T3", "L-1T1", "L1T३", "1L3T"]
        {
            assert_eq!(ScalabilityMode::parse(text), mode(1, 1, false), "{text}");
        }
    }
}
