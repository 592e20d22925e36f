//! ffmpeg: how it records, decodes a file, and plays what a viewer receives. How it sends is in `plain_relay::ffmpeg`.
//!
//! Knows ffmpeg's options. Does not know what must come out.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use libtest_mimic::Failed;
use plain_relay::ffmpeg::{self, Output};
use plain_relay::relay::Viewer;
use plain_relay::sdp::{self, Stream};

use crate::codec::{Codec, Codecs};
use crate::decoded;
use crate::process::{run, words};

/// Makes a file: 30 pictures a second, all of them different, with a key frame each second, and a
/// tone of 440 Hz. One thread: several of libvpx wait for one another by spinning, for minutes on a busy machine.
pub(crate) fn record(codecs: Codecs, seconds: usize, file: &Path) -> Result<(), String> {
    let [video, audio] = codecs;
    let rate = audio.sample_rate();
    let tone = format!("sine=frequency=440:sample_rate={rate}:samples_per_frame={}", rate / 50);
    let input = format!("-f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i {tone} -t {seconds}");
    let encode = format!(
        "-threads 1 -map 0:v {} -b:v 800k -g 30 -map 1:a -ac {} {}",
        encoder(video),
        audio.channels(),
        encoder(audio)
    );
    run("ffmpeg", &[words(QUIET), words(&input), words(&encode), vec![path(file)]].concat()).map(drop)
}

/// Decodes `file` into the files of `crate::decoded` in `directory`.
pub(crate) fn decode_file(file: &Path, directory: &Path) -> Result<(), String> {
    let input = [words(QUIET), words("-threads 1 -i"), vec![path(file)]].concat();
    run("ffmpeg", &[input, decode_arguments(directory)].concat()).map(drop)
}

/// Which pictures of `file` are key frames, counted from 0.
pub(crate) fn key_frames(file: &Path) -> Result<Vec<usize>, String> {
    let flags = run("ffprobe", &[words(LIST_PACKETS), vec![path(file)]].concat())?;
    let key_frames = flags.lines().enumerate().filter(|(_, flags)| flags.starts_with('K'));
    Ok(key_frames.map(|(index, _)| index).collect())
}

/// Whether the writer of `file` has come to its end: the duration in its header is the last thing that it writes.
pub(crate) fn is_finished(file: &Path) -> bool {
    let duration = run("ffprobe", &[words(DURATION), vec![path(file)]].concat());
    duration.is_ok_and(|seconds| seconds.trim().parse::<f64>().is_ok())
}

/// The arguments of a player for `viewer` that decodes into the files of `crate::decoded` in `directory`, where it
/// also finds its session description.
pub(crate) fn play(viewer: &Viewer, directory: &Path) -> Result<Vec<String>, Failed> {
    let description = directory.join("viewer.sdp");
    fs::write(&description, ffmpeg::in_its_words(&viewer.session_description()))?;
    let read = [words("-threads 1"), ffmpeg::receive_to_judge(&description)].concat();
    // Lost packets are warnings.
    Ok([read, words("-loglevel warning -y"), decode_arguments(directory)].concat())
}

/// The arguments of an ffmpeg that sends the video of `file` alone, at its own pace. ffmpeg 5.1 sends nothing again, in
/// whatever way it is asked.
pub(crate) fn send_video(file: &Path, output: &Output) -> Vec<String> {
    let read = [words(QUIET), words("-re -i"), vec![path(file)]].concat();
    [read, words("-map 0:v:0 -c copy"), output.arguments()].concat()
}

/// The arguments of a player for one stream of video that waits `WAIT_US` for what comes late. ffmpeg 5.1 asks for
/// nothing: what reads a session description sends neither reports nor NACK, whatever the description says of feedback.
pub(crate) fn play_patiently(ip: IpAddr, stream: &Stream, directory: &Path) -> Result<Vec<String>, Failed> {
    let description = directory.join("viewer.sdp");
    fs::write(&description, sdp::describe(ip, std::slice::from_ref(stream)))?;
    let wait = format!("-threads 1 -max_delay {WAIT_US} -reorder_queue_size 2000");
    let read = [words(&wait), ffmpeg::receive_to_judge(&description)].concat();
    Ok([read, words("-loglevel warning -y"), decode_pictures(directory)].concat())
}

/// One thread and no buffering: what was decoded is in the file at once. No picture is doubled or left out to keep a
/// frame rate, and no sound for the time at which it came.
fn decode_arguments(directory: &Path) -> Vec<String> {
    let audio = words("-map 0:a:0 -af asetpts=N/SR/TB -flush_packets 1 -f s16le");
    [decode_pictures(directory), audio, vec![path(&decoded::samples_file(directory))]].concat()
}

fn decode_pictures(directory: &Path) -> Vec<String> {
    let video = words("-map 0:v:0 -fps_mode passthrough -flush_packets 1 -f framemd5");
    [video, vec![path(&decoded::pictures_file(directory))]].concat()
}

/// `-auto-alt-ref 0`: no invisible frames, which RTP receivers cannot place. `repeat-headers`: parameter sets in the
/// stream, at each key frame, and not in the file's header alone.
fn encoder(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "-c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 0",
        Codec::Vp9 => "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -auto-alt-ref 0",
        Codec::H264 => {
            "-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -pix_fmt yuv420p \
             -x264-params repeat-headers=1"
        }
        Codec::Opus => "-c:a libopus -b:a 48k",
        Codec::Pcmu => "-c:a pcm_mulaw",
        Codec::Pcma => "-c:a pcm_alaw",
        Codec::G722 => "-c:a g722",
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Several round trips of our lossy networks.
const WAIT_US: u32 = 1_200_000;

const QUIET: &str = "-hide_banner -loglevel error -nostdin -y";

const LIST_PACKETS: &str = "-v error -select_streams v:0 -show_entries packet=flags -of csv=p=0";

const DURATION: &str = "-v error -show_entries format=duration -of csv=p=0";
