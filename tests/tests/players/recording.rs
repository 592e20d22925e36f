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
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) codecs: Codecs,
    pub(crate) file: PathBuf,
    pub(crate) decoded: Decoded,
    /// Which pictures are key frames, counted from 0.
    pub(crate) key_frames: Vec<usize>,
    /// RTP packets of video and audio that GStreamer makes of it.
    pub(crate) gstreamer_packets: [u64; 2],
}

impl Recording {
    /// What of it was sent when that many pictures were.
    pub(crate) fn until_picture(&self, pictures: usize) -> Self {
        let mut sent = self.clone();
        sent.decoded.pictures.truncate(pictures);
        sent.key_frames.retain(|place| *place < pictures);
        sent
    }
}

/// The recording of four seconds in these codecs; the first caller makes it, others wait for it.
pub(crate) fn recording(codecs: Codecs) -> Result<Arc<Recording>, Failed> {
    recording_of(codecs, 4)
}

/// The same of as many seconds.
pub(crate) fn recording_of(codecs: Codecs, seconds: usize) -> Result<Arc<Recording>, Failed> {
    static MADE: Mutex<BTreeMap<(Codecs, usize), Arc<Recording>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(recording) = made.get(&(codecs, seconds)) {
        return Ok(Arc::clone(recording));
    }
    let recording = Arc::new(make(codecs, seconds)?);
    made.insert((codecs, seconds), Arc::clone(&recording));
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

fn make(codecs: Codecs, seconds: usize) -> Result<Recording, String> {
    let [video, audio] = codecs;
    let name = format!("recording-{video:?}-{audio:?}-{seconds}");
    let directory = directory(&name).map_err(|error| error.to_string())?;
    let file = directory.join("source.mkv");
    ffmpeg::record(codecs, seconds, &file)?;
    let recording = read(codecs, file, &directory)?;
    let (pictures, wanted) = (recording.decoded.pictures.len(), 30 * seconds);
    if pictures != wanted {
        return Err(format!("the recording decodes to {pictures} pictures, not {wanted}"));
    }
    Ok(recording)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("players-{}", std::process::id()))
}
