//! GStreamer as the sender and as a player: the command lines that the terminal shows.
//!
//! Knows GStreamer's elements. Does not know the worker, starts nothing, and puts nothing under SRTP.

use std::net::IpAddr;

use crate::ffmpeg::Output;
use crate::relay::Viewer;
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

/// A pipeline that shows and plays what a viewer receives, and reports to the worker how it arrives.
pub fn receive(viewer: &Viewer) -> String {
    let streams = viewer.streams().iter().zip(viewer.transports()).enumerate();
    let branches: Vec<String> = streams
        .map(|(session, (stream, transport))| {
            // Without rtcp-mux a transport has an RTCP port.
            let worker_port = transport.rtcp_tuple().map_or(0, |tuple| tuple.local_port);
            branch(session, viewer.ip(), stream, worker_port)
        })
        .collect();
    format!("gst-launch-1.0 rtpbin name=rtp latency=100 {}", branches.join(" "))
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

/// Packets and reports of one rtpbin session. The socket that sends reports has the port of the one that receives
/// them, for the worker takes them from nowhere else.
fn branch(session: usize, ip: IpAddr, stream: &Stream, worker_port: u16) -> String {
    let (encoding, _) = stream.encoding.split_once('/').unwrap_or((&stream.encoding, ""));
    let (clock_rate, decode) = match stream.kind {
        MediaKind::Video => (90_000, "rtpvp8depay ! vp8dec ! videoconvert ! autovideosink"),
        MediaKind::Audio => (48_000, "rtpopusdepay ! opusdec ! audioconvert ! audioresample ! autoaudiosink"),
    };
    let (kind, encoding) = (kind_name(stream.kind), encoding.to_ascii_uppercase());
    let (port, rtcp_port, payload_type) = (stream.port, stream.port.saturating_add(1), stream.payload_type);
    format!(
        "udpsrc address={ip} port={port} caps='application/x-rtp,media={kind},encoding-name={encoding},\
         clock-rate={clock_rate},payload={payload_type}' ! rtp.recv_rtp_sink_{session} \
         rtp. ! application/x-rtp,media={kind} ! {decode} \
         udpsrc address={ip} port={rtcp_port} ! rtp.recv_rtcp_sink_{session} \
         rtp.send_rtcp_src_{session} ! udpsink host={ip} port={worker_port} bind-port={rtcp_port} sync=false async=false"
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
            first_sequence: None,
            srtp: None,
        };
        let line = send(&output(5004), &output(5006));
        for end in ["port=5004 bind-port=5014", "port=5005 bind-port=5015", "port=5006 bind-port=5016"] {
            assert!(line.contains(&format!("udpsink host=127.0.0.1 {end} ")), "{line}");
        }
    }
}
