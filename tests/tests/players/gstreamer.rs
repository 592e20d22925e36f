//! GStreamer: how it sends a file, and how it plays what a viewer receives.
//!
//! Knows pipelines; `repair` those that send lost packets again or ask for them, `protection` the elements of SRTP.
//! Does not know what must come out.

pub(crate) mod protection;
pub(crate) mod repair;

use std::fs;
use std::path::Path;

use plain_relay::ffmpeg::Output;
use plain_relay::kind_name;
use plain_relay::relay::Viewer;
use plain_relay::sdp::Stream;

use self::protection::Protection;
use crate::codec::{Codec, Codecs};
use crate::decoded;
use crate::process::{run, words};

/// What runs a pipeline.
pub(crate) const PROGRAM: &str = "gst-launch-1.0";

/// The arguments that send the streams of `file` at their own pace, with sender reports. Whether such a process ends
/// with its streams is chance: every now and then a session of GStreamer 1.22 leaves its reports without an end.
pub(crate) fn send(codecs: Codecs, file: &Path, outputs: [Output; 2]) -> Vec<String> {
    let source = format!("filesrc location={} ! matroskademux name=file", file.display());
    let pads = ["file.video_0", "file.audio_0"];
    let streams =
        pads.iter().zip(codecs).zip(outputs).enumerate().map(|(session, ((pad, codec), output))| {
            format!("{pad} ! queue ! {}", payload_and_send(session, codec, &output))
        });
    let line: Vec<String> = [source].into_iter().chain(streams).collect();
    words(&format!("-q {}", line.join(" ")))
}

/// The arguments that decode what `viewer` receives: a checksum of each picture to the standard output, samples to a
/// file in `directory`. Each stream's session reports to the worker how it arrives.
///
/// `way` stands between the socket and the session, for example an element that loses packets.
pub(crate) fn play(codecs: Codecs, viewer: &Viewer, way: &str, directory: &Path) -> Vec<String> {
    let streams = viewer.transports().iter().zip(codecs).enumerate();
    let line: Vec<String> = streams
        .map(|(session, (transport, codec))| {
            // Without rtcp-mux a transport has an RTCP port.
            let worker_port = transport.rtcp_tuple().map_or(0, |tuple| tuple.local_port);
            format!(
                "{} {} ! {}",
                receive(session, viewer, session, way, worker_port),
                depayload_and_decode(codec),
                end(codec, directory)
            )
        })
        .collect();
    // -e: when interrupted, what came is brought to its end.
    words(&format!("-e -q {}", line.join(" ")))
}

/// How many RTP packets `send` makes of the streams of `file`: the same elements write them to files in `directory`.
pub(crate) fn packets(codecs: Codecs, file: &Path, directory: &Path) -> Result<[u64; 2], String> {
    let framed = ["video", "audio"].map(|kind| directory.join(kind).with_extension("rtp"));
    let streams =
        ["file.video_0", "file.audio_0"].iter().zip(codecs).zip(&framed).map(|((pad, codec), to)| {
            format!(
                "{pad} ! queue ! {} ! rtpstreampay ! filesink location={}",
                payloader(codec),
                to.display()
            )
        });
    let streams: Vec<String> = streams.collect();
    let line =
        format!("-q filesrc location={} ! matroskademux name=file {}", file.display(), streams.join(" "));
    run(PROGRAM, &words(&line))?;
    let [video, audio] = framed.map(|framed| fs::read(framed).map(|bytes| count_framed(&bytes)));
    Ok([video.map_err(|error| error.to_string())?, audio.map_err(|error| error.to_string())?])
}

/// The arguments that encode a test picture and a tone and send them until interrupted; what is sent goes to `file` too. After its first key frame the encoder makes others only when asked to. RTCP from the worker comes back to the
/// port from which reports go: each output names its ports.
pub(crate) fn send_live(codecs: Codecs, file: &Path, outputs: [Output; 2]) -> Vec<String> {
    let [video, audio] = codecs;
    let keep = if video == Codec::H264 { "h264parse !" } else { "" };
    let video_source = format!(
        "matroskamux name=kept ! filesink location={} \
         videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! {} \
         ! tee name=pictures pictures. ! queue ! {keep} kept. pictures. ! queue",
        file.display(),
        live_encoder(video),
    );
    let audio_source = format!(
        "audiotestsrc is-live=true freq=440 volume=0.2 ! audio/x-raw,rate={},channels={} ! {} \
         ! tee name=sound sound. ! queue ! kept. sound. ! queue",
        audio.sample_rate(),
        audio.channels(),
        live_encoder(audio)
    );
    let sources = [video_source, audio_source];
    let streams =
        sources.iter().zip(codecs).zip(outputs).enumerate().map(|(session, ((source, codec), output))| {
            let rtcp_port = output.local_ports.map_or(0, |(_, rtcp)| rtcp);
            format!(
                "{source} ! {} udpsrc address={} port={rtcp_port} ! s{session}.recv_rtcp_sink",
                payload_and_send(session, codec, &output),
                output.rtp.ip()
            )
        });
    words(&format!("-e -q {}", streams.collect::<Vec<_>>().join(" ")))
}

/// Every packet passes.
pub(crate) const CLEAR: &str = "identity";
/// One packet of ten gets lost.
pub(crate) const LOSSY: &str = "identity drop-probability=0.1";

fn payload_and_send(session: usize, codec: Codec, output: &Output) -> String {
    let Output { payload_type, ssrc, rtp, rtcp_port, local_ports, srtp, .. } = output;
    let (ip, port) = (rtp.ip(), rtp.port());
    let (from_rtp, from_rtcp) = match local_ports {
        Some((rtp, rtcp)) => (format!("bind-port={rtp}"), format!("bind-port={rtcp}")),
        None => Default::default(),
    };
    let Protection { element, rtp, rtcp } = protection::put_on(session, srtp.as_ref());
    format!(
        "{} pt={payload_type} ssrc={ssrc} ! s{session}.send_rtp_sink {element} \
         rtpsession name=s{session} rtcp-min-interval={REPORT_NS} \
         s{session}.send_rtp_src ! {rtp} udpsink host={ip} port={port} {from_rtp} \
         s{session}.send_rtcp_src ! {rtcp} udpsink host={ip} port={rtcp_port} {from_rtcp} sync=false async=false",
        payloader(codec)
    )
}

fn payloader(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "rtpvp8pay picture-id-mode=15-bit mtu=1200",
        Codec::Vp9 => "rtpvp9pay picture-id-mode=15-bit mtu=1200",
        Codec::H264 => "rtph264pay aggregate-mode=zero-latency mtu=1200",
        Codec::Opus => "rtpopuspay",
        Codec::Pcmu => "rtppcmupay",
        Codec::Pcma => "rtppcmapay",
        Codec::G722 => "rtpg722pay",
    }
}

/// Packets behind a length of two bytes each (RFC 4571).
fn count_framed(mut bytes: &[u8]) -> u64 {
    let mut packets = 0;
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let Some(rest) = rest.get(usize::from(u16::from_be_bytes(*length))..) else { break };
        (packets, bytes) = (packets + 1, rest);
    }
    packets
}

/// One thread, and no frame held back.
fn live_encoder(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => {
            "vp8enc deadline=1 cpu-used=8 threads=1 target-bitrate=800000 keyframe-max-dist=1000000"
        }
        Codec::Vp9 => {
            "vp9enc deadline=1 cpu-used=8 threads=1 target-bitrate=800000 keyframe-max-dist=1000000"
        }
        Codec::H264 => {
            "x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate=800 key-int-max=1000000 \
             ! video/x-h264,profile=baseline,stream-format=byte-stream"
        }
        Codec::Opus => "opusenc",
        Codec::Pcmu => "mulawenc",
        Codec::Pcma => "alawenc",
        Codec::G722 => "avenc_g722",
    }
}

/// RTP and RTCP of one session, up to its packets in order. The socket that sends reports has the port of the one that
/// receives them, for the worker takes them from nowhere else. Without probation: with it, GStreamer counts the packet
/// by which it first believes a source twice, and reports -1 packets lost.
fn receive(session: usize, viewer: &Viewer, place: usize, way: &str, worker_port: u16) -> String {
    let (stream, ip) = (&viewer.streams()[place], viewer.ip());
    let Stream { kind, port, payload_type, encoding, srtp } = stream;
    let (name, rest) = encoding.split_once('/').unwrap_or((encoding, ""));
    let (clock_rate, _) = rest.split_once('/').unwrap_or((rest, ""));
    let (kind, name) = (kind_name(*kind), name.to_ascii_uppercase());
    let rtcp_port = port + 1;
    let ssrc = viewer.consumers()[place].rtp_parameters().encodings[0].ssrc.unwrap_or(0);
    let own = srtp.as_ref().map(|workers| protection::own_key(workers.crypto_suite));
    let (put_on, take_off) =
        (protection::put_on(session, own.as_ref()), protection::take_off(session, srtp.is_some()));
    let (media_type, keys) = protection::caps(srtp.as_ref(), ssrc);
    format!(
        "{} {} rtpsession name=s{session} probation=0 rtcp-min-interval={REPORT_NS} \
         udpsrc address={ip} port={rtcp_port} ! {} s{session}.recv_rtcp_sink \
         s{session}.send_rtcp_src ! {} udpsink host={ip} port={worker_port} bind-port={rtcp_port} sync=false async=false \
         udpsrc address={ip} port={port} reuse=false caps={media_type},media={kind},encoding-name={name},\
         clock-rate={clock_rate},payload={payload_type}{keys} ! {way} ! {} s{session}.recv_rtp_sink \
         s{session}.recv_rtp_src ! rtpjitterbuffer latency=200 !",
        put_on.element, take_off.element, take_off.rtcp, put_on.rtcp, take_off.rtp
    )
}

fn depayload_and_decode(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "rtpvp8depay ! vp8dec threads=1",
        Codec::Vp9 => "rtpvp9depay ! vp9dec threads=1",
        Codec::H264 => "rtph264depay ! h264parse ! avdec_h264 max-threads=1",
        Codec::Opus => "rtpopusdepay ! opusdec",
        Codec::Pcmu => "rtppcmudepay ! mulawdec",
        Codec::Pcma => "rtppcmadepay ! alawdec",
        Codec::G722 => "rtpg722depay ! avdec_g722",
    }
}

/// What is decoded is written at once.
fn end(codec: Codec, directory: &Path) -> String {
    match codec {
        Codec::Vp8 | Codec::Vp9 | Codec::H264 => {
            "videoconvert ! video/x-raw,format=I420 ! checksumsink hash=md5 sync=false".to_owned()
        }
        audio => format!(
            "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={},channels={} \
             ! filesink buffer-mode=unbuffered sync=false location={}",
            audio.sample_rate(),
            audio.channels(),
            decoded::samples_file(directory).display()
        ),
    }
}

/// The least time between reports. GStreamer's five seconds are longer than our scenes.
const REPORT_NS: u32 = 300_000_000;
