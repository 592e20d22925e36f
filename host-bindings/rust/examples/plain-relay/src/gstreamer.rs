//! GStreamer as the sender and as a player: the command lines that the terminal shows.
//!
//! Knows GStreamer's elements. Does not know the worker, and starts nothing.

use std::net::IpAddr;

use crate::ffmpeg::Output;
use crate::sdp::Stream;
use crate::{MediaKind, kind_name};

/// A pipeline that sends a test picture (VP8) and a ticking sound (Opus) with sender reports.
pub fn send(video: &Output, audio: &Output) -> String {
    let video_tail = sinks(0, video);
    let audio_tail = sinks(1, audio);
    format!(
        "gst-launch-1.0 rtpbin name=rtp \
         videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=30/1 \
         ! vp8enc deadline=1 cpu-used=8 target-bitrate=800000 keyframe-max-dist=30 \
         ! rtpvp8pay pt={} ssrc={} picture-id-mode=15-bit mtu=1200 {video_tail} \
         audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2 \
         ! opusenc ! rtpopuspay pt={} ssrc={} {audio_tail}",
        video.payload_type, video.ssrc, audio.payload_type, audio.ssrc
    )
}

/// A pipeline that shows and plays what arrives at `address`, whose IP is this machine's.
pub fn receive(address: IpAddr, streams: &[Stream]) -> String {
    let branches: Vec<String> = streams.iter().map(|stream| branch(address, stream)).collect();
    format!("gst-launch-1.0 {}", branches.join(" "))
}

/// RTP and RTCP of one rtpbin session to the worker.
fn sinks(session: u8, output: &Output) -> String {
    let (ip, rtp, rtcp) = (output.rtp.ip(), output.rtp.port(), output.rtcp_port);
    let (from_rtp, from_rtcp) = match output.local_ports {
        Some((rtp, rtcp)) => (format!(" bind-port={rtp}"), format!(" bind-port={rtcp}")),
        None => Default::default(),
    };
    format!(
        "! rtp.send_rtp_sink_{session} rtp.send_rtp_src_{session} ! udpsink host={ip} port={rtp}{from_rtp} \
         rtp.send_rtcp_src_{session} ! udpsink host={ip} port={rtcp}{from_rtcp} sync=false async=false"
    )
}

fn branch(address: IpAddr, stream: &Stream) -> String {
    let (encoding, _) = stream.encoding.split_once('/').unwrap_or((&stream.encoding, ""));
    let (clock_rate, decode) = match stream.kind {
        MediaKind::Video => (90_000, "rtpvp8depay ! vp8dec ! videoconvert ! autovideosink"),
        MediaKind::Audio => (48_000, "rtpopusdepay ! opusdec ! audioconvert ! autoaudiosink"),
    };
    format!(
        "udpsrc address={} port={} caps='application/x-rtp,media={},encoding-name={},clock-rate={clock_rate},payload={}' \
         ! rtpjitterbuffer ! {decode}",
        address,
        stream.port,
        kind_name(stream.kind),
        encoding.to_ascii_uppercase(),
        stream.payload_type
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    #[test]
    fn sender_uses_the_ports_on_both_sides() {
        let output = |port| Output {
            payload_type: 101,
            ssrc: 1,
            rtp: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
            rtcp_port: port + 1,
            local_ports: Some((port + 10, port + 11)),
        };
        let line = send(&output(5004), &output(5006));
        for end in ["port=5004 bind-port=5014", "port=5005 bind-port=5015", "port=5006 bind-port=5016"] {
            assert!(line.contains(&format!("udpsink host=127.0.0.1 {end} ")), "{line}");
        }
    }
}
