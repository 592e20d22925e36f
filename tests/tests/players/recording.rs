//! The sender's files, each made once, and what they decode to.
//!
//! Knows what is in a recording. Does not know how it is sent. Called by the scenes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::Failed;

use crate::codec::Codecs;
use crate::decoded::Decoded;
use crate::{ffmpeg, gstreamer};

/// A file of video and audio, and what ffmpeg makes of it without any network.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) codecs: Codecs,
    pub(crate) file: PathBuf,
    pub(crate) decoded: Decoded,
    /// Which pictures are key frames, counted from 0.
    pub(crate) key_frames: Vec<usize>,
    /// RTP packets of video and audio that GStreamer makes of it.
    pub(crate) gstreamer_packets: [u64; 2],
}

/// The recording in these codecs; the first caller makes it, others wait for it.
pub(crate) fn recording(codecs: Codecs) -> Result<Arc<Recording>, Failed> {
    static MADE: Mutex<BTreeMap<Codecs, Arc<Recording>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(recording) = made.get(&codecs) {
        return Ok(Arc::clone(recording));
    }
    let recording = Arc::new(make(codecs)?);
    made.insert(codecs, Arc::clone(&recording));
    Ok(recording)
}

/// What is in a file that a player or sender wrote: as a recording, but of any length.
pub(crate) fn read(codecs: Codecs, file: PathBuf, directory: &Path) -> Result<Recording, String> {
    ffmpeg::decode_file(&file, directory)?;
    let key_frames = ffmpeg::key_frames(&file)?;
    let gstreamer_packets = gstreamer::packets(codecs, &file, directory)?;
    Ok(Recording { codecs, file, decoded: Decoded::read(directory), key_frames, gstreamer_packets })
}

/// A directory for the files of one player or recording.
pub(crate) fn directory(name: &str) -> std::io::Result<PathBuf> {
    let directory = root().join(name);
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Removes what the tests of this process wrote.
pub(crate) fn remove_files() {
    // There may be nothing.
    let _ = fs::remove_dir_all(root());
}

fn make(codecs: Codecs) -> Result<Recording, String> {
    let [video, audio] = codecs;
    let directory =
        directory(&format!("recording-{video:?}-{audio:?}")).map_err(|error| error.to_string())?;
    let file = directory.join("source.mkv");
    ffmpeg::record(codecs, &file)?;
    let recording = read(codecs, file, &directory)?;
    let pictures = recording.decoded.pictures.len();
    if pictures != PICTURES {
        return Err(format!("the recording decodes to {pictures} pictures, not {PICTURES}"));
    }
    Ok(recording)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("players-{}", std::process::id()))
}

/// Four seconds.
const PICTURES: usize = 120;
