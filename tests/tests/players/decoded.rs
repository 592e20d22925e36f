//! What a decoder wrote: a checksum of each picture, and the samples.
//!
//! Knows the files in a player's or a recording's directory. Does not know which tool wrote them.

use std::fs;
use std::path::{Path, PathBuf};

/// What came out of a decoder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    /// The MD5 of each picture. All pictures of our recordings differ.
    pub(crate) pictures: Vec<String>,
    /// All channels, interleaved.
    pub(crate) samples: Vec<i16>,
}

impl Decoded {
    /// What the files in `directory` hold so far.
    pub(crate) fn read(directory: &Path) -> Self {
        // Before the decoder has begun there is none.
        let checksums = fs::read_to_string(pictures_file(directory)).unwrap_or_default();
        let samples = fs::read(samples_file(directory)).unwrap_or_default();
        let sample = |bytes: &[u8]| Some(i16::from_le_bytes(bytes.try_into().ok()?));
        Self {
            pictures: checksums.lines().filter_map(checksum).map(str::to_owned).collect(),
            samples: samples.chunks_exact(2).filter_map(sample).collect(),
        }
    }
}

/// Where a decoder writes a line for each picture that ends in the MD5 of its planes, Y, U and V.
pub(crate) fn pictures_file(directory: &Path) -> PathBuf {
    directory.join("pictures.md5")
}

/// Where a decoder writes signed samples of 16 bits, the lower byte first.
pub(crate) fn samples_file(directory: &Path) -> PathBuf {
    directory.join("samples.s16le")
}

/// ffmpeg writes `stream, dts, pts, duration, size, hash` beside comments, GStreamer `time hash`. A line in the making
/// is left out.
fn checksum(line: &str) -> Option<&str> {
    let hash = line.rsplit([' ', ',']).next()?;
    (hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}
