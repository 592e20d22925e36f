//! The dependency descriptor header extension (AV1 RTP specification, appendix A).

/// Whether the packet with this value is the first of a coded video sequence, which starts with a key frame: such a
/// packet, and no other, brings a template dependency structure (A.4.2). The frame's other packets have it false.
pub fn starts_key_frame(value: &[u8]) -> bool {
    matches!(value, [first, _, _, flags, ..] if first & START_OF_FRAME != 0 && flags & HAS_STRUCTURE != 0)
}

/// In the first byte.
const START_OF_FRAME: u8 = 0x80;
/// In the fourth.
const HAS_STRUCTURE: u8 = 0x80;
