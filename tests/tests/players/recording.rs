//! The sender's file, made once, and what it decodes to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use libtest_mimic::Failed;
use plain_relay::ffmpeg::{INSTALL_HINT, command_line};

/// A file of VP8 and Opus, and what ffmpeg makes of it without any network.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) file: PathBuf,
    pub(crate) decoded: Decoded,
    /// Which pictures are key frames, counted from 0.
    pub(crate) key_frames: Vec<usize>,
}

/// What came out of a decoder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    /// The MD5 of each picture. All pictures of our recording differ.
    pub(crate) pictures: Vec<String>,
    /// Samples of one channel.
    pub(crate) audio_samples: u64,
}

/// The recording; the first caller makes it.
pub(crate) fn recording() -> Result<&'static Recording, Failed> {
    static MADE: OnceLock<Result<Recording, String>> = OnceLock::new();
    MADE.get_or_init(make).as_ref().map_err(Failed::from)
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

/// The arguments that decode the input's picture and sound into two files of checksums in `directory`.
///
/// One thread and no buffering: what was decoded is in the file at once. No picture is doubled or left out to keep a
/// frame rate.
pub(crate) fn checksum_arguments(directory: &Path) -> Vec<String> {
    let file = |name: &str| directory.join(name).display().to_string();
    let video = words("-map 0:v:0 -fps_mode passthrough -flush_packets 1 -f framemd5 -y");
    let audio = words("-map 0:a:0 -flush_packets 1 -f framemd5 -y");
    [video, vec![file(VIDEO)], audio, vec![file(AUDIO)]].concat()
}

/// What the checksum files in `directory` hold so far.
pub(crate) fn decoded_in(directory: &Path) -> Decoded {
    let lines = |name| fs::read_to_string(directory.join(name)).unwrap_or_default();
    let pictures = checksums(&lines(VIDEO)).map(|(_, hash)| hash.to_owned()).collect();
    let audio_bytes: u64 = checksums(&lines(AUDIO)).map(|(bytes, _)| bytes).sum();
    Decoded { pictures, audio_samples: audio_bytes / BYTES_A_SAMPLE }
}

pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

fn make() -> Result<Recording, String> {
    let directory = directory("recording").map_err(|error| error.to_string())?;
    let file = directory.join("source.webm");
    let name = file.display().to_string();
    run("ffmpeg", &[words(QUIET), words(ENCODE), vec![name.clone()]].concat())?;
    let decode = [words(QUIET), words("-threads 1 -i"), vec![name.clone()], checksum_arguments(&directory)];
    run("ffmpeg", &decode.concat())?;
    let flags = run("ffprobe", &[words(LIST_PACKETS), vec![name]].concat())?;
    let key_frames = flags
        .lines()
        .enumerate()
        .filter(|(_, flags)| flags.starts_with('K'))
        .map(|(index, _)| index)
        .collect();
    let decoded = decoded_in(&directory);
    if decoded.pictures.len() != PICTURES {
        return Err(format!("the recording decodes to {} pictures, not {PICTURES}", decoded.pictures.len()));
    }
    Ok(Recording { file, decoded, key_frames })
}

fn run(program: &str, arguments: &[String]) -> Result<String, String> {
    let Output { status, stdout, stderr } = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot start {program} ({error}); {INSTALL_HINT}"))?;
    if !status.success() {
        let line = command_line(program, arguments);
        return Err(format!("{line}: {status}: {}", String::from_utf8_lossy(&stderr)));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// Size and hash of each line of a framemd5 file: `stream, dts, pts, duration, size, hash`.
fn checksums(text: &str) -> impl Iterator<Item = (u64, &str)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split(',').map(str::trim).skip(4);
        Some((fields.next()?.parse().ok()?, fields.next()?))
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ffmpeg-{}", std::process::id()))
}

/// Six seconds.
const PICTURES: usize = 180;
const VIDEO: &str = "video.framemd5";
const AUDIO: &str = "audio.framemd5";
/// Two channels of 16 bits.
const BYTES_A_SAMPLE: u64 = 4;

const QUIET: &str = "-hide_banner -loglevel error -nostdin -y";

const ENCODE: &str = "-f lavfi -i testsrc2=size=640x360:rate=30 \
                      -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000 -t 6 \
                      -map 0:v -c:v libvpx -deadline realtime -cpu-used 8 -b:v 800k -g 30 -auto-alt-ref 0 \
                      -map 1:a -ac 2 -c:a libopus -b:a 48k";

const LIST_PACKETS: &str = "-v error -select_streams v:0 -show_entries packet=flags -of csv=p=0";
