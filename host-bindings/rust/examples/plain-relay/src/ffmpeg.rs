//! ffmpeg as the sender and as the player: its command lines, and the process itself.
//!
//! Knows ffmpeg's options. Does not know the worker. The command lines that the terminal shows, that the demo starts
//! and that the integration tests start all come from here.
//! Invariant: a `Process` does not outlive its handle.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::{fmt, io};

use tidegate::SrtpParameters;
use tokio::process::{Child, Command};

/// One RTP stream that ffmpeg sends.
#[derive(Clone, Debug)]
pub struct Output {
    /// 0 to 127.
    pub payload_type: u8,
    /// ffmpeg takes 31 bits at most.
    pub ssrc: u32,
    /// Where RTP goes.
    pub rtp: SocketAddr,
    /// Where RTCP goes, at the same address. ffmpeg knows no RTP/RTCP multiplexing (RFC 5761).
    pub rtcp_port: u16,
    /// The ports that ffmpeg itself uses for RTP and RTCP; it chooses when there are none.
    pub local_ports: Option<(u16, u16)>,
    /// The first sequence number; ffmpeg rolls one below 4,096 when there is none.
    pub first_sequence: Option<u16>,
    /// What protects it; ffmpeg 5 knows no GCM.
    pub srtp: Option<SrtpParameters>,
}

/// What ffmpeg reads or makes, and so sends.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A moving test picture (640x360, 30 frames/s, a key frame a second) and a beep, encoded as VP8 and Opus.
    Camera,
    /// A file whose first video and audio streams go out as they are, at their own pace.
    File(&'a Path),
}

/// A running ffmpeg; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

/// ffmpeg did not start.
#[derive(Debug)]
pub struct StartError(io::Error);

impl Output {
    /// The arguments that send what stands before them there.
    pub fn arguments(&self) -> Vec<String> {
        let (rtp, scheme) = (self.rtp, if self.srtp.is_some() { "srtp" } else { "rtp" });
        let mut url = format!("{scheme}://{rtp}?rtcpport={}&pkt_size={PACKET_BYTES}", self.rtcp_port);
        if let Some((rtp, rtcp)) = self.local_ports {
            url = format!("{url}&localrtpport={rtp}&localrtcpport={rtcp}");
        }
        let mut arguments = words(&format!("-payload_type {} -ssrc {}", self.payload_type, self.ssrc));
        if let Some(sequence) = self.first_sequence {
            arguments.extend(words(&format!("-seq {sequence}")));
        }
        if let Some(SrtpParameters { crypto_suite, key_base64 }) = &self.srtp {
            let suite = in_its_words(crypto_suite.name());
            arguments.extend(words(&format!("-srtp_out_suite {suite} -srtp_out_params {key_base64}")));
        }
        [arguments, words("-f rtp"), vec![url]].concat()
    }
}

/// The arguments of an ffmpeg that sends `source`'s video and audio.
pub fn send(source: Source<'_>, video: &Output, audio: &Output) -> Vec<String> {
    let (input, video_codec, audio_codec) = match source {
        Source::Camera => (words(CAMERA), words(VP8), words(OPUS)),
        Source::File(path) => (file_input(path), words(COPY_VIDEO), words("-map 0:a:0 -c copy")),
    };
    [words(QUIET), input, video_codec, video.arguments(), audio_codec, audio.arguments()].concat()
}

/// The arguments of an ffplay that shows and plays the streams of a session description.
///
/// It sends no receiver reports: nobody learns from it what was lost on the way or how long the way is.
pub fn play(session_description: &Path) -> Vec<String> {
    [words("-hide_banner -loglevel error"), read(session_description)].concat()
}

/// The arguments with which ffmpeg reads the streams of a session description to judge pictures and sound, not to play
/// them; what to do with them must follow. It takes the time of arrival for the time of each, for sender reports
/// move a stream's times when its sender or the machine stumbles, sometimes back, and what goes back in time ffmpeg's
/// writers refuse.
pub fn receive_to_judge(session_description: &Path) -> Vec<String> {
    [words(QUIET), words("-use_wallclock_as_timestamps 1"), read(session_description)].concat()
}

/// A suite's name, or a session description, for ffmpeg: under the name that RFC 4568 gives the suite with short tags it
/// expects them on RTCP too, against 6.2.2 there; under a name of its own it does not.
pub fn in_its_words(text: &str) -> String {
    text.replace("AES_CM_128_HMAC_SHA1_32", "SRTP_AES128_CM_HMAC_SHA1_32")
}

/// A line that a shell understands as `program` with these arguments.
pub fn command_line(program: &str, arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|argument| quote(argument));
    [program.to_owned()].into_iter().chain(quoted).collect::<Vec<_>>().join(" ")
}

/// Starts ffmpeg. Its diagnostics go to `diagnostics`, its standard output to `output`.
///
/// # Errors
/// When it cannot be started; the text names the script that installs it when it is missing.
pub fn start(
    arguments: &[impl AsRef<OsStr>],
    output: Stdio,
    diagnostics: Stdio,
) -> Result<Process, StartError> {
    let mut command = Command::new("ffmpeg");
    command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(diagnostics).kill_on_drop(true);
    command.spawn().map(|child| Process { child }).map_err(StartError)
}

impl Process {
    /// The process and its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::NotFound => {
                write!(out, "there is no ffmpeg on this machine; {INSTALL_HINT}")
            }
            _ => write!(out, "ffmpeg does not start: {}", self.0),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn read(session_description: &Path) -> Vec<String> {
    let path = session_description.display().to_string();
    [words("-protocol_whitelist file,udp,rtp,srtp,crypto -i"), vec![path]].concat()
}

fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

fn file_input(path: &Path) -> Vec<String> {
    vec!["-re".into(), "-i".into(), path.display().to_string()]
}

fn quote(argument: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// How to get what is missing.
pub const INSTALL_HINT: &str = "run tests/scripts/install-tools ffmpeg";

/// Room for a worker's own header extensions and for SRTP below the usual 1,500 bytes.
const PACKET_BYTES: u16 = 1_200;

const QUIET: &str = "-hide_banner -loglevel error -nostdin";

const CAMERA: &str = "-re -f lavfi -i testsrc2=size=640x360:rate=30 \
                      -re -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000";

/// `-auto-alt-ref 0`: no invisible frames, which RTP receivers cannot place.
const VP8: &str = "-map 0:v:0 -c:v libvpx -deadline realtime -cpu-used 8 -b:v 800k -g 30 -auto-alt-ref 0";

/// ffmpeg 5 calls its RTP payload format of VP9 experimental.
const COPY_VIDEO: &str = "-map 0:v:0 -c copy -strict experimental";

const OPUS: &str = "-map 1:a:0 -ac 2 -c:a libopus -b:a 48k";

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: Output = Output {
        payload_type: 101,
        ssrc: 1,
        rtp: SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 5004),
        rtcp_port: 5005,
        local_ports: None,
        first_sequence: None,
        srtp: None,
    };

    #[test]
    fn command_line_survives_a_shell() {
        let arguments = VIDEO.arguments();
        let line = command_line("ffmpeg", &arguments);
        assert!(line.ends_with("-f rtp 'rtp://[::1]:5004?rtcpport=5005&pkt_size=1200'"), "{line}");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn own_ports_are_named_when_given() {
        let video = Output { local_ports: Some((61_000, 61_001)), ..VIDEO };
        let url = video.arguments().into_iter().next_back().expect("a URL");
        assert!(url.ends_with("&localrtpport=61000&localrtcpport=61001"), "{url}");
    }

    #[test]
    fn protected_output_names_suite_and_key() {
        let srtp = Some(SrtpParameters::new(tidegate::SrtpCryptoSuite::AesCm128HmacSha1_80, "c2VjcmV0"));
        let line = Output { srtp, ..VIDEO }.arguments().join(" ");
        let protection =
            "-srtp_out_suite AES_CM_128_HMAC_SHA1_80 -srtp_out_params c2VjcmV0 -f rtp srtp://[::1]:5004?";
        assert!(line.contains(protection), "{line}");
    }

    #[test]
    fn file_goes_out_unchanged() {
        let arguments = send(Source::File(Path::new("a.webm")), &VIDEO, &VIDEO);
        assert_eq!(arguments.iter().filter(|word| *word == "copy").count(), 2);
    }
}
