//! Opus packets (RFC 6716 3): is this one silence?
//!
//! Knows the table-of-contents byte. Called by `Producer::admit` for statistics and inactivity: a stream in
//! discontinuous transmission (DTX) is alive although it sends two or three packets a second.

/// True for a packet without any coded audio: every frame in it has length 0, which RFC 6716 3.2.1 defines as "no frame
/// (DTX or lost packet)".
///
/// By the frame count code of the first byte (RFC 6716 3.1) that is: one frame (0) or two of equal size (1) and no byte
/// after it; two frames of different size (2) and a length byte of 0 for the first; any number of frames of equal size
/// (3) and only the count byte, its VBR and padding bits off, for what an encoder makes of frames longer than 60 ms.
pub const fn is_dtx(payload: &[u8]) -> bool {
    match payload {
        [toc] => matches!(*toc & FRAME_COUNT_CODE, 0 | 1),
        [toc, second] => match *toc & FRAME_COUNT_CODE {
            2 => *second == 0,
            3 => *second & (VBR | PADDING) == 0 && *second & FRAME_COUNT != 0,
            _ => false,
        },
        _ => false,
    }
}

/// Of the table-of-contents byte.
const FRAME_COUNT_CODE: u8 = 0x03;
/// Of the frame count byte (RFC 6716 3.2.5).
const VBR: u8 = 0x80;
const PADDING: u8 = 0x40;
const FRAME_COUNT: u8 = 0x3F;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_whose_frames_are_all_empty_is_dtx() {
        assert!(is_dtx(&[0b0111_1000]), "code 0: one empty frame");
        assert!(is_dtx(&[0b0111_1101]), "code 1, stereo: two empty frames");
        assert!(is_dtx(&[0b0111_1010, 0]), "code 2: first frame's length 0, nothing left for the second");
        assert!(is_dtx(&[0b0111_1011, 3]), "code 3: three empty frames of equal size");
    }

    #[test]
    fn coded_audio_and_malformed_packets_are_not_dtx() {
        for payload in [
            &[][..],
            &[0b0111_1010],       // code 2 without its length byte
            &[0b0111_1011],       // code 3 without its count byte
            &[0b0111_1000, 0xFF], // a frame of one byte
            &[0b0111_1010, 1],    // a first frame of one byte that is not there
            &[0b0111_1011, 0],    // no frames at all (RFC 6716 3.4 R5)
            &[0b0111_1011, 0x83], // variable sizes, which are not there
            &[0b0111_1011, 0x43], // padding, which is not there
            &[0b0111_1000, 0xFF, 0xFE],
        ] {
            assert!(!is_dtx(payload), "{payload:x?}");
        }
    }
}
